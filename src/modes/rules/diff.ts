// Desired against Observed → Difference: which chains to write, which rules to add and remove, which chains to delete. No text of leaf chains, no order:
// that is `feed.ts`'s part.
import type { Table } from '../../kernel/iptables.ts'
import type { ServiceKey } from '../../model/objects.ts'
import type { Change } from '../mode.ts'
import { allDispatch, baseDispatch, type DispatchDifference, touchedDispatch } from './dispatch-diff.ts'
import { type Deletion, leftChains, staleChains } from './leftovers.ts'
import {
  type Desired,
  type Digest,
  digestOf,
  type FixedChain,
  type Observed,
  observedTable,
  type Rendered,
  type SharedRule,
} from './state.ts'

export interface Difference {
  readonly fixed: readonly FixedChain[]
  /** Leaf chains to write, by the Service that they belong to. */
  readonly leaves: ReadonlyMap<ServiceKey, ReadonlySet<string>>
  readonly dispatch: readonly DispatchDifference[]
  readonly createShared: readonly { readonly table: Table; readonly name: string }[]
  readonly shared: readonly SharedRule[]
  /** Rules of another mode in chains that others use too. */
  readonly unwanted: readonly SharedRule[]
  readonly deletions: readonly Deletion[]
  readonly kept: readonly string[]
}

export type DiffInput = Change<Desired, Observed>

export function difference(input: DiffInput): Difference {
  const { desired, touched } = input
  const whole = touched === 'everything'
  const { dispatch, deletions, kept } = whole ? allDispatch(input) : touchedDispatch(touched, input)
  const left = whole ? staleChains(input) : leftChains(touched, input)
  return {
    ...(whole ? fixedDifference(input) : nothingFixed),
    leaves: leafDifferences(whole ? desired.services.keys() : touched, input),
    dispatch,
    // Chains of a tree first: rules of theirs lead to those of Services.
    deletions: [...deletions, ...left.deletions],
    kept: [...kept, ...left.kept],
  }
}

type FixedDifference = Pick<Difference, 'fixed' | 'createShared' | 'shared' | 'unwanted'>

const nothingFixed = { fixed: [], createShared: [], shared: [], unwanted: [] } as const

/** The chains that everything hangs on: what a cheap read shows. */
export function baseDifference(input: DiffInput): FixedDifference & Pick<Difference, 'dispatch'> {
  return { ...fixedDifference(input), dispatch: baseDispatch(input) }
}

function fixedDifference({ observed, desired }: DiffInput): FixedDifference {
  return {
    fixed: desired.base.leaves.filter(
      ({ table, name, rules }) => !isWritten(observed, { table, chain: name, digest: digestOf(name, rules) }),
    ),
    createShared: desired.base.create.filter(({ table, name }) => !observedTable(observed, table).shared.has(name)),
    shared: desired.base.shared.filter(shared => !isPresent(observed, shared)),
    unwanted: desired.base.unwanted.filter(unwanted => isPresent(observed, unwanted)),
  }
}

/** Whether the kernel's chain has the text that we want. */
function isWritten(observed: Observed, { table, chain, digest }: { table: Table; chain: string; digest: Digest }): boolean {
  return observedTable(observed, table).leaves.get(chain)?.digest === digest
}

/** Whether all chains of the Service have the text that we want. */
export function isWrittenWhole(observed: Observed, { leaves }: Rendered): boolean {
  for (const [chain, digest] of leaves) if (!isWritten(observed, { table: 'nat', chain, digest })) return false
  return true
}

function leafDifferences(
  services: Iterable<ServiceKey>,
  { observed, desired }: DiffInput,
): ReadonlyMap<ServiceKey, ReadonlySet<string>> {
  const writes = new Map<ServiceKey, Set<string>>()
  for (const key of services) {
    const rendered = desired.services.get(key)
    if (rendered?.text === undefined) continue
    for (const [chain, digest] of rendered.leaves) {
      if (isWritten(observed, { table: 'nat', chain, digest })) continue
      const chains = writes.get(key) ?? new Set()
      writes.set(key, chains.add(chain))
    }
  }
  return writes
}

function isPresent(observed: Observed, { table, chain, rule }: SharedRule): boolean {
  return observedTable(observed, table).shared.get(chain)?.has(rule) ?? false
}
