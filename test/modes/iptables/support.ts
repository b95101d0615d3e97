// Iptables mode without a kernel: what it would feed, as text.
import { toolsOf } from '../../../src/kernel/iptables.ts'
import type { Plan } from '../../../src/kernel/plan.ts'
import type { IpFamily } from '../../../src/model/address.ts'
import type { NodeFacts, TrafficSettings } from '../../../src/model/node.ts'
import type { ServiceKey } from '../../../src/model/objects.ts'
import type { Decision } from '../../../src/model/traffic-policy.ts'
import { iptablesMode } from '../../../src/modes/iptables/index.ts'
import { emptyObserved } from '../../../src/modes/rules/parse.ts'
import { type ClusterView, updateDecisions } from '../../../src/sync/decisions.ts'

export function planText(plan: Plan): string {
  return plan.steps.flatMap(({ input }) => [...input].flatMap(({ lines }) => lines)).join('\n')
}

export interface ColdStart {
  readonly cluster: ClusterView
  readonly node: NodeFacts
  readonly settings: TrafficSettings
  readonly family: IpFamily
}

/** What would be fed to a kernel that holds nothing. */
export function coldStart({ cluster, node, settings, family }: ColdStart): string {
  const mode = iptablesMode(family, toolsOf(family, 'nft'))
  const decisions = updateDecisions({
    decisions: new Map<ServiceKey, readonly Decision[]>(),
    scope: 'everything',
    cluster,
    family,
    node,
  })
  const desired = mode.render(undefined, 'everything', { decisions, node, settings })
  return planText(mode.diff({ desired, observed: emptyObserved(), touched: 'everything', sweep: true }))
}
