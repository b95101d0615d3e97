// Quarantine: a Service whose rules the kernel refuses keeps what the kernel holds for it.

import { tables, targetOf } from '../../kernel/iptables.ts'
import type { ServiceKey } from '../../model/objects.ts'
import { type Digest, type DispatchRule, type Observed, observedTable, type Rendered } from '../rules/state.ts'
import { dispatchAfter, rootOf } from './dispatch-chains.ts'
import type { Desired } from './state.ts'

export function holdService(desired: Desired, observed: Observed, service: ServiceKey): Desired {
  const held = observed.services.get(service) ?? asKernelHasIt(observed, service)
  const before = desired.services.get(service)
  if (held === undefined) desired.services.delete(service)
  else desired.services.set(service, held)
  return {
    ...desired,
    totalEndpoints: desired.totalEndpoints - (before?.totalEndpoints ?? 0) + (held?.totalEndpoints ?? 0),
    dispatch: dispatchAfter(desired.dispatch, [{ service, before, after: held }], desired.services),
  }
}

/** Found by the Service's name in the comments of the dispatch rules, and from there along the jumps. */
function asKernelHasIt(observed: Observed, service: ServiceKey): Rendered | undefined {
  const dispatch = tables.flatMap(table =>
    [...observedTable(observed, table).dispatch].flatMap(([chain, { rules }]) =>
      [...rules].filter(rule => isOf(rule, service)).map((rule): DispatchRule => ({ table, chain: rootOf(chain), rule })),
    ),
  )
  if (dispatch.length === 0) return undefined
  const leaves = new Map<string, Digest>()
  const follow = (chain: string): void => {
    const leaf = observed.nat.leaves.get(chain)
    if (leaf === undefined || leaves.has(chain)) return
    leaves.set(chain, leaf.digest)
    leaf.jumps.forEach(follow)
  }
  for (const { rule } of dispatch) follow(targetOf(rule) ?? '')
  return { leaves, dispatch, leafRules: 0, totalEndpoints: 0, text: undefined, otherComments: undefined }
}

/** Comments begin with `namespace/name:port` or, for the unnamed port, `namespace/name`. */
function isOf(rule: string, service: ServiceKey): boolean {
  const start = rule.indexOf(`--comment "${service}`)
  const after = rule[start + '--comment "'.length + service.length]
  return start !== -1 && (after === ':' || after === ' ' || after === '"')
}
