// What packets meet in the rules of the kernel alone: iptables mode's tracer.
import { tracePacket } from '../rules/packet-path.ts'
import { savedRules } from '../rules/saved-rules.ts'
import type { Tracer } from '../trace.ts'

/** @param outputs of `queries('everything')`: one iptables-save. */
export function tracer([save = '']: readonly string[]): Tracer {
  const rules = savedRules(save)
  return packet => tracePacket(packet, { rules, isInSet: () => undefined, ownAddresses: new Set(), ipvs: undefined })
}
