// What is looked at and what is left alone: all of it or what is dirty, others' virtual servers, excluded ranges, what may not be swept, and sets that
// are too small or of another make.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { difference } from '../../../src/modes/ipvs/diff.ts'
import { address, cidr, gone, node, put, service } from '../../support/cluster.ts'
import { fakeServersOf } from '../../sync/support/fake-ipvsadm.ts'
import type { IpvsHarness } from '../../sync/support/ipvs-harness.ts'
import {
  decisionsOf,
  desiredOf,
  everywhere,
  ipvsHarness,
  mode,
  pods,
  server,
  trafficSettings,
  web,
  webServer,
  weights,
} from './support.ts'

const foreign = server('-t 192.0.2.250:80')
const addForeign = ({ kernel }: IpvsHarness): void => {
  for (const [name, found] of fakeServersOf(`-A ${foreign} -s wlc\n-a ${foreign} -r 192.0.2.251:80 -g -w 5\n-A -f 7 -s rr\n`))
    kernel.servers.set(name, found)
}

describe('a comparison of everything', () => {
  it('finds nothing where all is as wanted, and what somebody changed where it is not', async () => {
    const harness = ipvsHarness()
    await harness.programmed(put(everywhere()), put(pods(['10.244.1.1', '10.244.1.2'])))
    assert.equal((await harness.restarted().pass()).lines, 0)
    const found = harness.kernel.servers.get(webServer)
    assert.ok(found)
    found.options = '-s wrr -p 7'
    found.realServers.set('10.244.1.1:8080', '-g -w 9')
    found.realServers.delete('10.244.1.2:8080')
    found.realServers.set('10.244.1.3:8080', '-m -w 0')
    harness.kernel.sets.get('KUBE-CLUSTER-IP')?.entries.clear()
    await harness.restarted().pass()
    assert.equal(found.options, '-s rr')
    assert.deepEqual(
      weights(harness),
      { '10.244.1.1:8080': 1, '10.244.1.2:8080': 1, '10.244.1.3:8080': 0 },
      'the last one drains',
    )
    assert.equal((await harness.restarted().pass()).lines, 0)
  })

  it('takes what kube-proxy left for its own: nothing is written for what is as wanted', async () => {
    const harness = ipvsHarness()
    await harness.programmed(put(everywhere()), put(pods(['10.244.1.1'])))
    assert.equal((await harness.restarted().pass()).lines, 0)
  })
})

describe('virtual servers of others', () => {
  it('survive everything', async () => {
    const harness = ipvsHarness()
    addForeign(harness)
    const before = structuredClone(harness.kernel.servers)
    await harness.programmed(put(everywhere()), put(pods(['10.244.1.1'])))
    await harness.restarted().pass()
    await harness.programmed(gone(everywhere()), gone(pods([])))
    await harness.restarted().pass()
    await harness.looked()
    for (const [name, found] of before) assert.deepEqual(harness.kernel.servers.get(name), found, name)
  })

  const ours: readonly (readonly [title: string, server: string, mark: (harness: IpvsHarness) => void])[] = [
    ['its address is on kube-ipvs0', '-t 10.96.9.9:80', ({ kernel }) => kernel.links.get('kube-ipvs0')?.add('10.96.9.9/32')],
    [
      'its address is in KUBE-IPVS-IPS',
      '-t 10.96.9.9:80',
      ({ kernel }) => kernel.sets.get('KUBE-IPVS-IPS')?.entries.add('10.96.9.9'),
    ],
    [
      'it is in KUBE-CLUSTER-IP',
      '-u 10.96.9.9:53',
      ({ kernel }) => kernel.sets.get('KUBE-CLUSTER-IP')?.entries.add('10.96.9.9,udp:53'),
    ],
    [
      'it is in KUBE-EXTERNAL-IP',
      '-t 192.0.2.9:80',
      ({ kernel }) => kernel.sets.get('KUBE-EXTERNAL-IP')?.entries.add('192.0.2.9,tcp:80'),
    ],
    ['it is at a node port', '-t 10.200.1.2:30099', ({ kernel }) => kernel.sets.get('KUBE-NODE-PORT-TCP')?.entries.add('30099')],
    [
      'it is at a node port of SCTP',
      '--sctp-service 10.200.1.2:30099',
      ({ kernel }) => kernel.sets.get('KUBE-NODE-PORT-SCTP-HASH')?.entries.add('10.200.1.2,sctp:30099'),
    ],
  ]
  for (const [title, name, mark] of ours) {
    it(`are told from a service proxy's, which goes: ${title}`, async () => {
      const harness = ipvsHarness()
      await harness.programmed(put(service()))
      harness.kernel.servers.set(server(name), { options: '-s rr', realServers: new Map() })
      await harness.restarted().pass()
      assert.ok(harness.kernel.servers.has(server(name)), 'nothing marks it')
      mark(harness)
      await harness.restarted().pass()
      assert.ok(!harness.kernel.servers.has(server(name)))
    })
  }
})

describe('ipvs.excludeCIDRs', () => {
  it('keeps a virtual server and its address from being removed, also when the Service of this process goes', async () => {
    const harness = ipvsHarness({ excludeCidrs: [cidr('10.96.0.0/24')] })
    await harness.programmed(put(everywhere()), put(pods(['10.244.1.1'])))
    await harness.programmed(gone(everywhere()), gone(pods([])))
    await harness.looked()
    assert.ok(harness.kernel.servers.has(webServer))
    assert.deepEqual([...(harness.kernel.links.get('kube-ipvs0') ?? [])], ['10.96.0.7/32'])
    const again = harness.restarted()
    again.input = harness.input
    assert.equal((await again.pass()).lines, 0)
    assert.deepEqual(await again.sync.checkDrift('everything'), [])
  })
})

describe('while something cannot be read', () => {
  const start = async (): Promise<IpvsHarness> => {
    const before = ipvsHarness()
    await before.programmed(put(everywhere()), put(pods(['10.244.1.1'])))
    // A new process, which does not see the Service but another one.
    const harness = ipvsHarness({}, { kernel: before.kernel })
    harness.input = { ...harness.input, sweep: false }
    harness.change(put(service({ name: 'other', clusterIPs: [address('10.96.0.9')] })))
    return harness
  }

  it('what may be its stays as it is: virtual servers, sets, addresses, and the rules about them', async () => {
    const harness = await start()
    const before = harness.kernel.iptables.IPv4.save()
    await harness.pass()
    assert.deepEqual(weights(harness), { '10.244.1.1:8080': 1 })
    assert.deepEqual(weights(harness, server('-t 10.200.1.2:30080')), { '10.244.1.1:8080': 1 })
    assert.equal(harness.kernel.iptables.IPv4.save(), before)
    assert.deepEqual(await harness.sync.checkDrift('everything'), [])
    const lines = await harness.programmed(put(pods(['10.244.1.5'], 'other')))
    assert.ok(lines.length > 0 && lines.every(line => /10\.96\.0\.9|10\.244\.1\.5/.test(line)), lines.join('\n'))
    assert.equal(harness.kernel.iptables.IPv4.save(), before)
  })

  it('and is swept as soon as all can be read', async () => {
    const harness = await start()
    await harness.pass()
    harness.input = { ...harness.input, sweep: true }
    await harness.pass()
    await harness.looked()
    assert.deepEqual([...harness.kernel.servers.keys()], ['-t 10.96.0.9:80'])
    assert.deepEqual([...(harness.kernel.links.get('kube-ipvs0') ?? [])], ['10.96.0.9/32'])
    assert.doesNotMatch(harness.kernel.iptables.IPv4.save(), /KUBE-NODE-PORT-TCP/)
  })

  it('and moves along into a set that has to be larger', async () => {
    const harness = await start()
    const small = harness.kernel.sets.get('KUBE-CLUSTER-IP')
    assert.ok(small)
    harness.kernel.sets.set('KUBE-CLUSTER-IP', { ...small, maxEntries: 1 })
    await harness.pass()
    assert.deepEqual(harness.kernel.sets.get('KUBE-CLUSTER-IP')?.entries, new Set(['10.96.0.9,tcp:80', '10.96.0.7,tcp:80']))
  })
})

describe('a set', () => {
  const ofShape = (shape: string, maxEntries = 65_536) => ({ shape, maxEntries, entries: new Set(['10.96.0.7,tcp:80']) })

  it('that is too small is exchanged in one stroke, and rules go on to use it', async () => {
    const harness = ipvsHarness()
    await harness.programmed(put(service()))
    harness.kernel.sets.set('KUBE-CLUSTER-IP', ofShape('hash:ip,port family inet', 8))
    harness.kernel.fed.splice(0)
    const report = await harness.restarted().pass()
    assert.deepEqual(
      harness.kernel.fed.map(({ input }) => input.trim().split('\n')),
      [
        [
          'create SWITCHYARD-SPARE hash:ip,port family inet hashsize 1024 maxelem 65536',
          'add SWITCHYARD-SPARE 10.96.0.7,tcp:80',
          'swap SWITCHYARD-SPARE KUBE-CLUSTER-IP',
          'destroy SWITCHYARD-SPARE',
        ],
      ],
    )
    assert.equal(report.written, 1)
  })

  it('of another type that no rule uses is made anew', async () => {
    const harness = ipvsHarness()
    harness.kernel.sets.set('KUBE-CLUSTER-IP', ofShape('bitmap:port range 0-65535', Number.POSITIVE_INFINITY))
    await harness.programmed(put(service()))
    assert.equal(harness.kernel.sets.get('KUBE-CLUSTER-IP')?.shape, 'hash:ip,port family inet')
  })

  it("that a run left behind half-way is in nobody's way", async () => {
    const harness = ipvsHarness()
    await harness.programmed(put(service()))
    harness.kernel.sets.set('KUBE-CLUSTER-IP', ofShape('hash:ip,port family inet', 8))
    harness.kernel.refuses = line => line.startsWith('swap')
    const again = harness.restarted()
    await assert.rejects(again.pass())
    assert.ok(harness.kernel.sets.has('SWITCHYARD-SPARE'))
    harness.kernel.refuses = () => false
    await again.pass()
    assert.ok(!harness.kernel.sets.has('SWITCHYARD-SPARE'))
    assert.equal(harness.kernel.sets.get('KUBE-CLUSTER-IP')?.maxEntries, 65_536)
  })

  it('is of both families under names of their own, since they do not wait for each other', async () => {
    const harness = ipvsHarness()
    harness.kernel.sets.set('KUBE-CLUSTER-IP', ofShape('hash:ip,port family inet', 8))
    harness.kernel.sets.set('KUBE-6-CLUSTER-IP', { ...ofShape('hash:ip,port family inet6', 8), entries: new Set() })
    const other = ipvsHarness({}, { family: 'IPv6', kernel: harness.kernel })
    await Promise.all([harness.pass(), other.pass()])
    for (const name of ['KUBE-CLUSTER-IP', 'KUBE-6-CLUSTER-IP']) assert.equal(harness.kernel.sets.get(name)?.maxEntries, 65_536)
  })
})

describe('a set that grows past 65,536 entries', () => {
  const rows: readonly (readonly [held: number, maxEntries: number, wanted: number, room: number | undefined])[] = [
    [65_536, 65_536, 65_536, undefined],
    [65_535, 65_536, 65_536, undefined],
    [65_536, 65_536, 65_537, 262_144],
    [65_537, 262_144, 70_000, undefined],
    [131_073, 262_144, 262_144, undefined],
    [262_144, 262_144, 262_145, 1_048_576],
  ]
  const all = Array.from({ length: 262_145 }, (_, index) => `10.${index >> 16}.${(index >> 8) & 255}.${index & 255},tcp:80`)
  const entries = (count: number): Set<string> => new Set(all.slice(0, count))
  const change = (held: number, maxEntries: number, wanted: Set<string>) => {
    const desired = desiredOf([])
    const observed = mode.parse([], 'everything', new Map())
    const shape = { type: 'hash:ip,port', options: 'family inet', maxEntries }
    observed.sets.set('KUBE-CLUSTER-IP' as never, { shape, entries: entries(held) })
    desired.sets.set('KUBE-CLUSTER-IP' as never, wanted)
    const found = difference({ desired, observed, touched: 'everything', sweep: true }, 'IPv4')
    return found.sets.find(({ name }) => name === 'KUBE-CLUSTER-IP')
  }
  for (const [held, maxEntries, wanted, room] of rows) {
    it(`from ${held} of ${maxEntries} to ${wanted} ${room === undefined ? 'stays' : `gets room for ${room}`}`, () => {
      const found = change(held, maxEntries, entries(wanted))
      assert.equal(found?.create?.maxEntries, room)
      if (room !== undefined) assert.equal(found?.add.length, wanted)
    })
  }

  it('gets room also where one goes and another comes: what comes is there first', () => {
    const wanted = entries(65_536)
    wanted.delete('10.0.0.0,tcp:80')
    wanted.add('10.9.9.9,tcp:80')
    assert.equal(change(65_536, 65_536, wanted)?.create?.maxEntries, 131_072)
  })
})

describe('a comparison of what changed', () => {
  it('leaves alone what did not, even where the kernel has it otherwise', async () => {
    const harness = ipvsHarness()
    const other = service({ name: 'other', clusterIPs: [address('10.96.0.9')] })
    await harness.programmed(put(service()), put(pods(['10.244.1.1'])), put(other))
    harness.kernel.servers.delete(webServer)
    const lines = await harness.programmed(put(pods(['10.244.1.1'], 'other')))
    assert.ok(lines.every(line => !line.includes('10.96.0.7')))
  })

  it('finds nothing where a Service is rendered anew and is the same', () => {
    const objects = [service(), pods(['10.244.1.1'])]
    const desired = desiredOf(objects)
    const observed = mode.confirm({
      desired,
      observed: mode.parse([], 'everything', new Map()),
      touched: 'everything',
      sweep: true,
    })
    const input = { decisions: decisionsOf(objects), node, settings: trafficSettings() }
    const again = mode.render(desired, new Set([web]), input)
    assert.deepEqual(mode.diff({ desired: again, observed, touched: new Set([web]), sweep: true }).steps, [])
    assert.equal(again.dirty.servers.size + again.dirty.entries.size + again.dirty.addresses.size, 0)
  })
})
