// Chains of ours that nobody wants any more: which of them can go. One that a rule of others leads to cannot, nor can those
// behind it: the kernel refuses to delete a chain that a rule jumps to, and the rule would lead into the void.
import { type Table, tables, targetOf } from '../../kernel/iptables.ts'
import type { ServiceKey } from '../../model/objects.ts'
import type { Change } from '../mode.ts'
import { type Desired, type Observed, type ObservedLeaf, type ObservedTable, observedTable, type Rendered } from './state.ts'

export interface Deletion {
  readonly table: Table
  readonly chain: string
  readonly owner: ServiceKey | undefined
}

export interface Leftovers {
  readonly deletions: readonly Deletion[]
  /** What stays although it is stale, and why; chains behind it are not named. */
  readonly kept: readonly string[]
}

/** Every chain of ours in the kernel that nobody wants. */
export function staleChains({ observed, desired, sweep }: Change<Desired, Observed>): Leftovers {
  if (!sweep) return { deletions: [], kept: [] }
  const wanted = { nat: new Set<string>(), filter: new Set<string>() }
  for (const { table, name } of desired.base.leaves) wanted[table].add(name)
  for (const { leaves } of desired.services.values()) for (const chain of leaves.keys()) wanted.nat.add(chain)
  const leftovers = tables.map(table => {
    const observedOfTable = observedTable(observed, table)
    const stale = [...observedOfTable.leaves.keys()].filter(chain => !wanted[table].has(chain))
    const used = usedByOthers(observedOfTable)
    return {
      deletions: stale.filter(chain => !used.has(chain)).map(chain => ({ table, chain, owner: undefined })),
      kept: stale.flatMap(chain => reasonToKeep(observedOfTable, table, chain)),
    }
  })
  return { deletions: leftovers.flatMap(({ deletions }) => deletions), kept: leftovers.flatMap(({ kept }) => kept) }
}

/** The chains that the touched Services had and have no more. */
export function leftChains(services: Iterable<ServiceKey>, { observed, desired }: Change<Desired, Observed>): Leftovers {
  const deletions: Deletion[] = []
  const kept: string[] = []
  for (const owner of services) {
    const { unused, used } = leftBy({ observed, before: observed.services.get(owner), after: desired.services.get(owner) })
    deletions.push(...unused.map(chain => ({ table: 'nat' as const, chain, owner })))
    kept.push(...[...used.keys()].flatMap(chain => reasonToKeep(observed.nat, 'nat', chain)))
  }
  return { deletions, kept }
}

/** What one Service leaves behind: chains that can go, and those that a rule of others leads to. */
export function leftBy(change: {
  readonly observed: Observed
  readonly before: Rendered | undefined
  readonly after: Rendered | undefined
}): { readonly unused: readonly string[]; readonly used: ReadonlyMap<string, ObservedLeaf> } {
  const { nat } = change.observed
  const left = new Map<string, ObservedLeaf>()
  for (const chain of change.before?.leaves.keys() ?? []) {
    const leaf = change.after?.leaves.has(chain) ? undefined : nat.leaves.get(chain)
    if (leaf !== undefined) left.set(chain, leaf)
  }
  const names = [...left.keys()]
  if (!names.some(chain => nat.foreignReferences.has(chain))) return { unused: names, used: new Map() }
  // What was written and never read has no jumps yet.
  for (const { name, rules } of change.before?.text?.() ?? []) {
    const leaf = left.get(name)
    if (leaf !== undefined) left.set(name, { ...leaf, jumps: rules.flatMap(rule => targetOf(rule) ?? []) })
  }
  const used = usedByOthers({ leaves: left, foreignReferences: nat.foreignReferences })
  return {
    unused: names.filter(chain => !used.has(chain)),
    used: new Map([...left].filter(([chain]) => used.has(chain))),
  }
}

/** Chains that a rule of others jumps to, and those that are reached from there. */
export function usedByOthers({
  leaves,
  foreignReferences,
}: Pick<ObservedTable, 'leaves' | 'foreignReferences'>): ReadonlySet<string> {
  const used = new Set<string>()
  const follow = (chain: string): void => {
    const leaf = leaves.get(chain)
    if (leaf === undefined || used.has(chain)) return
    used.add(chain)
    leaf.jumps.forEach(follow)
  }
  for (const chain of foreignReferences.keys()) follow(chain)
  return used
}

function reasonToKeep({ foreignReferences }: ObservedTable, table: Table, chain: string): readonly string[] {
  const user = foreignReferences.get(chain)
  if (user === undefined) return []
  return [`${table} chain ${chain} is no longer needed, but a rule of chain ${user}, which is not ours, jumps to it`]
}
