// What the kernel holds otherwise than we want, in words; and which of it is only the tool's own wording.
import type { Table } from '../../kernel/iptables.ts'
import type { Aliases, Drift, Extent } from '../mode.ts'
import { baseDifference, type Difference, difference } from './diff.ts'
import { aliasKey } from './parse.ts'
import { allRulesOf, chainName, orderOf, ruleName } from './places.ts'
import { type Desired, type Digest, digestOf, type Observed, observedTable, ruleCountOf } from './state.ts'
import { treeChains, WantedDispatch } from './wanted.ts'

export function driftOf(desired: Desired, observed: Observed, extent: Extent): readonly Drift[] {
  const change = { desired, observed, touched: 'everything', sweep: true } as const
  const found: Difference =
    extent === 'everything' ? difference(change) : { ...baseDifference(change), leaves: new Map(), deletions: [], kept: [] }
  return [
    ...found.createShared.map(
      ({ table, name }): Drift => ({ what: chainName(table, name), kind: 'missing', service: undefined }),
    ),
    ...found.shared.map(
      ({ table, chain, rule }): Drift => ({ what: ruleName(table, chain, rule), kind: 'missing', service: undefined }),
    ),
    ...found.unwanted.map(
      ({ table, chain, rule }): Drift => ({ what: ruleName(table, chain, rule), kind: 'unexpected', service: undefined }),
    ),
    ...found.fixed.map(({ table, name }): Drift => leafDrift(observed, table, name, undefined)),
    ...found.dispatch.flatMap(change => dispatchDrift(observed, change)),
    ...[...found.leaves].flatMap(([service, chains]) => [...chains].map(chain => leafDrift(observed, 'nat', chain, service))),
    ...found.deletions.map(
      ({ table, chain }): Drift => ({ what: chainName(table, chain), kind: 'unexpected', service: undefined }),
    ),
  ]
}

function leafDrift(observed: Observed, table: Table, chain: string, service: Drift['service']): Drift {
  const digest = observedTable(observed, table).leaves.get(chain)?.digest
  if (digest === undefined) return { what: chainName(table, chain), kind: 'missing', service }
  if (ruleCountOf(digest) === 0) return { what: allRulesOf(table, chain), kind: 'missing', service }
  return { what: chainName(table, chain), kind: 'changed', service }
}

function dispatchDrift(observed: Observed, difference: Difference['dispatch'][number]): readonly Drift[] {
  const { table, chain, create, add, remove, tail, rewrite } = difference
  if (create) return [{ what: chainName(table, chain), kind: 'missing', service: undefined }]
  const isFlushed = observedTable(observed, table).dispatch.get(chain)?.rules.size === 0
  if (isFlushed) return [{ what: allRulesOf(table, chain), kind: 'missing', service: undefined }]
  const rules = [
    ...add.map(({ owner, rule }): Drift => ({ what: ruleName(table, chain, rule), kind: 'missing', service: owner })),
    ...remove.map(({ rule }): Drift => ({ what: ruleName(table, chain, rule), kind: 'unexpected', service: undefined })),
  ]
  const isMisplaced = tail !== undefined || rewrite !== undefined
  if (!isMisplaced || rules.length > 0) return rules
  return [{ what: orderOf(table, chain), kind: 'changed', service: undefined }]
}

/**
 * A leaf chain that reads back differently is aliased as a whole. Rules of other chains are paired by their comment and
 * target, in order: those that we miss with those that we do not know.
 */
export function learnAliases(desired: Desired, observed: Observed): Aliases {
  const aliases = new Map<string, string>()
  const alias = (table: Table, chain: string, kernel: string, ours: string): void => {
    aliases.set(aliasKey(table, chain, kernel), ours)
  }
  const leaf = (table: Table, chain: string, ours: Digest): void => {
    const kernel = observedTable(observed, table).leaves.get(chain)?.digest
    // Other words never change the number of rules: what is fewer or more is somebody's work, however often it comes back.
    if (kernel === undefined || kernel === ours || ruleCountOf(kernel) !== ruleCountOf(ours)) return
    alias(table, chain, kernel, ours)
  }
  for (const { table, name, rules } of desired.base.leaves) leaf(table, name, digestOf(name, rules))
  for (const { leaves } of desired.services.values()) for (const [chain, digest] of leaves) leaf('nat', chain, digest)
  for (const [place, ours] of wantedRules(desired)) {
    const [table, chain] = place
    const kernel =
      observedTable(observed, table).dispatch.get(chain)?.rules ?? observedTable(observed, table).shared.get(chain) ?? new Set()
    const unknown = [...kernel].filter(rule => !ours.has(rule))
    for (const rule of ours) {
      if (kernel.has(rule)) continue
      const index = unknown.findIndex(candidate => likeness(candidate) === likeness(rule))
      const [same] = index === -1 ? [] : unknown.splice(index, 1)
      if (same !== undefined) alias(table, chain, same, rule)
    }
  }
  return aliases
}

/** All rules that we want in chains that are compared rule by rule. */
function wantedRules(desired: Desired): readonly (readonly [readonly [Table, string], ReadonlySet<string>])[] {
  const wanted = new WantedDispatch(desired)
  const dispatch = [...desired.base.dispatch, ...treeChains(desired.dispatch?.placement)].map(({ table, name, rules }) => {
    const ofServices = wanted.in(table, name).map(({ rule }) => rule)
    return [[table, name], new Set([...rules, ...ofServices])] as const
  })
  const shared = Map.groupBy(desired.base.shared, ({ table, chain }) => `${table} ${chain}`)
  const ofOthers = [...shared.values()].flatMap(rules =>
    rules.slice(0, 1).map(({ table, chain }) => [[table, chain], new Set(rules.map(({ rule }) => rule))] as const),
  )
  return [...dispatch, ...ofOthers]
}

function likeness(rule: string): string {
  const comment = /--comment (".*?"|\S+)/.exec(rule)?.[1] ?? ''
  const target = / -j (\S+)/.exec(` ${rule}`)?.[1] ?? ''
  return `${comment} ${target}`
}
