// What iptables mode wants, by Service.
import type { ServiceKey } from '../../model/objects.ts'
import { othersDependOn } from '../../model/service-port.ts'
import { copyText } from '../../model/text.ts'
import type { Decision } from '../../model/traffic-policy.ts'
import { type BaseChains, type Digest, type DispatchRule, digestOf, type LeafChain, type Rendered } from '../rules/state.ts'
import type { Dispatch } from './dispatch-chains.ts'
import { dispatchRules } from './dispatch-rules.ts'
import { leafChains, type RuleContext } from './service-chains.ts'

export interface Desired {
  readonly base: BaseChains
  readonly services: Map<ServiceKey, Rendered>
  readonly totalEndpoints: number
  /** See `wantsComments`. */
  readonly comments: boolean
  readonly dispatch: Dispatch
}

export function renderService(decisions: readonly Decision[], context: RuleContext): Rendered {
  const leaves = new Map<string, Digest>()
  const text = (): readonly LeafChain[] => decisions.flatMap(decision => leafChains(decision, context))
  let leafRules = 0
  for (const { name, rules } of text()) {
    leaves.set(copyText(name), digestOf(name, rules))
    leafRules += rules.length
  }
  return {
    leaves,
    leafRules,
    dispatch: decisions.flatMap(decision => dispatchRules(decision, context)).map(keptRule),
    comesFirst: othersDependOn(decisions.map(({ servicePort }) => servicePort)),
    totalEndpoints: decisions.reduce((sum, { totalEndpoints }) => sum + totalEndpoints, 0),
    text,
    otherComments: () => renderService(decisions, { ...context, comments: !context.comments }),
  }
}

function keptRule({ table, chain, rule }: DispatchRule): DispatchRule {
  return { table, chain, rule: copyText(rule) }
}

/**
 * Comments go above 1,000 endpoints, as in kube-proxy, and come back below 900, so that a cluster at the border does not
 * change its rules with every pod. A chain changes its text when it is next rendered.
 */
export function wantsComments(totalEndpoints: number, before: boolean | undefined): boolean {
  if (totalEndpoints > 1000) return false
  return totalEndpoints < 900 || (before ?? true)
}
