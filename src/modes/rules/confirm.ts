// After a plan was applied without an error: Observed becomes what the plan made of the kernel, without reading it.
import type { Table } from '../../kernel/iptables.ts'
import type { ServiceKey } from '../../model/objects.ts'
import type { Change } from '../mode.ts'
import { type DispatchDifference, touchedDispatch, unwantedRules } from './dispatch-diff.ts'
import { leftBy, usedByOthers } from './leftovers.ts'
import { type Desired, digestOf, type Observed, type ObservedTable, observedTable, type Rendered } from './state.ts'
import { treeChains, WantedDispatch } from './wanted.ts'

const noJumps: readonly string[] = Object.freeze([])

export function confirm(change: Change<Desired, Observed>): Observed {
  const { observed, desired, touched } = change
  if (touched === 'everything') return confirmEverything(change)
  const { dispatch, deletions } = touchedDispatch(touched, change)
  for (const key of touched) confirmService(observed, key, desired.services.get(key))
  for (const each of dispatch) confirmDispatch(observed, each)
  for (const { chain } of deletions) observed.nat.dispatch.delete(chain)
  return { ...observed, placement: desired.dispatch?.placement }
}

function confirmService(observed: Observed, key: ServiceKey, after: Rendered | undefined): void {
  const before = observed.services.get(key)
  const { unused, used } = leftBy({ observed, before, after })
  for (const chain of unused) observed.nat.leaves.delete(chain)
  for (const [chain, leaf] of used) observed.nat.leaves.set(chain, leaf)
  if (after === undefined) {
    observed.services.delete(key)
  } else {
    observed.services.set(key, after)
    addLeaves(observed, after)
  }
}

function confirmDispatch(observed: Observed, { table, chain, add, remove, rewrite }: DispatchDifference): void {
  const { dispatch } = observedTable(observed, table)
  const held = dispatch.get(chain) ?? { rules: new Set(), tail: [], irregular: false }
  dispatch.set(chain, held)
  if (rewrite === undefined) {
    for (const { rule } of remove) held.rules.delete(rule)
    for (const { rule } of add) held.rules.add(rule)
  } else {
    held.rules.clear()
    for (const { rule } of rewrite) held.rules.add(rule)
  }
}

function addLeaves(observed: Observed, { leaves }: Rendered): void {
  for (const [chain, digest] of leaves) observed.nat.leaves.set(chain, { digest, jumps: noJumps })
}

/** The kernel holds what we want, plus what was not swept and what others still use. Strings are ours now, not the read output's. */
function confirmEverything({ observed, desired, sweep }: Change<Desired, Observed>): Observed {
  const next: Observed = {
    nat: remains(observed.nat, sweep),
    filter: remains(observed.filter, sweep),
    services: new Map(desired.services),
    placement: desired.dispatch?.placement,
  }
  const wanted = new WantedDispatch(desired)
  for (const fixed of [...desired.base.dispatch, ...treeChains(desired.dispatch?.placement)]) {
    const { table, name, rules: tail } = fixed
    const kept = sweep ? [] : unwantedRules(fixed, { observed, sweep }, wanted).kept
    const rules = new Set([...wanted.in(table, name), ...kept].map(({ rule }) => rule))
    for (const rule of tail) rules.add(rule)
    observedTable(next, table).dispatch.set(name, { rules, tail, irregular: false })
  }
  for (const name of observed.nat.dispatch.keys()) {
    if (next.nat.dispatch.has(name) || (sweep && !observed.nat.foreignReferences.has(name))) continue
    const { kept } = unwantedRules({ table: 'nat', name, rules: [] }, { observed, sweep }, wanted)
    next.nat.dispatch.set(name, { rules: new Set(kept.map(({ rule }) => rule)), tail: [], irregular: false })
  }
  for (const { table, name, rules } of desired.base.leaves) {
    observedTable(next, table).leaves.set(name, { digest: digestOf(name, rules), jumps: noJumps })
  }
  for (const rendered of desired.services.values()) addLeaves(next, rendered)
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
