// The two values that iptables mode compares: what we want (by Service) and what the kernel holds (by chain).
// Chains are kept as digests, not as text: 170,000 rules would be 25 MB, and text is rendered again when it is needed.
import { hash } from 'node:crypto'
import type { Table } from '../../kernel/iptables.ts'
import type { ServiceKey } from '../../model/objects.ts'
import type { Decision } from '../../model/traffic-policy.ts'
import type { BaseChains } from './base-chains.ts'
import { type DispatchRule, dispatchRules } from './dispatch-rules.ts'
import { type LeafChain, leafChains, type RuleContext } from './service-chains.ts'

/** How many rules, and a hash of their text. */
export type Digest = string & { readonly _brand: 'Digest' }

/** What one Service contributes. */
export interface Rendered {
  /** Leaf chains of nat in the order in which they are to be made. */
  readonly leaves: ReadonlyMap<string, Digest>
  readonly dispatch: readonly DispatchRule[]
  /** In all leaf chains together; 0 for a Service that is held, since of that only digests are known. */
  readonly leafRules: number
  readonly totalEndpoints: number
  /** The text of the leaf chains, rendered anew; undefined for a Service that is held as the kernel has it. */
  readonly text: (() => readonly LeafChain[]) | undefined
  /** The same Service with comments where this has none and the reverse. */
  readonly otherComments: (() => Rendered) | undefined
}

export interface Desired {
  readonly base: BaseChains
  readonly services: Map<ServiceKey, Rendered>
  readonly totalEndpoints: number
  /** See `wantsComments`. */
  readonly comments: boolean
}

export interface ObservedLeaf {
  readonly digest: Digest
  /** Chains that it jumps to; known only where it was read. */
  readonly jumps: readonly string[]
}

export interface ObservedDispatch {
  readonly rules: Set<string>
  /** The last rules, in order, as many as the tail has; what `diff` compares with the tail that we want. */
  readonly tail: readonly string[]
  /** A rule stands twice, or the tail is not last: the chain is rewritten. */
  readonly irregular: boolean
}

export interface ObservedTable {
  readonly leaves: Map<string, ObservedLeaf>
  readonly dispatch: Map<string, ObservedDispatch>
  /** Of chains that others use too: all rules, as text. A chain that does not exist is absent. */
  readonly shared: Map<string, Set<string>>
  /** Chains of ours that a rule of others jumps to, with the chain of that rule: they cannot be deleted. */
  readonly foreignReferences: Map<string, string>
}

export interface Observed {
  readonly nat: ObservedTable
  readonly filter: ObservedTable
  /** What each Service contributes as far as it was confirmed; empty after a read. */
  readonly services: Map<ServiceKey, Rendered>
}

export function observedTable(observed: Observed, table: Table): ObservedTable {
  return table === 'nat' ? observed.nat : observed.filter
}

/** The number of rules: another wording of the same rules never changes it. */
export function ruleCountOf(digest: Digest): number {
  return Number.parseInt(digest, 10)
}

export function digestOf(rules: readonly string[]): Digest {
  return `${rules.length} ${hash('sha1', rules.join('\n'), 'base64').slice(0, 16)}` as Digest
}

export function renderService(decisions: readonly Decision[], context: RuleContext): Rendered {
  const leaves = new Map<string, Digest>()
  const text = (): readonly LeafChain[] => decisions.flatMap(decision => leafChains(decision, context))
  let leafRules = 0
  for (const { name, rules } of text()) {
    leaves.set(name, digestOf(rules))
    leafRules += rules.length
  }
  return {
    leaves,
    leafRules,
    dispatch: decisions.flatMap(decision => dispatchRules(decision, context)),
    totalEndpoints: decisions.reduce((sum, { totalEndpoints }) => sum + totalEndpoints, 0),
    text,
    otherComments: () => renderService(decisions, { ...context, comments: !context.comments }),
  }
}

/**
 * Comments go above 1,000 endpoints, as in kube-proxy, and come back below 900, so that a cluster at the border does not
 * change its rules with every pod. A chain changes its text when it is next rendered.
 */
export function wantsComments(totalEndpoints: number, before: boolean | undefined): boolean {
  if (totalEndpoints > 1000) return false
  return totalEndpoints < 900 || (before ?? true)
}
