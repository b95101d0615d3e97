// After a plan was applied without an error: Observed becomes what the plan made of the kernel, without reading it.
import type { Table } from '../../kernel/iptables.ts'
import type { ServiceKey } from '../../model/objects.ts'
import type { Change } from '../mode.ts'
import { leftBy, usedByOthers } from './leftovers.ts'
import { type Desired, digestOf, type Observed, type ObservedTable, observedTable, type Rendered } from './state.ts'

const noJumps: readonly string[] = Object.freeze([])

export function confirm(change: Change<Desired, Observed>): Observed {
  const { observed, desired, touched } = change
  if (touched === 'everything') return confirmEverything(change)
  for (const key of touched) confirmService(observed, key, desired.services.get(key))
  return observed
}

function confirmService(observed: Observed, key: ServiceKey, after: Rendered | undefined): void {
  const before = observed.services.get(key)
  const { unused, used } = leftBy({ observed, before, after })
  for (const chain of unused) observed.nat.leaves.delete(chain)
  for (const [chain, leaf] of used) observed.nat.leaves.set(chain, leaf)
  for (const { table, chain, rule } of before?.dispatch ?? [])
    observedTable(observed, table).dispatch.get(chain)?.rules.delete(rule)
  if (after === undefined) {
    observed.services.delete(key)
  } else {
    observed.services.set(key, after)
    addService(observed, after)
  }
}

function addService(observed: Observed, { leaves, dispatch }: Rendered): void {
  for (const [chain, digest] of leaves) observed.nat.leaves.set(chain, { digest, jumps: noJumps })
  for (const { table, chain, rule } of dispatch) observedTable(observed, table).dispatch.get(chain)?.rules.add(rule)
}

/** The kernel holds what we want, plus what was not swept and what others still use. Strings are ours now, not the read output's. */
function confirmEverything({ observed, desired, sweep }: Change<Desired, Observed>): Observed {
  const next: Observed = {
    nat: remains(observed.nat, sweep),
    filter: remains(observed.filter, sweep),
    services: new Map(desired.services),
  }
  for (const { table, name, rules } of desired.base.dispatch) {
    const unswept = sweep ? [] : (observedTable(observed, table).dispatch.get(name)?.rules ?? [])
    const tail = new Set(observedTable(observed, table).dispatch.get(name)?.tail)
    const kept = [...unswept].filter(rule => !tail.has(rule))
    observedTable(next, table).dispatch.set(name, { rules: new Set([...kept, ...rules]), tail: rules, irregular: false })
  }
  for (const { table, name, rules } of desired.base.leaves) {
    observedTable(next, table).leaves.set(name, { digest: digestOf(rules), jumps: noJumps })
  }
  for (const rendered of desired.services.values()) addService(next, rendered)
  for (const { table, name } of desired.base.create) sharedRules(next, table, name)
  for (const { table, chain, rule } of desired.base.unwanted) observedTable(next, table).shared.get(chain)?.delete(rule)
  for (const { table, chain, rule } of desired.base.shared) sharedRules(next, table, chain).add(rule)
  return next
}

function remains(table: ObservedTable, sweep: boolean): ObservedTable {
  const used = usedByOthers(table)
  const leaves = [...table.leaves].filter(([chain]) => !sweep || used.has(chain))
  const shared = new Map([...table.shared].map(([chain, rules]) => [chain, new Set(rules)]))
  return { ...table, leaves: new Map(leaves), dispatch: new Map(), shared }
}

function sharedRules(observed: Observed, table: Table, chain: string): Set<string> {
  const { shared } = observedTable(observed, table)
  const rules = shared.get(chain) ?? new Set<string>()
  shared.set(chain, rules)
  return rules
}
