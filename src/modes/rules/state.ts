// The two values that are compared where a mode makes rules: what we want (by Service) and what the kernel holds (by chain).
// Chains are kept as digests, not as text: 170,000 rules would be 25 MB, and text is rendered again when it is needed.
import { hash } from 'node:crypto'
import type { Table } from '../../kernel/iptables.ts'
import type { ServiceKey } from '../../model/objects.ts'
import { copyText } from '../../model/text.ts'
import type { Branch } from './dispatch-tree.ts'

/** How many rules, and a hash of their text. */
export type Digest = string & { readonly _brand: 'Digest' }

/** What one Service contributes. */
export interface Rendered {
  /** Leaf chains of nat in the order in which they are to be made. */
  readonly leaves: ReadonlyMap<string, Digest>
  readonly dispatch: readonly DispatchRule[]
  /** Others need it to work at all: where not all can be programmed at once, it comes first. */
  readonly comesFirst?: boolean
  /** In all leaf chains together; 0 for a Service that is held, since of that only digests are known. */
  readonly leafRules: number
  readonly totalEndpoints: number
  /** The text of the leaf chains, rendered anew; undefined for a Service that is held as the kernel has it. */
  readonly text: (() => readonly LeafChain[]) | undefined
  /** The same Service with comments where this has none and the reverse. */
  readonly otherComments: (() => Rendered) | undefined
}

/** A chain with all its rules, each without its `-A CHAIN `. */
export interface FixedChain {
  readonly table: Table
  readonly name: string
  readonly rules: readonly string[]
}

/** A rule in a chain that others use too. */
export interface SharedRule {
  readonly table: Table
  readonly chain: string
  readonly rule: string
}

/** A service port's rule in a chain that all Services share, or, where that chain is a tree, in one of the tree's. */
export interface DispatchRule {
  readonly table: Table
  readonly chain: string
  readonly rule: string
}

/** A chain of nat that belongs to one service port; `rules` without their `-A CHAIN `. */
export interface LeafChain {
  readonly name: string
  readonly rules: readonly string[]
}

/** What stands in the kernel even with no Service at all. */
export interface BaseChains {
  /** Chains of ours with exactly these rules. */
  readonly leaves: readonly FixedChain[]
  /** Chains that Services put rules into; `rules` come after all of those. */
  readonly dispatch: readonly FixedChain[]
  /** Chains that are created where they are missing although others may fill them, so that jumps to them exist. */
  readonly create: readonly { readonly table: Table; readonly name: string }[]
  /** Rules that must be present, wherever, in chains that others use too; in the order in which fresh ones are to stand. */
  readonly shared: readonly SharedRule[]
  /** Rules in such chains that only another mode makes. */
  readonly unwanted: readonly SharedRule[]
}

/** Dispatch chains of nat that are trees, by name: there the tree says in which chain each rule stands. */
export type Placement = ReadonlyMap<string, Branch>

export interface Desired {
  readonly base: BaseChains
  readonly services: ReadonlyMap<ServiceKey, Rendered>
  /** Absent where no chain is ever a tree. */
  readonly dispatch?: { readonly placement: Placement }
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
  /** As it was confirmed; absent after a read. */
  readonly placement?: Placement | undefined
}

export function observedTable(observed: Observed, table: Table): ObservedTable {
  return table === 'nat' ? observed.nat : observed.filter
}

/** The number of rules: another wording of the same rules never changes it. */
export function ruleCountOf(digest: Digest): number {
  return Number.parseInt(digest, 10)
}

/** @param rules without their `-A CHAIN `. */
export function digestOf(chain: string, rules: readonly string[]): Digest {
  return digestOfText(rules.length === 0 ? '' : `-A ${chain} ${rules.join(`\n-A ${chain} `)}`)
}

/** @param text a chain's rules as iptables-save prints them, a line each. */
export function digestOfText(text: string): Digest {
  return copyText(`${linesIn(text)} ${hash('sha1', text, 'base64').slice(0, 16)}` as Digest)
}

function linesIn(text: string): number {
  if (text === '') return 0
  let count = 1
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) count++
  return count
}
