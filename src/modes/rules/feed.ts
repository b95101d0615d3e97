// Difference → the text for iptables-restore, in the order in which no packet ever finds a hole, and in the blocks that the tools
// take fastest. The numbers are measured (docs/architecture.md).
//
// Order of a pass: filter additions, nat, filter removals. The other way round a packet to a Service that just lost its
// last endpoint would slip out un-NATed. Inside nat: leaves first, dispatch last, deletion of chains at the very end.
import { type IptablesTools, restoreArgv, type Table } from '../../kernel/iptables.ts'
import type { Chunk, Plan, Step } from '../../kernel/plan.ts'
import type { ServiceKey } from '../../model/objects.ts'
import type { Difference } from './diff.ts'
import type { DispatchDifference } from './dispatch-diff.ts'
import type { OwnedRule } from './dispatch-tree.ts'
import type { Desired, Observed } from './state.ts'

/** Chains. A small pass is one block: each block waits for the kernel's grace period, 10 ms or more, and the next change waits as long. */
const mostDeletionsInOneBlock = 100

/** Each block costs the kernel a look at every chain of the table and a grace period: at 250,000 chains blocks of 600 are a fifth faster than those of 100. */
const mostColdBlocks = 400

export interface FeedInput {
  readonly difference: Difference
  readonly desired: Desired
  readonly observed: Observed
  readonly tools: IptablesTools
}

export function feed(input: FeedInput): Plan {
  const { difference, tools } = input
  const isEmpty = isNothing(difference)
  const step: Step = {
    why: why(difference),
    argv: restoreArgv(tools),
    input: { [Symbol.iterator]: () => chunks(input) },
    idleInput: ['*nat', 'COMMIT'],
  }
  const written = difference.fixed.length + chainCount(difference.leaves) + difference.dispatch.length
  return { steps: isEmpty ? [] : [step], written, removed: difference.deletions.length, kept: difference.kept }
}

/** Block by block, each rendered when it is asked for. */
function* chunks(input: FeedInput): Generator<Chunk, undefined> {
  for (const block of filterAdditions(input.difference)) yield* block
  for (const block of natBlocks(input)) yield* block
  for (const block of filterRemovals(input.difference)) yield* block
}

function isNothing(difference: Difference): boolean {
  const { fixed, leaves, dispatch, createShared, shared, unwanted, deletions } = difference
  return [fixed, dispatch, createShared, shared, unwanted, deletions].every(({ length }) => length === 0) && leaves.size === 0
}

function why({ fixed, leaves, dispatch, shared, deletions }: Difference): string {
  const chains = fixed.length + chainCount(leaves)
  const added = dispatch.reduce((sum, { add }) => sum + add.length, 0)
  const removed = dispatch.reduce((sum, { remove }) => sum + remove.length, 0)
  return (
    `write ${chains} chains of ${leaves.size} Services, add ${added} and remove ${removed} dispatch rules, ` +
    `add ${shared.length} rules to shared chains, delete ${deletions.length} chains`
  )
}

// --- filter ---

function filterAdditions(difference: Difference): Chunk[][] {
  return block('filter', [
    // Others fill it, and a declaration would empty it where they made it since it was read; this fails there, and it is read again.
    ...difference.createShared
      .filter(({ table }) => table === 'filter')
      .map(({ name }) => ({ owner: undefined, lines: [`-N ${name}`] })),
    ...difference.fixed.filter(({ table }) => table === 'filter').map(chain => chainChunk(undefined, chain.name, chain.rules)),
    ...ofTable(difference.dispatch, 'filter').flatMap(change => [
      ...(change.create ? declare([change.chain]) : []),
      ...change.add.map(({ owner, rule }) => ({ owner, lines: [`-A ${change.chain} ${rule}`] })),
    ]),
    ...sharedRules(difference, 'filter'),
  ])
}

function filterRemovals(difference: Difference): Chunk[][] {
  return block('filter', [
    ...ofTable(difference.dispatch, 'filter').flatMap(change =>
      change.rewrite === undefined ? removals(change) : rewritten(change.chain, change.rewrite),
    ),
    ...unwantedRules(difference, 'filter'),
    ...deletionsOf(difference, 'filter'),
  ])
}

// --- nat ---

function* natBlocks(input: FeedInput): Generator<Chunk[], undefined> {
  const { difference, desired, tools } = input
  const changes = ofTable(difference.dispatch, 'nat')
  const fixed = [
    ...declare(changes.filter(({ create }) => create).map(({ chain }) => chain)),
    ...difference.fixed.filter(({ table }) => table === 'nat').map(chain => chainChunk(undefined, chain.name, chain.rules)),
  ]
  const shared = sharedRules(difference, 'nat')
  const deletions = [...unwantedRules(difference, 'nat'), ...deletionsOf(difference, 'nat')]
  const size = blockSize(input)
  const groups = groupBySize(difference.leaves, size)
  if (tools.backend === 'legacy' || groups.length <= 1) {
    const leaves = groups.flatMap(group => leafChunks(group, desired))
    const all = [...fixed, ...leaves, ...changes.flatMap(dispatchChunks), ...shared]
    const together = tools.backend === 'legacy' || difference.deletions.length <= mostDeletionsInOneBlock
    yield* block('nat', together ? [...all, ...deletions] : all)
    if (together) return
  } else {
    const { early, late } = divide(input, changes)
    const leaves = leafChunks(early.leaves, desired)
    yield* block('nat', [...fixed, ...leaves, ...early.dispatch.flatMap(dispatchChunks), ...(early.hooks ? shared : [])])
    const ordered = inOrderOfDispatch(late.leaves, late.dispatch)
    for (const group of groupBySize(ordered, size)) yield* block('nat', leafChunks(group, desired))
    yield* block('nat', [...late.dispatch.flatMap(dispatchChunks), ...(early.hooks ? [] : shared)])
  }
  // Many are a block of their own: a foreign rule that came to jump to one of them meanwhile fails that block, and nothing that clients wait for.
  yield* block('nat', deletions)
}

interface Part {
  readonly leaves: Difference['leaves']
  readonly dispatch: readonly DispatchDifference[]
}

/**
 * Where it takes several blocks, Services that others depend on come in the first; where nothing is there yet that this could disturb, with all
 * that leads to them, so that they work while the others follow. What is led to costs each block its check, and that is little then.
 */
function divide(
  { difference, desired }: FeedInput,
  changes: readonly DispatchDifference[],
): { readonly early: Part & { readonly hooks: boolean }; readonly late: Part } {
  const comesFirst = (owner: ServiceKey | undefined): boolean =>
    owner === undefined || desired.services.get(owner)?.comesFirst === true
  const leaves = (isEarly: boolean): Difference['leaves'] =>
    new Map([...difference.leaves].filter(([owner]) => comesFirst(owner) === isEarly))
  const isCold = changes.every(
    ({ remove, rewrite, tail }) => rewrite === undefined && remove.length === 0 && (tail?.before.length ?? 0) === 0,
  )
  const early = changes.map(change => ({ ...change, add: change.add.filter(({ owner }) => comesFirst(owner)) }))
  const late = changes.map(change => ({ ...change, add: change.add.filter(({ owner }) => !comesFirst(owner)), tail: undefined }))
  return {
    early: { leaves: leaves(true), dispatch: isCold ? early : [], hooks: isCold },
    late: { leaves: leaves(false), dispatch: isCold ? late : changes },
  }
}

/**
 * The kernel's check of all that is reachable goes from rule to rule as packets may. Where chains were made in that order they are neighbours in
 * memory, and each later change costs a third less (10,000 Services: 56 in place of 92 ms).
 */
function inOrderOfDispatch(leaves: Part['leaves'], dispatch: Part['dispatch']): Part['leaves'] {
  const ordered = new Map<ServiceKey, ReadonlySet<string>>()
  const owners = dispatch.flatMap(({ add }) => add.map(({ owner }) => owner))
  for (const owner of [...owners, ...leaves.keys()]) {
    const chains = owner === undefined ? undefined : leaves.get(owner)
    if (owner !== undefined && chains !== undefined) ordered.set(owner, chains)
  }
  return ordered
}

/**
 * nf_tables: a block costs the tool the square of its chains, and, once KUBE-SERVICES is hooked, the kernel a check of all that
 * can be reached. So blocks are small while little is reachable, and large when much is. Legacy moves the whole table to and fro for
 * every block: always one.
 */
function blockSize({ difference, desired, tools, observed }: FeedInput): number {
  if (tools.backend === 'legacy') return Number.POSITIVE_INFINITY
  // Hooks come early in a cold start: where one was cut short, most is led to by no rule yet.
  const changes = ofTable(difference.dispatch, 'nat')
  const onlyAdds = changes.every(({ remove, rewrite }) => remove.length === 0 && rewrite === undefined)
  const unled = new Set(changes.flatMap(({ add }) => add.map(({ owner }) => owner)))
  const cold = Math.max(100, chainCount(difference.leaves) / mostColdBlocks)
  if (onlyAdds && unled.size > desired.services.size / 2) return cold
  const hooked = [...(observed.nat.shared.get('PREROUTING') ?? [])].some(rule => rule.endsWith('-j KUBE-SERVICES'))
  return hooked && observed.nat.leaves.size > 2000 ? 2000 : cold
}

/** Whole Services, up to `size` chains a group; what is few altogether is one group, so that it is programmed in one stroke. */
function groupBySize(leaves: Difference['leaves'], size: number): ReadonlyMap<ServiceKey, ReadonlySet<string>>[] {
  const limit = chainCount(leaves) <= 2 * size ? Number.POSITIVE_INFINITY : size
  const groups: Map<ServiceKey, ReadonlySet<string>>[] = []
  let group = new Map<ServiceKey, ReadonlySet<string>>()
  let count = 0
  for (const [owner, chains] of leaves) {
    if (count > 0 && count + chains.size > limit) {
      groups.push(group)
      group = new Map()
      count = 0
    }
    group.set(owner, chains)
    count += chains.size
  }
  if (group.size > 0) groups.push(group)
  return groups
}

function chainCount(leaves: Difference['leaves']): number {
  return [...leaves.values()].reduce((sum, chains) => sum + chains.size, 0)
}

/** All declarations before all rules: a rule may jump to a chain that is declared in the same block. Declaring empties the chain. */
function leafChunks(group: ReadonlyMap<ServiceKey, ReadonlySet<string>>, desired: Desired): Chunk[] {
  const declarations: Chunk[] = []
  const rules: Chunk[] = []
  for (const [owner, chains] of group) {
    const texts =
      desired.services
        .get(owner)
        ?.text?.()
        .filter(({ name }) => chains.has(name)) ?? []
    declarations.push({ owner, lines: texts.map(({ name }) => `:${name} - [0:0]`) })
    rules.push({ owner, lines: texts.flatMap(({ name, rules }) => rules.map(rule => `-A ${name} ${rule}`)) })
  }
  return [...declarations, ...rules]
}

function dispatchChunks(change: DispatchDifference): Chunk[] {
  if (change.rewrite !== undefined) return rewritten(change.chain, change.rewrite)
  const { chain, add, tail } = change
  // At the top: the last rule must stay last.
  const additions = add.toReversed().map(({ owner, rule }) => ({ owner, lines: [`-I ${chain} ${rule}`] }))
  const tailLines = [
    ...(tail?.before ?? []).map(rule => `-D ${chain} ${rule}`),
    ...(tail?.after ?? []).map(rule => `-A ${chain} ${rule}`),
  ]
  return [...additions, ...removals(change), ...(tailLines.length > 0 ? [{ owner: undefined, lines: tailLines }] : [])]
}

// --- common ---

function rewritten(chain: string, rules: readonly OwnedRule[]): Chunk[] {
  return [...declare([chain]), ...rules.map(({ owner, rule }) => ({ owner, lines: [`-A ${chain} ${rule}`] }))]
}

function removals({ chain, remove }: DispatchDifference): Chunk[] {
  return remove.map(({ owner, rule }) => ({ owner, lines: [`-D ${chain} ${rule}`] }))
}

/** Inserted at the top, so the last of the list first. */
function sharedRules({ shared }: Difference, table: Table): Chunk[] {
  const lines = shared.filter(rule => rule.table === table).map(({ chain, rule }) => `-I ${chain} ${rule}`)
  return lines.length === 0 ? [] : [{ owner: undefined, lines: lines.reverse() }]
}

function unwantedRules({ unwanted }: Difference, table: Table): Chunk[] {
  const lines = unwanted.filter(rule => rule.table === table).map(({ chain, rule }) => `-D ${chain} ${rule}`)
  return lines.length === 0 ? [] : [{ owner: undefined, lines }]
}

function chainChunk(owner: ServiceKey | undefined, name: string, rules: readonly string[]): Chunk {
  return { owner, lines: [`:${name} - [0:0]`, ...rules.map(rule => `-A ${name} ${rule}`)] }
}

function declare(chains: readonly string[]): Chunk[] {
  return chains.length === 0 ? [] : [{ owner: undefined, lines: chains.map(name => `:${name} - [0:0]`) }]
}

function deletionsOf({ deletions }: Difference, table: Table): Chunk[] {
  const ours = deletions.filter(deletion => deletion.table === table)
  // All are emptied before the first is deleted: a chain that another one still jumps to cannot go.
  return [
    ...ours.map(({ owner, chain }) => ({ owner, lines: [`:${chain} - [0:0]`] })),
    ...ours.map(({ owner, chain }) => ({ owner, lines: [`-X ${chain}`] })),
  ]
}

function ofTable(changes: readonly DispatchDifference[], table: Table): readonly DispatchDifference[] {
  return changes.filter(change => change.table === table)
}

function block(table: Table, chunks: readonly Chunk[]): Chunk[][] {
  if (chunks.every(({ lines }) => lines.length === 0)) return []
  return [[{ owner: undefined, lines: [`*${table}`] }, ...chunks, { owner: undefined, lines: ['COMMIT'] }]]
}
