// Dispatch as a tree of chains: how far a packet walks, what the chains are called, and when there are any.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { generator } from '../../../bench/cluster.ts'
import { targetOf } from '../../../src/kernel/iptables.ts'
import { type Address, type IpFamily, parseAddress } from '../../../src/model/address.ts'
import type { ServiceKey } from '../../../src/model/objects.ts'
import { iptablesRoles } from '../../../src/modes/iptables/base-chains.ts'
import { dispatchAfter, dispatchOf, rootOf } from '../../../src/modes/iptables/dispatch-chains.ts'
import { isTreeChain } from '../../../src/modes/rules/chains.ts'
import { nodesOf, rulesOf } from '../../../src/modes/rules/dispatch-tree.ts'
import type { DispatchRule, Rendered } from '../../../src/modes/rules/state.ts'

type Services = ReadonlyMap<ServiceKey, Rendered>
type Setting = 'auto' | 'linear' | 'bucketed'

const rendered = (dispatch: readonly DispatchRule[]): Rendered => ({
  leaves: new Map(),
  dispatch,
  leafRules: 0,
  totalEndpoints: 0,
  text: undefined,
  otherComments: undefined,
})
const rules = (chain: string, texts: readonly (readonly string[])[]): Services =>
  new Map(
    texts.map((ofService, index) => [
      `default/service-${index}` as ServiceKey,
      rendered(ofService.map(rule => ({ table: 'nat', chain, rule }))),
    ]),
  )
const toAddresses = (addresses: readonly Address[]): Services =>
  rules(
    'KUBE-SERVICES',
    addresses.map((address, index) => [
      `-d ${address}/${address.includes(':') ? 128 : 32} -p tcp -m comment --comment "default/service-${index} cluster IP" -m tcp --dport 80 -j KUBE-SVC-X`,
    ]),
  )
const toNodePorts = (count: number, protocol = 'tcp'): Services =>
  rules(
    'KUBE-NODEPORTS',
    Array.from({ length: count }, (_, index) => {
      const match = `-p ${protocol} -m comment --comment "default/service-${index}" -m ${protocol} --dport ${30_000 + index}`
      return [`-d 127.0.0.0/8 ${match} -j KUBE-EXT-X`, `${match} -j KUBE-EXT-X`]
    }),
  )

function randomAddresses(count: number, family: IpFamily): readonly Address[] {
  const random = generator(7)
  const addresses = new Set<Address>()
  while (addresses.size < count) {
    const low = random(2 ** 20)
    const text =
      family === 'IPv4'
        ? `10.${96 + (low >> 16)}.${(low >> 8) & 255}.${low & 255}`
        : `fd00:10:96::${(low >> 16).toString(16)}:${(low & 0xffff).toString(16)}`
    const address = parseAddress(text)
    if (address !== undefined) addresses.add(address)
  }
  return [...addresses]
}

function chainsOf(services: Services, setting: Setting, family: IpFamily = 'IPv4'): ReadonlyMap<string, readonly string[]> {
  const { placement } = dispatchOf(services, { setting, family })
  const nodes = [...placement.values()].flatMap(tree => [...nodesOf(tree)])
  return new Map(nodes.map(node => [node.chain, rulesOf(node).map(({ rule }) => rule)]))
}

/** Rules that a packet meets at most: all of each chain that it is led into. */
function worstWalk(chains: ReadonlyMap<string, readonly string[]>, chain: string): number {
  const ofChain = chains.get(chain)
  if (ofChain === undefined) return 0
  return ofChain.length + Math.max(0, ...ofChain.map(rule => worstWalk(chains, targetOf(rule) ?? '')))
}

describe('the walk of a packet', () => {
  for (const family of ['IPv4', 'IPv6'] as const) {
    it(`meets at most 100 rules among 10,000 random addresses (${family})`, t => {
      const chains = chainsOf(toAddresses(randomAddresses(10_000, family)), 'auto', family)
      const [worst, linear] = [worstWalk(chains, 'KUBE-SERVICES'), 10_000]
      t.diagnostic(`${worst} instead of ${linear}, in ${chains.size} chains`)
      // The jump to the node ports comes last.
      assert.ok(worst + 1 <= 100)
      assert.equal(chains.get('KUBE-SERVICES')?.length, 1, 'what goes to no Service meets one rule')
    })
  }

  it('follows at most 8 jumps, whatever addresses somebody asks for: the kernel refuses rules that lead too far', () => {
    // At every digit of this address others turn off, and enough of them remain.
    const bits = 0xfd0000100096000000000000_0000_0000n
    const addresses = Array.from({ length: 32 }, (_, digit) => bits ^ (1n << BigInt(127 - 4 * digit - 3)))
    const many = Array.from({ length: 100 }, (_, low) => bits + BigInt(low))
    const texts = [...addresses, ...many].map(value => (value.toString(16).padStart(32, '0').match(/.{4}/g) ?? []).join(':'))
    const parsed = texts.flatMap(text => parseAddress(text) ?? [])
    assert.equal(parsed.length, texts.length)
    const chains = chainsOf(toAddresses([...new Set(parsed)]), 'bucketed', 'IPv6')
    const depth = (chain: string): number =>
      Math.max(0, ...(chains.get(chain) ?? []).map(rule => targetOf(rule) ?? '').map(to => (chains.has(to) ? 1 + depth(to) : 0)))
    assert.equal(depth('KUBE-SERVICES'), 8)
  })

  it('meets at most 100 rules among all node ports that there are by default', t => {
    const chains = chainsOf(toNodePorts(2768), 'auto')
    const worst = worstWalk(chains, 'KUBE-NODEPORTS')
    t.diagnostic(`${worst} instead of ${2 * 2768}, in ${chains.size} chains`)
    assert.ok(worst <= 100)
  })
})

describe('the chains', () => {
  it('say their range by name and by the rule that leads to them', () => {
    const v4 = chainsOf(toAddresses(randomAddresses(1000, 'IPv4')), 'auto')
    assert.deepEqual(v4.get('KUBE-SERVICES'), [
      '-d 10.96.0.0/12 -m comment --comment "kubernetes services by address" -j KUBE-SVC-10.96.0.0-12',
    ])
    assert.ok(
      v4
        .get('KUBE-SVC-10.96.0.0-12')
        ?.includes('-d 10.111.0.0/16 -m comment --comment "kubernetes services by address" -j KUBE-SVC-10.111.0.0-16'),
    )
    const [jump = ''] = chainsOf(toAddresses(randomAddresses(1000, 'IPv6')), 'auto', 'IPv6').get('KUBE-SERVICES') ?? []
    assert.match(jump, /^-d fd00:10:96::\/108 -m comment --comment ".*" -j KUBE-SVC-NET6-[A-Z2-7]{10}-108$/)
    const ports = chainsOf(toNodePorts(1000), 'auto')
    assert.deepEqual(ports.get('KUBE-NODEPORTS'), [
      '-p tcp -m comment --comment "kubernetes node ports by range" -m tcp --dport 28672:32767 -j KUBE-SVC-NP-TCP-28672-32767',
    ])
    // A protocol that few use is not divided.
    assert.deepEqual(chainsOf(toNodePorts(3, 'sctp'), 'bucketed').get('KUBE-NODEPORTS'), [
      '-p sctp -m comment --comment "kubernetes node ports by range" -j KUBE-SVC-NP-SCTP-0-65535',
    ])
  })

  it('have names that iptables takes, kube-proxy sweeps, and no Service has', () => {
    const whole = [
      chainsOf(toAddresses(randomAddresses(10_000, 'IPv4')), 'bucketed'),
      chainsOf(toAddresses(['255.255.255.255', '192.0.2.7'] as Address[]), 'bucketed'),
      chainsOf(toAddresses(randomAddresses(10_000, 'IPv6')), 'bucketed', 'IPv6'),
      chainsOf(toNodePorts(2768), 'bucketed'),
      chainsOf(toNodePorts(2768, 'sctp'), 'bucketed'),
      chainsOf(rules('KUBE-SERVICES', [['-m comment --comment "default/web, in other words" -j KUBE-SVC-X']]), 'bucketed'),
    ]
    for (const chains of whole) {
      for (const chain of chains.keys()) {
        if (chain === 'KUBE-SERVICES' || chain === 'KUBE-NODEPORTS') continue
        assert.ok(chain.length <= 28 && chain.startsWith('KUBE-SVC-') && !/^KUBE-SVC-[A-Z2-7]{16}$/.test(chain), chain)
        assert.ok(isTreeChain('nat', chain) && !isTreeChain('filter', chain), chain)
        assert.equal(iptablesRoles('nat', chain), 'dispatch')
        assert.ok(['KUBE-SERVICES', 'KUBE-NODEPORTS'].includes(rootOf(chain)))
      }
    }
    assert.equal(rootOf('KUBE-SVC-NP-TCP-28672-32767'), 'KUBE-NODEPORTS')
    assert.equal(rootOf('KUBE-SVC-10.96.0.0-12'), 'KUBE-SERVICES')
    assert.equal(isTreeChain('nat', 'KUBE-SVC-ABCDEFGHIJKLMNOP'), false)
  })

  it('are there above 500 rules, for addresses and for node ports each, or always, or never', () => {
    const addresses = randomAddresses(501, 'IPv4')
    assert.equal(chainsOf(toAddresses(addresses.slice(1)), 'auto').size, 0)
    assert.ok(chainsOf(toAddresses(addresses), 'auto').size > 10)
    assert.equal(chainsOf(toAddresses(addresses), 'linear').size, 0)
    assert.ok(chainsOf(toAddresses(addresses.slice(0, 1)), 'bucketed').has('KUBE-SVC-0.0.0.0-4'))
    assert.equal(chainsOf(toNodePorts(250), 'auto').size, 0)
    assert.deepEqual([...chainsOf(toNodePorts(251), 'auto').keys()].slice(0, 2), [
      'KUBE-NODEPORTS',
      'KUBE-SVC-NP-TCP-28672-32767',
    ])
  })

  it('come and go with the number of rules, and are the same as if these had always been there', () => {
    const services = new Map(toAddresses(randomAddresses(520, 'IPv4')))
    const all = [...services]
    for (const [key] of all.slice(490)) services.delete(key)
    let dispatch = dispatchOf(services, { setting: 'auto', family: 'IPv4' })
    const step = (service: ServiceKey, after: Rendered | undefined): void => {
      const before = services.get(service)
      if (after === undefined) services.delete(service)
      else services.set(service, after)
      dispatch = dispatchAfter(dispatch, [{ service, before, after }], services)
      const anew = dispatchOf(services, { setting: 'auto', family: 'IPv4' })
      const shape = (of: typeof dispatch) =>
        [...of.placement.values()].flatMap(tree => [...nodesOf(tree)].map(node => [node.chain, rulesOf(node).length])).sort()
      assert.deepEqual(shape(dispatch), shape(anew))
      assert.deepEqual(dispatch.counts, anew.counts)
    }
    for (const [service, after] of all.slice(490)) step(service, after)
    assert.ok(dispatch.placement.has('KUBE-SERVICES'))
    for (const [service] of all.slice(490)) step(service, undefined)
    assert.equal(dispatch.placement.size, 0)
  })
})
