// Which traffic policy counts for a sender at an address of a Service, and whether source ranges keep it out.

import { type Address, contains } from '../model/address.ts'
import type { TrafficPolicy } from '../model/objects.ts'
import { sourceRangesOf } from '../model/way-in.ts'
import type { PortAt } from './addresses.ts'
import type { TraceSender } from './trace-object.ts'

export interface Policy {
  readonly policy: TrafficPolicy
  /** `internalTrafficPolicy`. */
  readonly field: string
  /** With the reason where another than the field's value counts. */
  readonly words: string
}

export function policyFor(
  { kind, decision, servicePort }: Pick<PortAt, 'kind' | 'decision' | 'servicePort'>,
  sender: TraceSender['kind'],
  mode: string,
): Policy {
  const isInternal = kind === 'cluster IP'
  const field = isInternal ? 'internalTrafficPolicy' : 'externalTrafficPolicy'
  const policy = isInternal ? servicePort.internalTrafficPolicy : servicePort.externalTrafficPolicy
  const words = `${field} ${policy}`
  if (isInternal || policy === 'Cluster' || sender === 'outside') return { policy, field, words }
  const insider = sender === 'pod' ? 'pods' : 'this node itself'
  // A virtual server has one list of real servers for all clients.
  if (mode === 'ipvs' && decision.local.length > 0)
    return { policy, field, words: `${words}, for ${insider} too, since ipvs mode has one list of endpoints for all` }
  return { policy: 'Cluster', field, words: `${words} is for clients outside; for ${insider} it is Cluster` }
}

/** Whether source ranges keep the sender out. */
export function isFenced(at: PortAt, sender: string): boolean {
  const ranges = sourceRangesOf(at.servicePort, at)
  return ranges.length > 0 && !ranges.some(range => contains(range, sender as Address))
}
