// A long list of endpoints is divided into groups: every endpoint keeps the same chance, and a change writes little.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { decide } from '../../../src/model/traffic-policy.ts'
import { leafChains, ruleContext } from '../../../src/modes/iptables/service-chains.ts'
import { endpoint, node, put, service, settings, slice } from '../../support/cluster.ts'
import { createHarness, linesOf } from '../../sync/support/harness.ts'

const podsOf = (count: number, from = 0) =>
  Array.from({ length: count }, (_, pod) => endpoint(`10.244.${(from + pod) >> 8}.${(from + pod) & 255}`))

type Chains = ReadonlyMap<string, readonly string[]>

function chainsOf(
  pods: readonly ReturnType<typeof endpoint>[],
  options: { affinity?: number; dispatch?: 'auto' | 'linear'; comments?: boolean } = {},
): Chains {
  const { affinity, dispatch = 'auto', comments = false } = options
  const decisions = decide({
    service: service({ affinityTimeoutSeconds: affinity }),
    slices: [slice({ endpoints: [...pods] })],
    family: 'IPv4',
    node,
  })
  const context = {
    ...ruleContext({ ...settings, dispatch, detectLocal: { mode: 'ClusterCIDR', cidrs: [] } }, node, 'IPv4'),
    comments,
  }
  return new Map(decisions.flatMap(decision => leafChains(decision, context)).map(({ name, rules }) => [name, rules]))
}

const policyChain = (chains: Chains): string => [...chains.keys()].find(name => /^KUBE-SVC-[A-Z2-7]{16}$/.test(name)) ?? ''
const groupsIn = (chains: Chains): readonly string[] =>
  [...chains.keys()].filter(name => /^KUBE-SVC-[A-Z2-7]{16}-\d\d$/.test(name))

interface Share {
  /** Of what comes to the chain, by the kernel's own numbers: exact, in parts of 2^31 to the power of the rules passed, as a Number at the end. */
  readonly share: number
  readonly rulesPassed: number
}

/** What each endpoint's chain gets of new clients, and how many rules a connection to it meets. */
function sharesOf(
  chains: Chains,
  chain: string,
  share = 1,
  passed = 0,
  into = new Map<string, Share>(),
): ReadonlyMap<string, Share> {
  let left = share
  for (const [index, rule] of (chains.get(chain) ?? []).entries()) {
    const rulesPassed = passed + index + 1
    if (rule.includes('-m recent')) continue
    const target = / ?-j (\S+)$/.exec(rule)?.[1] ?? ''
    const kept = Math.round(Number(/--probability (\S+)/.exec(rule)?.[1] ?? '1') * 2 ** 31) / 2 ** 31
    const taken = left * kept
    left -= taken
    if (!target.startsWith('KUBE-SEP-')) sharesOf(chains, target, taken, rulesPassed, into)
    else {
      assert.ok(!into.has(target), `${target} twice`)
      into.set(target, { share: taken, rulesPassed })
    }
  }
  return into
}

describe('a list of endpoints', () => {
  const rows: readonly (readonly [endpoints: number, groups: number, mostRules: number])[] = [
    [1, 0, 1],
    [64, 0, 64],
    [65, 8, 24],
    [128, 8, 36],
    [129, 16, 32],
    [250, 16, 45],
    [512, 16, 64],
    [513, 32, 64],
    [1000, 32, 80],
    [5000, 32, 240],
  ]
  for (const [count, groups, mostRules] of rows) {
    it(`of ${count} is ${groups === 0 ? 'one chain' : `divided into ${groups}`}, each endpoint with the same chance`, () => {
      const chains = chainsOf(podsOf(count))
      assert.equal(groupsIn(chains).length, groups)
      const shares = sharesOf(chains, policyChain(chains))
      assert.equal(shares.size, count)
      for (const [chain, { share }] of shares)
        assert.ok(Math.abs(share * count - 1) < 1e-4, `${chain} has ${share * count} times its share`)
      const most = Math.max(...[...shares.values()].map(({ rulesPassed }) => rulesPassed))
      assert.ok(most <= mostRules, `a connection may meet ${most} rules`)
      for (const name of chains.keys()) assert.ok(name.length <= 28, name)
    })
  }

  it('changes one group and the list of groups where an endpoint comes, goes or is replaced', () => {
    for (const [before, after] of [
      [podsOf(250), podsOf(251)],
      [podsOf(250), podsOf(249)],
      [podsOf(250), [...podsOf(249), endpoint('10.245.0.1')]],
    ] as const) {
      const [one, other] = [chainsOf(before), chainsOf(after)]
      const changed = [...other]
        .filter(([name, rules]) => one.has(name) && one.get(name)?.join() !== rules.join())
        .map(([name]) => name)
      assert.ok(changed.length <= 3, changed.join())
      assert.ok(changed.every(name => name.startsWith(policyChain(one))))
    }
  })

  it('is asked for a known client first, undivided: whoever came before goes where he was', () => {
    const chains = chainsOf(podsOf(100), { affinity: 60 })
    const rules = chains.get(policyChain(chains)) ?? []
    assert.equal(rules.slice(0, 100).filter(rule => /-m recent --rcheck .*-j KUBE-SEP-/.test(rule)).length, 100)
    assert.equal(rules.length, 100 + groupsIn(chains).length)
    for (const group of groupsIn(chains)) assert.ok(chains.get(group)?.every(rule => !rule.includes('recent')))
    assert.equal(sharesOf(chains, policyChain(chains)).size, 100)
  })

  it('stays one where the setting is linear', () => {
    const chains = chainsOf(podsOf(250), { dispatch: 'linear' })
    assert.deepEqual(groupsIn(chains), [])
    assert.equal(chains.get(policyChain(chains))?.length, 250)
  })

  it('says in comments what a group holds', () => {
    const chains = chainsOf(podsOf(100), { comments: true })
    const sizes = (chains.get(policyChain(chains)) ?? []).map(rule => Number(/ -> (\d+) of 100 endpoints"/.exec(rule)?.[1]))
    assert.equal(
      sizes.reduce((sum, size) => sum + size, 0),
      100,
    )
  })
})

describe('growing and shrinking', () => {
  for (const backend of ['nft', 'legacy'] as const) {
    it(`is one block each, leaves nothing behind, and a restart writes nothing (${backend})`, async () => {
      const harness = createHarness({ backend })
      const groups = () => harness.kernel.chains('nat').filter(chain => /-\d\d$/.test(chain))
      const change = async (count: number): Promise<number> => {
        const lines = await harness.programmed(put(slice({ endpoints: podsOf(count) })))
        return linesOf(lines.join('\n')).filter(line => line === '*nat').length
      }
      await harness.programmed(put(service()), put(slice({ endpoints: podsOf(64) })))
      assert.deepEqual(groups(), [])
      assert.equal(await change(65), 1)
      assert.equal(groups().length, 8)
      const restarted = harness.restarted()
      restarted.sync.markDirty('everything')
      assert.equal((await restarted.pass()).lines, 0)
      assert.equal(await change(64), 1)
      assert.deepEqual(groups(), [])
    })
  }
})
