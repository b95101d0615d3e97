// The tree that dispatch rules are divided into: its shape follows from the rules alone, whatever came and went, and two trees are told apart
// at the price of what differs.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { ServiceKey } from '../../../src/model/objects.ts'
import {
  type Branch,
  buildTree,
  chainChanges,
  type DispatchEntry,
  entriesOf,
  nodesOf,
  rulesOf,
  type Shape,
  type TreeNode,
  withEntry,
  withoutEntry,
} from '../../../src/modes/rules/dispatch-tree.ts'

const shallow: Shape = { leafSize: 4, mostLevels: 3, describe: prefix => ({ chain: `chain ${prefix}`, jump: `to ${prefix}` }) }
const entry = (key: string, number = 0): DispatchEntry => ({ key, rule: `${key} ${number}`, owner: 'default/web' as ServiceKey })
const build = (entries: readonly DispatchEntry[]): Branch => buildTree('root', entries, shallow)
/** By chain, in no order: as the kernel would hold it. */
const chainsOf = (tree: TreeNode): Record<string, readonly string[]> =>
  Object.fromEntries(
    [...nodesOf(tree)].map(node => [
      node.chain,
      rulesOf(node)
        .map(({ rule }) => rule)
        .toSorted(),
    ]),
  )

/** Few symbols and short keys, so that keys meet, are equal and fill leaves. */
const someEntries = fc
  .uniqueArray(fc.tuple(fc.stringMatching(/^[abc]{5}$/), fc.nat(6)), {
    selector: ([key, number]) => `${key} ${number}`,
    maxLength: 60,
  })
  .map(pairs => pairs.map(([key, number]) => entry(key, number)))

describe('a tree of rules', () => {
  it('divides what is more than a leaf holds, from the longest prefix that all have', () => {
    const tree = build(['abca', 'abcb', 'abcc', 'abcd', 'abde', 'b'.padEnd(4, 'x')].map(key => entry(key)))
    assert.deepEqual(chainsOf(tree), {
      root: ['to ab', 'to b'],
      'chain ab': ['to abc', 'to abd'],
      'chain abc': ['abca 0', 'abcb 0', 'abcc 0', 'abcd 0'],
      'chain abd': ['abde 0'],
      'chain b': ['bxxx 0'],
    })
  })

  it('ends at a depth', () => {
    const entries = Array.from({ length: 3 ** 5 }, (_, number) => entry(number.toString(3).padStart(5, '0')))
    const tree = build(entries)
    assert.equal(tree.height, 3)
    assert.equal(leafOf(tree, '01201').length, 9)
  })

  it('leaves together what has one key, however much it is', () => {
    const tree = build([1, 2, 3, 4, 5, 6].map(number => entry('abcd', number)))
    assert.deepEqual(Object.keys(chainsOf(tree)), ['root', 'chain a'])
  })

  it('is the same however it came about, and leads to every rule by its key', () => {
    fc.assert(
      fc.property(someEntries, someEntries, (stay, go) => {
        const kept = stay.filter(({ rule }) => !go.some(other => other.rule === rule))
        const mixed = go.flatMap((one, index) => [one, ...kept.slice(index, index + 1)]).concat(kept.slice(go.length))
        const grown = mixed.reduce((tree, one) => withEntry(tree, one, shallow), build([]))
        const shrunk = go.reduce((tree, one) => withoutEntry(tree, one, shallow), grown)
        assert.deepEqual(chainsOf(shrunk), chainsOf(build(kept)))
        assert.equal(shrunk.size, kept.length)
        assert.deepEqual([...entriesOf(shrunk)].map(({ rule }) => rule).toSorted(), kept.map(({ rule }) => rule).toSorted())
        for (const one of kept) assert.ok(leafOf(shrunk, one.key).includes(one.rule))
      }),
    )
  })

  it('keeps the order of rules with one key, in whatever chain they come to be', () => {
    fc.assert(
      fc.property(someEntries, someEntries, (few, more) => {
        const pair = [entry('abcab', 100), entry('abcab', 101)]
        const others = [...new Map([...few, ...more].map(one => [one.rule, one])).values()]
        const grown = [...pair, ...others].reduce((tree, one) => withEntry(tree, one, shallow), build([]))
        const shrunk = others.slice(3).reduce((tree, one) => withoutEntry(tree, one, shallow), grown)
        for (const tree of [grown, shrunk]) {
          const rules = leafOf(tree, 'abcab')
          assert.ok(rules.indexOf('abcab 100') < rules.indexOf('abcab 101'))
        }
      }),
    )
  })
})

function leafOf(tree: Branch, key: string): readonly string[] {
  let node: TreeNode | undefined = tree
  while (node !== undefined && 'children' in node) {
    assert.ok(key.startsWith(node.prefix))
    node = node.children.get(key.charAt(node.prefix.length))
  }
  return node === undefined ? [] : node.entries.map(({ rule }) => rule)
}

describe('the difference of two trees', () => {
  it('is each chain that comes, goes or has other rules, and no other', () => {
    fc.assert(
      fc.property(someEntries, someEntries, fc.boolean(), (one, other, related) => {
        const before = build(one)
        const known = new Set(one.map(({ rule }) => rule))
        const fresh = other.filter(({ rule }) => !known.has(rule))
        // Both ways to another tree: changed from the first, so that nodes are shared, or built beside it.
        const after = related ? fresh.reduce((tree, each) => withEntry(tree, each, shallow), before) : build(other)
        const [had, has] = [chainsOf(before), chainsOf(after)]
        const seen = new Set<string>()
        for (const { chain, before: left, after: right } of chainChanges(before, after)) {
          assert.ok(!seen.has(chain), `${chain} twice`)
          seen.add(chain)
          assert.deepEqual(
            left === undefined
              ? undefined
              : rulesOf(left)
                  .map(({ rule }) => rule)
                  .toSorted(),
            had[chain],
          )
          assert.deepEqual(
            right === undefined
              ? undefined
              : rulesOf(right)
                  .map(({ rule }) => rule)
                  .toSorted(),
            has[chain],
          )
        }
        for (const chain of new Set([...Object.keys(had), ...Object.keys(has)])) {
          if (!seen.has(chain)) assert.deepEqual(has[chain], had[chain], chain)
        }
      }),
    )
  })

  it('looks at the way to what changed, however large the trees are', () => {
    const shape: Shape = { ...shallow, mostLevels: 8 }
    for (const size of [1000, 10_000, 100_000]) {
      const keys = Array.from({ length: size }, (_, index) => ((index * 2_654_435_761) % 2 ** 32).toString(16).padStart(8, '0'))
      const before = buildTree(
        'root',
        keys.map(key => entry(key)),
        shape,
      )
      const after = withEntry(before, entry('7777abcd', 1), shape)
      assert.ok([...chainChanges(before, after)].length <= 20)
      const shared = new Set(nodesOf(before))
      const made = [...nodesOf(after)].filter(node => !shared.has(node))
      assert.ok(made.length <= 20, `${made.length} nodes made anew`)
    }
  })
})
