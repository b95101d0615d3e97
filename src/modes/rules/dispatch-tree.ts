// Many rules of one dispatch chain as a tree of chains: a packet walks a few short chains instead of one long list. Pure, and persistent: a change
// gives a new tree that shares all nodes but those on the way to it, so that two trees are compared at the price of what differs.
//
// Each rule has a key, a text of symbols (of an address: its hexadecimal digits). A node has the rules of all keys with its prefix: a leaf holds
// them, a branch has a child for each next symbol that occurs. What is few is a leaf; a branch begins at the longest prefix that its keys
// have in common; at a depth where the kernel would not follow jumps much farther it is a leaf, whatever its size. So the shape follows from the set of
// rules alone, not from how it came about: a restart finds what it would make.
import type { ServiceKey } from '../../model/objects.ts'

export interface DispatchEntry {
  readonly key: string
  readonly rule: string
  readonly owner: ServiceKey
}

interface Place {
  readonly prefix: string
  readonly chain: string
  /** The rule in the parent's chain that leads here. */
  readonly jump: string
}

export interface Leaf extends Place {
  readonly entries: readonly DispatchEntry[]
}

export interface Branch extends Place {
  /** Entries below it. */
  readonly size: number
  /** Levels below it. */
  readonly height: number
  readonly children: ReadonlyMap<string, TreeNode>
}

export type TreeNode = Leaf | Branch

export interface Shape {
  /** A node with more entries than this is a branch, if their keys differ. */
  readonly leafSize: number
  /** Below the root: a node at this depth is a leaf. */
  readonly mostLevels: number
  /** The name of a node's chain, and the rule that leads there. */
  readonly describe: (prefix: string) => Pick<Place, 'chain' | 'jump'>
}

/** A rule as its chain has it; undefined: a jump of the tree's own. */
export interface OwnedRule {
  readonly owner: ServiceKey | undefined
  readonly rule: string
}

/** The root is a branch, however few entries it has, and its chain is somebody else's to make. */
export function buildTree(chain: string, entries: readonly DispatchEntry[], shape: Shape): Branch {
  return branchOf({ prefix: '', chain, jump: '' }, childrenOf('', entries, shape, 1))
}

export function withEntry(root: Branch, entry: DispatchEntry, shape: Shape): Branch {
  return addBelow(root, entry, shape, 0)
}

/** `entry` is in the tree. */
export function withoutEntry(root: Branch, entry: DispatchEntry, shape: Shape): Branch {
  return removeBelow(root, entry, shape, 0)
}

/** Parents first. */
export function* nodesOf(node: TreeNode): Generator<TreeNode, undefined> {
  yield node
  if ('children' in node) for (const child of node.children.values()) yield* nodesOf(child)
}

export function rulesOf(node: TreeNode): readonly OwnedRule[] {
  if ('entries' in node) return node.entries
  return [...node.children.values()].map(({ jump }) => ({ owner: undefined, rule: jump }))
}

export interface ChainChange {
  readonly chain: string
  readonly before: TreeNode | undefined
  readonly after: TreeNode | undefined
}

/** The chains that have other rules, come or go. Nodes that both trees share are not looked into. */
export function* chainChanges(before: TreeNode | undefined, after: TreeNode | undefined): Generator<ChainChange, undefined> {
  if (before === after) return
  if (before === undefined || after === undefined || before.prefix === after.prefix) {
    const chain = (after ?? before)?.chain
    if (chain !== undefined) yield { chain, before, after }
    const symbols = new Set([...childMap(before).keys(), ...childMap(after).keys()])
    for (const symbol of symbols) yield* chainChanges(childMap(before).get(symbol), childMap(after).get(symbol))
  } else if (before.prefix.startsWith(after.prefix)) {
    // A node came in between: what was here may go on below it.
    yield { chain: after.chain, before: undefined, after }
    const symbol = before.prefix.charAt(after.prefix.length)
    yield* chainChanges(before, childMap(after).get(symbol))
    for (const [other, child] of childMap(after)) if (other !== symbol) yield* chainChanges(undefined, child)
  } else if (after.prefix.startsWith(before.prefix)) {
    yield { chain: before.chain, before, after: undefined }
    const symbol = after.prefix.charAt(before.prefix.length)
    yield* chainChanges(childMap(before).get(symbol), after)
    for (const [other, child] of childMap(before)) if (other !== symbol) yield* chainChanges(child, undefined)
  } else {
    yield* chainChanges(before, undefined)
    yield* chainChanges(undefined, after)
  }
}

const noChildren: ReadonlyMap<string, TreeNode> = new Map()

function childMap(node: TreeNode | undefined): ReadonlyMap<string, TreeNode> {
  return node !== undefined && 'children' in node ? node.children : noChildren
}

function branchOf({ prefix, chain, jump }: Place, children: ReadonlyMap<string, TreeNode>): Branch {
  let size = 0
  let height = 0
  for (const child of children.values()) {
    size += 'entries' in child ? child.entries.length : child.size
    height = Math.max(height, heightOf(child) + 1)
  }
  return { prefix, chain, jump, size, height, children }
}

function heightOf(node: TreeNode): number {
  return 'entries' in node ? 0 : node.height
}

/** @param depth of the children; the root has depth 0. */
function childrenOf(
  prefix: string,
  entries: readonly DispatchEntry[],
  shape: Shape,
  depth: number,
): ReadonlyMap<string, TreeNode> {
  const bySymbol = Map.groupBy(entries, ({ key }) => key.charAt(prefix.length))
  return new Map([...bySymbol].map(([symbol, ofSymbol]) => [symbol, nodeOf(prefix + symbol, ofSymbol, shape, depth)]))
}

/** @param prefix where the parent divides: a leaf stands there, a branch there or below. */
function nodeOf(prefix: string, entries: readonly DispatchEntry[], shape: Shape, depth: number): TreeNode {
  if (entries.length > shape.leafSize && depth < shape.mostLevels) {
    const common = entries.reduce((shared, { key }) => commonPrefix(shared, key), entries[0]?.key ?? '')
    if (entries.some(({ key }) => key.length > common.length))
      return branchOf({ prefix: common, ...shape.describe(common) }, childrenOf(common, entries, shape, depth + 1))
  }
  return { prefix, ...shape.describe(prefix), entries }
}

function addBelow(branch: Branch, entry: DispatchEntry, shape: Shape, depth: number): Branch {
  const symbol = entry.key.charAt(branch.prefix.length)
  const child = childWith(branch.children.get(symbol), branch.prefix + symbol, entry, shape, depth + 1)
  return branchOf(branch, new Map(branch.children).set(symbol, child))
}

function childWith(node: TreeNode | undefined, prefix: string, entry: DispatchEntry, shape: Shape, depth: number): TreeNode {
  if (node === undefined) return nodeOf(prefix, [entry], shape, depth)
  if ('entries' in node) return nodeOf(prefix, [...node.entries, entry], shape, depth)
  if (entry.key.startsWith(node.prefix)) return addBelow(node, entry, shape, depth)
  const common = commonPrefix(node.prefix, entry.key)
  const symbol = node.prefix.charAt(common.length)
  const hasRoom = depth + 1 + node.height <= shape.mostLevels
  const below = hasRoom ? node : nodeOf(common + symbol, [...entriesOf(node)], shape, depth + 1)
  return addBelow(branchOf({ prefix: common, ...shape.describe(common) }, new Map([[symbol, below]])), entry, shape, depth)
}

function removeBelow(branch: Branch, entry: DispatchEntry, shape: Shape, depth: number): Branch {
  const symbol = entry.key.charAt(branch.prefix.length)
  const child = branch.children.get(symbol)
  const left = child === undefined ? undefined : childWithout(child, branch.prefix + symbol, entry, shape, depth + 1)
  const children = new Map(branch.children)
  if (left === undefined) children.delete(symbol)
  else children.set(symbol, left)
  return branchOf(branch, children)
}

function childWithout(node: TreeNode, prefix: string, entry: DispatchEntry, shape: Shape, depth: number): TreeNode | undefined {
  if ('entries' in node) {
    const entries = node.entries.filter(({ rule }) => rule !== entry.rule)
    return entries.length === 0 ? undefined : { ...node, entries }
  }
  const branch = removeBelow(node, entry, shape, depth)
  const [only, another] = branch.children.values()
  if (branch.size <= shape.leafSize) return nodeOf(prefix, [...entriesOf(branch)], shape, depth)
  if (only === undefined || another !== undefined) return branch
  // It comes up by one, so what was a leaf for its depth alone may be divided now.
  const isCut = depth + 1 + heightOf(only) === shape.mostLevels
  return isCut || 'entries' in only ? nodeOf(prefix, [...entriesOf(only)], shape, depth) : only
}

export function* entriesOf(node: TreeNode): Generator<DispatchEntry, undefined> {
  if ('entries' in node) yield* node.entries
  else for (const child of node.children.values()) yield* entriesOf(child)
}

function commonPrefix(one: string, other: string): string {
  let length = 0
  while (length < one.length && one[length] === other[length]) length++
  return one.slice(0, length)
}
