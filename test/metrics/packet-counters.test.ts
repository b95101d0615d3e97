import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { Exec } from '../../src/kernel/exec.ts'
import { toolsOf } from '../../src/kernel/iptables.ts'
import { createMetrics } from '../../src/metrics/metrics.ts'
import { recordPacketCounters } from '../../src/metrics/read-packet-counters.ts'
import { nextPacketCounterQueries, packetCounterQueries, parsePacketCounters } from '../../src/modes/iptables/packet-counters.ts'
import { scrape } from './support.ts'

/** As iptables 1.8.9 prints them, both backends. */
const forward = `-N KUBE-FORWARD
-A KUBE-FORWARD -m conntrack --ctstate INVALID -c 7 420 -j DROP
-A KUBE-FORWARD -m comment --comment "kubernetes forwarding rules" -m mark --mark 0x4000/0x4000 -c 5 300 -j ACCEPT
-A KUBE-FORWARD -m comment --comment "kubernetes forwarding conntrack rule" -m conntrack --ctstate RELATED,ESTABLISHED -c 3 180 -j ACCEPT
`
const nodePorts = `-N KUBE-NODEPORTS
-A KUBE-NODEPORTS -d 127.0.0.0/8 -p tcp -m comment --comment "default/web:http" -m tcp --dport 30080 -c 2 120 -j KUBE-EXT-AAAAAAAAAAAAAAAA
-A KUBE-NODEPORTS -p tcp -m comment --comment "default/web:http" -m tcp --dport 30080 -c 90 5400 -j KUBE-EXT-AAAAAAAAAAAAAAAA
-A KUBE-NODEPORTS -d 127.0.0.0/8 -p tcp -m comment --comment "default/api -c 8 8" -m tcp --dport 30081 -c 4 240 -j KUBE-EXT-BBBBBBBBBBBBBBBB
`

describe('packet counters of the rules', () => {
  it('are asked for chain by chain', () => {
    assert.deepEqual(
      packetCounterQueries(toolsOf('IPv4', 'nft')).map(({ argv }) => argv.join(' ')),
      ['iptables-nft -v -t filter -S KUBE-FORWARD', 'iptables-nft -v -t nat -S KUBE-NODEPORTS'],
    )
  })

  it('are those of the rules that kube-proxy counts by', () => {
    assert.deepEqual(parsePacketCounters([forward, nodePorts]), { invalidDropped: 7, localhostNodePortsAccepted: 6 })
  })

  it('are followed into the chains that node ports are divided into, a level at a time, and counted there', () => {
    const jump = (chain: string, to: string): string =>
      `-N ${chain}\n-A ${chain} -p tcp -m comment --comment "x" -c 9 9 -j ${to}\n`
    const [top, middle, leaf] = ['KUBE-NODEPORTS', 'KUBE-SVC-NP-TCP-28672-32767', 'KUBE-SVC-NP-TCP-29952-30207']
    const rules = nodePorts.replaceAll('KUBE-NODEPORTS', leaf)
    const follow = (outputs: readonly string[], backend: 'nft' | 'legacy') =>
      nextPacketCounterQueries(outputs, toolsOf('IPv4', backend)).map(({ argv }) => argv.join(' '))
    assert.deepEqual(follow([forward, nodePorts], 'nft'), [])
    assert.deepEqual(follow([forward, jump(top, middle)], 'nft'), [`iptables-nft -v -t nat -S ${middle}`])
    assert.deepEqual(follow([jump(middle, leaf)], 'nft'), [`iptables-nft -v -t nat -S ${leaf}`])
    assert.deepEqual(follow([rules], 'nft'), [])
    const outputs = [forward, jump(top, middle), jump(middle, leaf), rules]
    assert.deepEqual(parsePacketCounters(outputs), { invalidDropped: 7, localhostNodePortsAccepted: 6 })

    assert.deepEqual(follow([forward, jump(top, middle)], 'legacy'), ['iptables-legacy --wait 10 -v -t nat -S'])
    const table = [jump(top, middle), jump(middle, leaf), rules].join('')
    assert.deepEqual(follow([table], 'legacy'), [])
    assert.deepEqual(parsePacketCounters([forward, jump(top, middle), table]), {
      invalidDropped: 7,
      localhostNodePortsAccepted: 6,
    })
  })

  it('are 0 where there are no such rules', () => {
    assert.deepEqual(parsePacketCounters(['-N KUBE-FORWARD\n', '']), { invalidDropped: 0, localhostNodePortsAccepted: 0 })
  })
})

function setUp(context: TestContext, families: number, outputs: (call: number) => string) {
  let mode: 'counts' | 'has nothing to count' = 'counts'
  const metrics = createMetrics({ families: ['IPv4', 'IPv6'], resources: [] })
  context.after(() => metrics.close())
  const time = { ms: 0 }
  const calls: string[] = []
  const exec: Exec = async ({ argv }) => {
    calls.push(argv.join(' '))
    return { stdout: outputs(calls.length), stderr: '', milliseconds: 1 }
  }
  const counters = Array.from({ length: families }, () => ({
    queries: () => [{ argv: ['read'] }],
    parse: ([output = '']: readonly string[]) => ({ invalidDropped: Number(output), localhostNodePortsAccepted: 0 }),
  }))
  const quiet = (): void => {}
  const log = { debug: quiet, info: quiet, warn: quiet, error: quiet }
  recordPacketCounters({
    metrics,
    counters: () => (mode === 'counts' ? counters : []),
    exec,
    clock: { now: () => time.ms, wall: () => 0 },
    log,
  })
  const dropped = async () => (await scrape(metrics)).value('kubeproxy_iptables_ct_state_invalid_dropped_packets_total')
  const runs = (running: typeof mode): void => {
    mode = running
  }
  return { time, calls, dropped, runs }
}

describe('the metrics of packet counters', () => {
  it('are the sum of the families, as the kernel has it', async context => {
    assert.equal(await setUp(context, 2, () => '21').dropped(), 42)
  })

  it('are read once a minute at most, and follow a counter that began anew', async context => {
    let packets = 10
    const { time, calls, dropped } = setUp(context, 1, () => String(packets))
    assert.equal(await dropped(), 10)
    packets = 3
    time.ms = 59_999
    assert.equal(await dropped(), 10)
    assert.equal(calls.length, 1)
    time.ms = 60_000
    assert.equal(await dropped(), 3)
  })

  it('are 0 in a mode whose rules have nothing to count, and the kernel is not asked', async context => {
    const { time, calls, dropped, runs } = setUp(context, 2, () => '21')
    assert.equal(await dropped(), 42)
    runs('has nothing to count')
    time.ms = 60_000
    assert.equal(await dropped(), 0)
    assert.equal(calls.length, 2)
    runs('counts')
    time.ms = 120_000
    assert.equal(await dropped(), 42)
  })

  for (const [which, isBroken] of [
    ['the kernel', () => true],
    ['one family', (call: number) => call % 2 === 0],
  ] as const) {
    it(`keep their value while ${which} cannot be read`, async context => {
      let broken = false
      const { time, dropped } = setUp(context, 2, call => {
        if (broken && isBroken(call)) throw new Error('no such chain')
        return '5'
      })
      assert.equal(await dropped(), 10)
      broken = true
      time.ms = 60_000
      assert.equal(await dropped(), 10)
    })
  }
})
