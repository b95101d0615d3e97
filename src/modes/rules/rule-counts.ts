// Desired → how many rules that is, by table. Walks all Services, so it is for those who ask now and then.
import type { Table } from '../../kernel/iptables.ts'
import type { Desired } from './state.ts'
import { treeChains } from './wanted.ts'

/** Rules of ours: those in chains of ours, and the jumps to them; each chain of a tree has one. */
export function ruleCounts({ base, services, dispatch }: Desired): Readonly<Record<Table, number>> {
  const counts: Record<Table, number> = { nat: 0, filter: 0 }
  for (const { table, rules } of [...base.leaves, ...base.dispatch]) counts[table] += rules.length
  for (const { table } of base.shared) counts[table] += 1
  counts.nat += treeChains(dispatch?.placement).length
  for (const { leafRules, dispatch: rules } of services.values()) {
    counts.nat += leafRules
    for (const { table } of rules) counts[table] += 1
  }
  return counts
}
