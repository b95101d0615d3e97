// What a takeover removes and what a handover removes, from golden rules: pure.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import type { Backend } from '../../src/kernel/iptables.ts'
import type { Plan } from '../../src/kernel/plan.ts'
import type { IpFamily } from '../../src/model/address.ts'
import type { StandingIpvs } from '../../src/modes/ipvs/standing.ts'
import { standingRules } from '../../src/modes/rules/standing.ts'
import type { Inventory, RulesFound } from '../../src/sync/inventory.ts'
import { leftBehind } from '../../src/sync/left-behind.ts'
import { standingMode, standTwice, wayBack } from '../../src/sync/way-back.ts'

const golden = (file: string): string => readFileSync(new URL(`../golden/nodeport/${file}`, import.meta.url), 'utf8')
const iptables = golden('iptables.ipv4.nat') + golden('iptables.ipv4.filter')
const ipvs = golden('ipvs.ipv4.nat') + golden('ipvs.ipv4.filter')
/** As a kube-proxy that started in iptables mode after ipvs mode leaves it. */
const iptablesAfterIpvs =
  golden('iptables.ipv4.nat').replace('COMMIT', '').trimEnd() +
  '\n:KUBE-LOAD-BALANCER - [0:0]\n:KUBE-NODE-PORT - [0:0]\n-A KUBE-LOAD-BALANCER -j KUBE-MARK-MASQ\nCOMMIT\n' +
  golden('iptables.ipv4.filter').replace('COMMIT', '').trimEnd() +
  `\n:KUBE-IPVS-FILTER - [0:0]\n:KUBE-SOURCE-RANGES-FIREWALL - [0:0]
-A INPUT -m comment --comment "kubernetes ipvs access filter" -j KUBE-IPVS-FILTER
-A INPUT -m comment --comment "kube-proxy firewall rules" -j KUBE-PROXY-FIREWALL
-A KUBE-SOURCE-RANGES-FIREWALL -j DROP\nCOMMIT\n`

const noIpvs: StandingIpvs = { servers: 0, realServers: 0, foreign: 0, addresses: 0, sets: 0, ownSets: [], hasLink: false }

function found(save: string, backend: Backend = 'nft', family: IpFamily = 'IPv4'): RulesFound {
  return { family, backend, save, ...standingRules(save) }
}

function inventory(facts: Partial<Inventory>): Inventory {
  return { rules: [], ipvs: { IPv4: noIpvs, IPv6: noIpvs }, nftables: [], parameters: new Map(), ...facts }
}

const linesOf = (plan: Plan | undefined): readonly string[] =>
  plan?.steps.flatMap(({ input }) => [...input].flatMap(({ lines }) => lines)) ?? []

describe('the mode whose rules take packets', () => {
  for (const [what, save, mode] of [
    ['of iptables mode', iptables, 'iptables'],
    ['of ipvs mode', ipvs, 'ipvs'],
    ['of iptables mode with leftovers', iptablesAfterIpvs, 'iptables'],
    ['without a jump into them', iptables.replace(/^-A PREROUTING.*\n/m, ''), undefined],
    ['of nobody', '*nat\n:PREROUTING ACCEPT [0:0]\nCOMMIT\n', undefined],
  ] as const) {
    it(`rules ${what}`, () => assert.equal(standingRules(save).inForce, mode))
  }

  it('is nftables where its table is, whatever else is left', () => {
    assert.equal(
      standingMode(inventory({ rules: [found(iptables)], nftables: [{ family: 'IPv4', chains: 9, maps: 2 }] })),
      'nftables',
    )
  })
})

it('rules and a table of nftables may both take packets, one of them stale', () => {
  const nftables = [{ family: 'IPv4', chains: 9, maps: 2 }] as const
  assert.equal(standTwice(inventory({ rules: [found(iptables)], nftables })), true)
  assert.equal(standTwice(inventory({ rules: [found(iptables)] })), false)
  assert.equal(standTwice(inventory({ rules: [found('')], nftables })), false)
  assert.equal(standTwice(inventory({ rules: [found(iptables)], nftables: { unknown: 'no nft' } })), false)
})

describe('takeover removes', () => {
  it('of its own backend only the alarm chain of mangle', () => {
    const save = `${iptables}*mangle\n:KUBE-PROXY-CANARY - [0:0]\n:KUBE-KUBELET-CANARY - [0:0]\nCOMMIT\n`
    const [removal, ...others] = leftBehind(inventory({ rules: [found(save)] }), 'nft')
    assert.deepEqual(linesOf(removal?.plan), ['*mangle', '-X KUBE-PROXY-CANARY', 'COMMIT'])
    assert.deepEqual(others, [])
  })

  it('all of the other backend, but for the guard of 127.0.0.0/8 where it is the only one', () => {
    const parameters = new Map([['net.ipv4.conf.all.route_localnet', '1']])
    const legacy = found(iptables, 'legacy')
    const alone = leftBehind(inventory({ rules: [found(ipvs), legacy], parameters }), 'nft')
    assert.ok(linesOf(alone[0]?.plan).includes('-X KUBE-SERVICES'))
    assert.ok(!linesOf(alone[0]?.plan).some(line => line.includes('KUBE-FIREWALL')))
    const guarded = leftBehind(inventory({ rules: [found(iptables), legacy], parameters }), 'nft')
    assert.ok(linesOf(guarded[0]?.plan).includes('-X KUBE-FIREWALL'))
  })

  it('the tables of nftables, and says nothing of what cannot be looked at', () => {
    const [removal] = leftBehind(inventory({ nftables: [{ family: 'IPv6', chains: 9, maps: 2 }] }), 'nft')
    assert.deepEqual(linesOf(removal?.plan), ['delete table ip6 kube-proxy'])
    assert.deepEqual(leftBehind(inventory({ nftables: { unknown: 'no such program' } }), 'nft'), [])
  })
})

describe('handover removes', () => {
  const own = { ...noIpvs, hasLink: true, sets: 19, ownSets: ['SWITCHYARD-NO-LOCAL'] }

  it('before kube-proxy in another mode has synced: nothing that takes packets', () => {
    const { removals, waiting, retireIpvs } = wayBack(inventory({ rules: [found(iptables)] }), 'ipvs')
    assert.deepEqual({ removals, waiting, retireIpvs }, { removals: [], waiting: ['IPv4'], retireIpvs: [] })
  })

  it('for the same mode: what is named SWITCHYARD', () => {
    const save = ipvs.replace('*filter\n', '*filter\n:SWITCHYARD-NO-LOCAL - [0:0]\n-A INPUT -j SWITCHYARD-NO-LOCAL\n')
    const withBuiltIn = save.replace(/(-A INPUT -j SWITCHYARD-NO-LOCAL\n)([\s\S]*?)(?=-A )/, '$2$1')
    const { removals, retireIpvs } = wayBack(
      inventory({ rules: [found(withBuiltIn)], ipvs: { IPv4: own, IPv6: noIpvs } }),
      'ipvs',
    )
    const lines = removals.flatMap(({ plan }) => linesOf(plan)).filter(line => line.startsWith('-') || line.startsWith('destroy'))
    assert.deepEqual(lines, ['-D INPUT -j SWITCHYARD-NO-LOCAL', '-X SWITCHYARD-NO-LOCAL', 'destroy SWITCHYARD-NO-LOCAL'])
    assert.deepEqual(retireIpvs, [])
  })

  it('after kube-proxy has synced in iptables mode: what ipvs mode alone had, and IPVS as it drains, with its guard', () => {
    const { removals, retireIpvs } = wayBack(
      inventory({ rules: [found(iptablesAfterIpvs)], ipvs: { IPv4: { ...own, ownSets: [] }, IPv6: noIpvs } }),
      'iptables',
    )
    const lines = removals.flatMap(({ plan }) => linesOf(plan)).filter(line => line.startsWith('-'))
    assert.deepEqual(lines, [
      '-X KUBE-LOAD-BALANCER',
      '-X KUBE-NODE-PORT',
      '-D INPUT -m comment --comment "kube-proxy firewall rules" -j KUBE-PROXY-FIREWALL',
      '-X KUBE-SOURCE-RANGES-FIREWALL',
    ])
    assert.deepEqual(retireIpvs, ['IPv4'])
  })

  it('after kube-proxy has synced in ipvs mode: the chains of Services of iptables mode, never the shared ones', () => {
    const left = ipvs.replace('*nat\n', '*nat\n:KUBE-SVC-I7N7KMHXLRZOPONX - [0:0]\n:KUBE-NODEPORTS - [0:0]\n')
    const { removals, waiting } = wayBack(inventory({ rules: [found(left)] }), 'ipvs')
    const lines = removals.flatMap(({ plan }) => linesOf(plan)).filter(line => line.startsWith('-'))
    assert.deepEqual(lines, ['-X KUBE-SVC-I7N7KMHXLRZOPONX', '-X KUBE-NODEPORTS'])
    assert.deepEqual(waiting, [])
  })

  it('of one family alone, where the other one is not taken over yet', () => {
    const rules = [found(iptables), found(ipvs, 'nft', 'IPv6')]
    assert.deepEqual(wayBack(inventory({ rules }), 'ipvs').waiting, ['IPv4'])
  })
})
