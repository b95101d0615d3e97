// The mode's contract about draining, the same for ipvs mode and for what is left of it: what keeps its connections, and how they are counted.
import { connectionsQuery, parseConnections } from '../../kernel/ipvsadm.ts'
import type { IpFamily } from '../../model/address.ts'
import type { Draining } from '../mode.ts'
import { drainingList, keepDraining, lookAtDraining } from './draining.ts'
import type { Desired, Observed } from './state.ts'

export function drainContract(family: IpFamily): Draining<Desired, Observed> {
  return {
    keep: (change, clock) => keepDraining(change, { ...clock, family }),
    queries: [connectionsQuery],
    look: (desired, outputs, now) => lookAtDraining(desired, { connections: outputs && parseConnections(outputs[0] ?? ''), now }),
    list: drainingList,
  }
}
