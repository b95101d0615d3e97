// Desired against Observed → Difference: which chains to write, which rules to add and remove, which chains to delete. No text of leaf chains, no order:
// that is `feed.ts`'s part.
import type { Table } from '../../kernel/iptables.ts'
import type { ServiceKey } from '../../model/objects.ts'
import type { Change } from '../mode.ts'
import { type Deletion, leftChains, staleChains } from './leftovers.ts'
import {
  type Desired,
  type Digest,
  digestOf,
  type FixedChain,
  type Observed,
  type ObservedDispatch,
  observedTable,
  type Rendered,
  type SharedRule,
} from './state.ts'

/** Above so many deletions by text, writing the whole chain anew is cheaper: each one costs a search and the block its check (measured). */
export const mostDeletionsByText = 100

export interface OwnedRule {
  readonly owner: ServiceKey | undefined
  readonly rule: string
}

export interface DispatchDifference {
  readonly table: Table
  readonly chain: string
  readonly create: boolean
  readonly add: readonly OwnedRule[]
  readonly remove: readonly OwnedRule[]
  /** The fixed last rules, where they change: what stands there now and what shall. */
  readonly tail: { readonly before: readonly string[]; readonly after: readonly string[] } | undefined
  /** All rules, tail included, where the chain is to be written anew; then the fields above say only why. */
  readonly rewrite: readonly OwnedRule[] | undefined
}

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
  if (touched === 'everything') {
    return { ...baseDifference(input), leaves: leafDifferences(desired.services.keys(), input), ...staleChains(input) }
  }
  return {
    ...nothingOfBase,
    leaves: leafDifferences(touched, input),
    dispatch: touchedDispatch(touched, input),
    ...leftChains(touched, input),
  }
}

type BaseDifference = Pick<Difference, 'fixed' | 'dispatch' | 'createShared' | 'shared' | 'unwanted'>

const nothingOfBase = { fixed: [], createShared: [], shared: [], unwanted: [] } as const

/** The chains that everything hangs on: what a cheap read shows. */
export function baseDifference(input: DiffInput): BaseDifference {
  const { observed, desired } = input
  return {
    fixed: desired.base.leaves.filter(
      ({ table, name, rules }) => !isWritten(observed, { table, chain: name, digest: digestOf(rules) }),
    ),
    dispatch: allDispatch(input),
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

function touchedDispatch(services: Iterable<ServiceKey>, { observed, desired }: DiffInput): readonly DispatchDifference[] {
  const changes = new Map<string, { table: Table; chain: string; add: OwnedRule[]; remove: OwnedRule[] }>()
  const changeOf = (table: Table, chain: string) => {
    const change = changes.get(`${table} ${chain}`) ?? { table, chain, add: [], remove: [] }
    changes.set(`${table} ${chain}`, change)
    return change
  }
  const stands = (table: Table, chain: string, rule: string): boolean =>
    observedTable(observed, table).dispatch.get(chain)?.rules.has(rule) ?? false
  for (const owner of services) {
    const after = desired.services.get(owner)?.dispatch ?? []
    const before = observed.services.get(owner)?.dispatch ?? []
    const wanted = new Set(after.map(({ table, chain, rule }) => `${table} ${chain} ${rule}`))
    for (const { table, chain, rule } of after) if (!stands(table, chain, rule)) changeOf(table, chain).add.push({ owner, rule })
    for (const { table, chain, rule } of before) {
      if (!wanted.has(`${table} ${chain} ${rule}`) && stands(table, chain, rule))
        changeOf(table, chain).remove.push({ owner, rule })
    }
  }
  return [...changes.values()].map(change => {
    const rewrite = change.remove.length > mostDeletionsByText ? withoutRemoved(change, { observed, desired }) : undefined
    return { ...change, create: false, tail: undefined, rewrite }
  })
}

/** All that is to stand in the chain, rules that were not swept included: they may belong to what could not be read. */
function withoutRemoved(
  change: { readonly table: Table; readonly chain: string; readonly remove: readonly OwnedRule[] },
  { observed, desired }: Pick<DiffInput, 'observed' | 'desired'>,
): readonly OwnedRule[] {
  const wanted = wantedRules(desired, change.table, change.chain)
  const tail = tailOf(desired, change)
  const accounted = new Set([...wanted, ...change.remove, ...tail].map(({ rule }) => rule))
  const held = observedTable(observed, change.table).dispatch.get(change.chain)?.rules ?? []
  return [...wanted, ...[...held].filter(rule => !accounted.has(rule)).map(unowned), ...tail]
}

function tailOf(desired: Desired, { table, chain }: { readonly table: Table; readonly chain: string }): readonly OwnedRule[] {
  const fixed = desired.base.dispatch.find(({ table: of, name }) => of === table && name === chain)
  return (fixed?.rules ?? []).map(unowned)
}

function allDispatch(input: DiffInput): readonly DispatchDifference[] {
  return input.desired.base.dispatch.map(fixed => dispatchDifference(fixed, input)).filter(difference => difference !== undefined)
}

function dispatchDifference(
  { table, name, rules: tail }: FixedChain,
  { observed, desired, sweep }: DiffInput,
): DispatchDifference | undefined {
  const wanted = wantedRules(desired, table, name)
  const held: ObservedDispatch = observedTable(observed, table).dispatch.get(name) ?? {
    rules: new Set(),
    tail: [],
    irregular: false,
  }
  const create = !observedTable(observed, table).dispatch.has(name)
  const wantedTexts = new Set(wanted.map(({ rule }) => rule))
  const add = wanted.filter(({ rule }) => !held.rules.has(rule))
  const heldTail = new Set([...held.tail, ...tail])
  const unwanted = [...held.rules].filter(rule => !wantedTexts.has(rule) && !heldTail.has(rule))
  const remove = sweep ? unwanted : []
  const tailChanges = held.tail.join('\n') !== tail.join('\n')
  const rewrite = held.irregular || remove.length > mostDeletionsByText
  if (!create && !rewrite && add.length + remove.length === 0 && !tailChanges) return undefined
  const kept = sweep ? [] : unwanted
  return {
    table,
    chain: name,
    create,
    add,
    remove: remove.map(unowned),
    tail: tailChanges ? { before: held.tail, after: tail } : undefined,
    rewrite: rewrite ? [...wanted, ...[...kept, ...tail].map(unowned)] : undefined,
  }
}

function unowned(rule: string): OwnedRule {
  return { owner: undefined, rule }
}

/** Each once, although two Services may want the same. */
function wantedRules(desired: Desired, table: Table, chain: string): readonly OwnedRule[] {
  const rules = new Map<string, OwnedRule>()
  for (const [owner, { dispatch }] of desired.services) {
    for (const { table: of, chain: inChain, rule } of dispatch) {
      if (inChain === chain && of === table && !rules.has(rule)) rules.set(rule, { owner, rule })
    }
  }
  return [...rules.values()]
}

function isPresent(observed: Observed, { table, chain, rule }: SharedRule): boolean {
  return observedTable(observed, table).shared.get(chain)?.has(rule) ?? false
}
