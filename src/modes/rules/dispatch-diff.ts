// Desired against Observed in the chains that the rules of many Services share: which rules to add and to remove, and which chains of a tree come
// and go. Costs what the touched Services have, or all there is: at the start, and when a chain becomes a tree or ceases to be one.
import type { Table } from '../../kernel/iptables.ts'
import type { ServiceKey } from '../../model/objects.ts'
import type { Change } from '../mode.ts'
import { type ChainChange, chainChanges, nodesOf, type OwnedRule, rulesOf } from './dispatch-tree.ts'
import type { Deletion, Leftovers } from './leftovers.ts'
import { type Desired, type FixedChain, type Observed, type ObservedDispatch, observedTable } from './state.ts'
import { treeChains, WantedDispatch } from './wanted.ts'

/** Above so many deletions by text, writing the whole chain anew is cheaper: each one costs a search and the block its check (measured). */
export const mostDeletionsByText = 100

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

export interface DispatchDifferences extends Leftovers {
  readonly dispatch: readonly DispatchDifference[]
}

type Input = Change<Desired, Observed>

const nothingLeft: Leftovers = { deletions: [], kept: [] }

// --- everything ---

/** Of the chains that are always there. */
export function baseDispatch(input: Input, wanted = new WantedDispatch(input.desired)): readonly DispatchDifference[] {
  return input.desired.base.dispatch.flatMap(fixed => dispatchDifference(fixed, input, wanted) ?? [])
}

/** Of those that are always there, and of all trees. */
export function allDispatch(input: Input): DispatchDifferences {
  const wanted = new WantedDispatch(input.desired)
  const trees = treeChains(input.desired.dispatch?.placement)
  const known = new Set([...input.desired.base.dispatch.filter(({ table }) => table === 'nat'), ...trees].map(({ name }) => name))
  const stale = [...input.observed.nat.dispatch.keys()].filter(name => !known.has(name))
  const gone = goneChains(stale, input, () => wanted)
  const ofTrees = trees.flatMap(fixed => dispatchDifference(fixed, input, wanted) ?? [])
  return { ...gone, dispatch: [...baseDispatch(input, wanted), ...ofTrees, ...gone.dispatch] }
}

const noDispatch: ObservedDispatch = { rules: new Set(), tail: [], irregular: false }

function dispatchDifference(fixed: FixedChain, input: Input, wanted: WantedDispatch): DispatchDifference | undefined {
  const { table, name, rules: tail } = fixed
  const held = observedTable(input.observed, table).dispatch.get(name)
  const { rules, tail: heldTail, irregular } = held ?? noDispatch
  const ofChain = wanted.in(table, name)
  const add = ofChain.filter(({ rule }) => !rules.has(rule))
  const { remove, kept } = unwantedRules(fixed, input, wanted)
  const tailChanges = heldTail.join('\n') !== tail.join('\n')
  const rewrite = irregular || remove.length > mostDeletionsByText
  if (held !== undefined && !rewrite && add.length + remove.length === 0 && !tailChanges) return undefined
  return {
    table,
    chain: name,
    create: held === undefined,
    add,
    remove,
    tail: tailChanges ? { before: heldTail, after: tail } : undefined,
    rewrite: rewrite ? [...ofChain, ...[...kept, ...tail.map(unowned)]] : undefined,
  }
}

/**
 * What stands in a chain and is not wanted there. Without a sweep it is kept, as it may belong to what could not be read; but what is wanted in
 * another chain is known, and would lead to a Service's chains after these are gone.
 */
export function unwantedRules(
  { table, name, rules: tail }: FixedChain,
  { observed, sweep }: Pick<Input, 'observed' | 'sweep'>,
  wanted: WantedDispatch,
): { readonly remove: readonly OwnedRule[]; readonly kept: readonly OwnedRule[] } {
  const held = observedTable(observed, table).dispatch.get(name) ?? noDispatch
  const known = new Set([...wanted.in(table, name).map(({ rule }) => rule), ...held.tail, ...tail])
  const unwanted = [...held.rules].filter(rule => !known.has(rule))
  const goes = (rule: string): boolean => sweep || (table === 'nat' && wanted.hasInNat(rule))
  return {
    remove: unwanted.filter(goes).map(unowned),
    kept: unwanted.filter(rule => !goes(rule)).map(unowned),
  }
}

/** Chains of a tree that nobody wants. One that a rule of others leads to is emptied, so that those behind it can go. */
function goneChains(names: readonly string[], input: Input, wanted: () => WantedDispatch): DispatchDifferences {
  const { dispatch: held, foreignReferences } = input.observed.nat
  const dispatch: DispatchDifference[] = []
  const deletions: Deletion[] = []
  const kept: string[] = []
  for (const chain of names.filter(name => held.has(name))) {
    const user = foreignReferences.get(chain)
    if (input.sweep && user === undefined) deletions.push({ table: 'nat', chain, owner: undefined })
    if (!input.sweep) dispatch.push(...someOf(dispatchDifference({ table: 'nat', name: chain, rules: [] }, input, wanted())))
    if (!input.sweep || user === undefined) continue
    kept.push(`nat chain ${chain} is no longer needed, but a rule of chain ${user}, which is not ours, jumps to it`)
    const remove = [...(held.get(chain)?.rules ?? [])].map(unowned)
    if (remove.length > 0) dispatch.push({ table: 'nat', chain, create: false, add: [], remove, tail: undefined, rewrite: [] })
  }
  return { dispatch, deletions, kept }
}

// --- what was touched ---

export function touchedDispatch(services: Iterable<ServiceKey>, input: Input): DispatchDifferences {
  const trees = treeDifferences(input)
  return { ...trees, dispatch: [...listDifferences(services, input), ...trees.dispatch] }
}

/** In chains that are no trees, neither before nor after. */
function listDifferences(services: Iterable<ServiceKey>, input: Input): readonly DispatchDifference[] {
  const { observed, desired } = input
  const changes = new Map<string, { table: Table; chain: string; add: OwnedRule[]; remove: OwnedRule[] }>()
  const changeOf = (table: Table, chain: string) => {
    const change = changes.get(`${table} ${chain}`) ?? { table, chain, add: [], remove: [] }
    changes.set(`${table} ${chain}`, change)
    return change
  }
  const isList = ({ table, chain }: { readonly table: Table; readonly chain: string }): boolean =>
    table !== 'nat' || !(desired.dispatch?.placement.has(chain) || observed.placement?.has(chain))
  for (const owner of services) {
    const after = (desired.services.get(owner)?.dispatch ?? []).filter(isList)
    const before = (observed.services.get(owner)?.dispatch ?? []).filter(isList)
    const wanted = new Set(after.map(({ table, chain, rule }) => `${table} ${chain} ${rule}`))
    for (const { table, chain, rule } of after) {
      if (!stands(observed, table, chain, rule)) changeOf(table, chain).add.push({ owner, rule })
    }
    for (const { table, chain, rule } of before) {
      if (!wanted.has(`${table} ${chain} ${rule}`) && stands(observed, table, chain, rule))
        changeOf(table, chain).remove.push({ owner, rule })
    }
  }
  return [...changes.values()].map(change => {
    const isLong = change.remove.length > mostDeletionsByText
    const rewrite = isLong ? rewritten(change, new WantedDispatch(desired).in(change.table, change.chain), input) : undefined
    return { ...change, create: false, tail: undefined, rewrite }
  })
}

/** Every tree against the one that was confirmed. */
function treeDifferences(input: Input): DispatchDifferences {
  const { observed, desired } = input
  const after = desired.dispatch?.placement ?? new Map()
  const before = observed.placement
  let wanted: WantedDispatch | undefined
  const everything = (): WantedDispatch => {
    wanted ??= new WantedDispatch(desired)
    return wanted
  }
  const parts = [...new Set([...(before?.keys() ?? []), ...after.keys()])].map((chain): DispatchDifferences => {
    const [had, has] = [before?.get(chain), after.get(chain)]
    if (had === has) return { ...nothingLeft, dispatch: [] }
    if (had !== undefined && has !== undefined) return treeDifference([...chainChanges(had, has)], input, everything)
    const base = desired.base.dispatch.filter(({ table, name }) => table === 'nat' && name === chain)
    const chains = has === undefined ? base : [...base, ...treeChains(new Map([[chain, has]]))]
    const gone = had === undefined ? [] : [...nodesOf(had)].slice(1).map(node => node.chain)
    const left = goneChains(gone, input, everything)
    return {
      ...left,
      dispatch: [...chains.flatMap(each => dispatchDifference(each, input, everything()) ?? []), ...left.dispatch],
    }
  })
  return {
    dispatch: parts.flatMap(({ dispatch }) => dispatch),
    deletions: parts.flatMap(({ deletions }) => deletions),
    kept: parts.flatMap(({ kept }) => kept),
  }
}

function treeDifference(changes: readonly ChainChange[], input: Input, wanted: () => WantedDispatch): DispatchDifferences {
  const gone = changes.flatMap(({ chain, after }) => (after === undefined ? [chain] : []))
  const left = goneChains(gone, input, wanted)
  return { ...left, dispatch: [...changes.flatMap(change => nodeDifference(change, input) ?? []), ...left.dispatch] }
}

/** A chain that has other rules than before; a chain is written anew where that is less to say. */
function nodeDifference({ chain, before, after }: ChainChange, input: Input): DispatchDifference | undefined {
  if (after === undefined) return undefined
  const { observed, sweep } = input
  const [held, wanted] = [before === undefined ? [] : rulesOf(before), rulesOf(after)]
  const [had, texts] = [held, wanted].map(rules => new Set(rules.map(({ rule }) => rule))) as [Set<string>, Set<string>]
  const add = wanted.filter(({ rule }) => !had.has(rule) && !stands(observed, 'nat', chain, rule))
  const remove = held.filter(
    // A chain that is not swept is still led to.
    ({ owner, rule }) => !texts.has(rule) && (sweep || owner !== undefined) && stands(observed, 'nat', chain, rule),
  )
  if (add.length + remove.length === 0) return undefined
  const change = { table: 'nat' as const, chain, create: !observed.nat.dispatch.has(chain), add, remove }
  const isShorter = remove.length > 0 && wanted.length + 1 < add.length + remove.length
  return { ...change, tail: undefined, rewrite: isShorter ? rewritten(change, wanted, input) : undefined }
}

/** All that is to stand in the chain, rules that were not swept included: they may belong to what could not be read. */
function rewritten(
  change: { readonly table: Table; readonly chain: string; readonly remove: readonly OwnedRule[] },
  wanted: readonly OwnedRule[],
  { observed, desired }: Pick<Input, 'observed' | 'desired'>,
): readonly OwnedRule[] {
  const { table, chain, remove } = change
  const fixed = desired.base.dispatch.find(({ table: of, name }) => of === table && name === chain)
  const tail = (fixed?.rules ?? []).map(unowned)
  const accounted = new Set([...wanted, ...remove, ...tail].map(({ rule }) => rule))
  const held = observedTable(observed, table).dispatch.get(chain)?.rules ?? []
  return [...wanted, ...[...held].filter(rule => !accounted.has(rule)).map(unowned), ...tail]
}

function someOf<T>(value: T | undefined): readonly T[] {
  return value === undefined ? [] : [value]
}

function stands(observed: Observed, table: Table, chain: string, rule: string): boolean {
  return observedTable(observed, table).dispatch.get(chain)?.rules.has(rule) ?? false
}

function unowned(rule: string): OwnedRule {
  return { owner: undefined, rule }
}
