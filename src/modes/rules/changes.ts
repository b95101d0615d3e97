// Difference → what people read of a plan: chains and rules that come and go, each with its Service and the text of its rules.
import { parseSave, type Table, tableSection, tables } from '../../kernel/iptables.ts'
import type { ServiceKey } from '../../model/objects.ts'
import type { KernelChange } from '../mode.ts'
import type { Difference } from './diff.ts'
import type { DispatchDifference } from './dispatch-diff.ts'
import { chainName } from './places.ts'
import type { Desired, LeafChain, SharedRule } from './state.ts'

/** @param context.save the output of iptables-save that the difference was found in. */
export function ruleChanges(
  difference: Difference,
  context: { readonly desired: Desired; readonly save: string },
): readonly KernelChange[] {
  const held = heldChains(context.save)
  const { createShared, shared, unwanted, fixed, dispatch, leaves, deletions } = difference
  return [
    ...createShared.map(({ table, name }) => wholeChain({ table, chain: name, was: undefined, will: () => [] })),
    ...sharedChanges('added', shared),
    ...sharedChanges('removed', unwanted),
    ...fixed.map(({ table, name, rules }) => wholeChain({ table, chain: name, was: held(table, name), will: () => rules })),
    ...dispatch.flatMap(each => dispatchChanges(each, held(each.table, each.chain))),
    ...[...leaves].flatMap(([service, chains]) => leafChanges({ service, chains, desired: context.desired, held })),
    ...deletions.map(({ table, chain, owner }): KernelChange => {
      const was = held(table, chain) ?? []
      return {
        kind: 'removed',
        what: chainName(table, chain),
        service: owner ?? namedOwner(was),
        lines: () => ({ was, will: [] }),
      }
    }),
  ]
}

type Held = (table: Table, chain: string) => readonly string[] | undefined

/** Read when the first chain is asked for. */
function heldChains(save: string): Held {
  let chains: ReadonlyMap<string, readonly string[]> | undefined
  return (table, chain) => {
    chains ??= new Map(
      tables.flatMap(of => parseSave(tableSection(save, of)).map(({ name, rules }) => [`${of} ${name}`, rules] as const)),
    )
    return chains.get(`${table} ${chain}`)
  }
}

function wholeChain(chain: {
  readonly table: Table
  readonly chain: string
  readonly was: readonly string[] | undefined
  readonly will: () => readonly string[]
  readonly service?: ServiceKey
}): KernelChange {
  const { was } = chain
  return {
    kind: was === undefined ? 'added' : 'changed',
    what: chainName(chain.table, chain.chain),
    service: chain.service,
    lines: () => ({ was: was ?? [], will: chain.will() }),
  }
}

interface LeafChange {
  readonly service: ServiceKey
  readonly chains: ReadonlySet<string>
  readonly desired: Desired
  readonly held: Held
}

/** The text is rendered once for all chains of a Service, and only where somebody reads it. */
function leafChanges({ service, chains, desired, held }: LeafChange): readonly KernelChange[] {
  const rendered = desired.services.get(service)
  let texts: readonly LeafChain[] | undefined
  const will = (chain: string) => (): readonly string[] => {
    texts ??= rendered?.text?.() ?? []
    return texts.find(({ name }) => name === chain)?.rules ?? []
  }
  return [...chains].map(chain => wholeChain({ table: 'nat', chain, was: held('nat', chain), will: will(chain), service }))
}

function sharedChanges(kind: 'added' | 'removed', rules: readonly SharedRule[]): readonly KernelChange[] {
  return [...Map.groupBy(rules, ({ table, chain }) => chainName(table, chain))].map(([chain, ofChain]) =>
    ruleChange(kind, chain, undefined, { [kind === 'added' ? 'will' : 'was']: ofChain.map(({ rule }) => rule) }),
  )
}

function ruleChange(
  kind: KernelChange['kind'],
  chain: string,
  service: ServiceKey | undefined,
  { was = [], will = [] }: { readonly was?: readonly string[]; readonly will?: readonly string[] },
): KernelChange {
  return { kind, what: `rules in ${chain}`, service, lines: () => ({ was, will }) }
}

function dispatchChanges({ table, chain, create, add, remove, tail, rewrite }: DispatchDifference, held: readonly string[] = []) {
  const name = chainName(table, chain)
  const changes: KernelChange[] = create ? [wholeChain({ table, chain, was: undefined, will: () => [] })] : []
  const owners = new Map<ServiceKey | undefined, { was: string[]; will: string[] }>()
  const of = (owner: ServiceKey | undefined): { was: string[]; will: string[] } => {
    const lines = owners.get(owner) ?? { was: [], will: [] }
    owners.set(owner, lines)
    return lines
  }
  for (const { owner, rule } of add) of(owner).will.push(rule)
  for (const { owner, rule } of remove) of(owner ?? namedOwner([rule])).was.push(rule)
  if (tail !== undefined) of(undefined).was.push(...tail.before)
  if (tail !== undefined) of(undefined).will.push(...tail.after)
  for (const [owner, { was, will }] of owners) {
    const kind = was.length === 0 ? 'added' : will.length === 0 ? 'removed' : 'changed'
    changes.push(ruleChange(kind, name, owner, { was, will }))
  }
  // Written anew for its order alone.
  if (rewrite !== undefined && changes.length === 0)
    changes.push(ruleChange('changed', name, undefined, { was: held, will: rewrite.map(({ rule }) => rule) }))
  return changes
}

/** Whose rules these are by what their comments begin with: `default/web:http cluster IP`. */
function namedOwner(rules: readonly string[]): ServiceKey | undefined {
  for (const rule of rules) {
    const [, name] =
      / --comment "?(?:masquerade traffic for |other traffic to )?([a-z0-9.-]+\/[a-z0-9.-]+)[: "]/.exec(` ${rule} `) ?? []
    if (name !== undefined) return name as ServiceKey
  }
  return undefined
}
