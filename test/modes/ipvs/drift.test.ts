// What somebody changed, in words that name it and its Service.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { put } from '../../support/cluster.ts'
import type { IpvsHarness } from '../../sync/support/ipvs-harness.ts'
import { everywhere, ipvsHarness, pods, server, web, webServer } from './support.ts'

type Vandal = (kernel: IpvsHarness['kernel']) => unknown
const found = (kernel: IpvsHarness['kernel']) => {
  const held = kernel.servers.get(webServer)
  assert.ok(held)
  return held
}

const acts: readonly (readonly [what: string, kind: string, service: string | undefined, act: Vandal])[] = [
  [`virtual server ${webServer}`, 'missing', web, kernel => kernel.servers.delete(webServer)],
  [
    'virtual server -t 10.96.0.7:81',
    'unexpected',
    undefined,
    kernel => kernel.servers.set(server('-t 10.96.0.7:81'), { options: '-s rr', realServers: new Map() }),
  ],
  [
    `virtual server ${webServer}: options, expected -s rr`,
    'changed',
    web,
    kernel => Object.assign(found(kernel), { options: '-s lc' }),
  ],
  [
    `virtual server ${webServer}: real server 10.244.1.1:8080`,
    'missing',
    web,
    kernel => found(kernel).realServers.delete('10.244.1.1:8080'),
  ],
  [
    `virtual server ${webServer}: real server 10.244.1.1:8080, expected -m -w 1`,
    'changed',
    web,
    kernel => found(kernel).realServers.set('10.244.1.1:8080', '-m -w 9'),
  ],
  [
    `virtual server ${webServer}: real server 10.244.1.9:8080`,
    'unexpected',
    web,
    kernel => found(kernel).realServers.set('10.244.1.9:8080', '-m -w 1'),
  ],
  ['set KUBE-CLUSTER-IP: 10.96.0.7,tcp:80', 'missing', web, kernel => kernel.sets.get('KUBE-CLUSTER-IP')?.entries.clear()],
  [
    'set KUBE-CLUSTER-IP: 10.96.0.9,tcp:80',
    'unexpected',
    undefined,
    kernel => kernel.sets.get('KUBE-CLUSTER-IP')?.entries.add('10.96.0.9,tcp:80'),
  ],
  [
    'set KUBE-CLUSTER-IP',
    'changed',
    undefined,
    kernel => kernel.sets.set('KUBE-CLUSTER-IP', { shape: 'hash:ip,port family inet', maxEntries: 8, entries: new Set() }),
  ],
  [
    'set SWITCHYARD-SPARE',
    'unexpected',
    undefined,
    kernel => kernel.sets.set('SWITCHYARD-SPARE', { shape: 'hash:ip family inet', maxEntries: 8, entries: new Set() }),
  ],
  ['kube-ipvs0: address 10.96.0.7', 'missing', web, kernel => kernel.links.get('kube-ipvs0')?.delete('10.96.0.7/32')],
  ['kube-ipvs0: address 10.96.0.9', 'unexpected', undefined, kernel => kernel.links.get('kube-ipvs0')?.add('10.96.0.9/32')],
]

describe('a check of everything', () => {
  for (const [what, kind, service, act] of acts) {
    it(`says ${kind}: ${what}; and it is put right`, async () => {
      const harness = ipvsHarness({ drainDeadlineMs: 0 })
      await harness.programmed(put(everywhere()), put(pods(['10.244.1.1'])))
      assert.deepEqual(await harness.sync.checkDrift('everything'), [])
      act(harness.kernel)
      assert.deepEqual(await harness.sync.checkDrift('everything'), [{ what, kind, service }])
      await harness.pass()
      assert.deepEqual(await harness.sync.checkDrift('everything'), [])
      assert.equal((await harness.restarted().pass()).lines, 0)
    })
  }

  it('says that the link is gone, and what was on it', async () => {
    const harness = ipvsHarness()
    await harness.programmed(put(everywhere()), put(pods(['10.244.1.1'])))
    harness.kernel.links.delete('kube-ipvs0')
    const drifts = await harness.sync.checkDrift('everything')
    assert.deepEqual(drifts.map(({ what }) => what).toSorted(), [
      'kube-ipvs0: address 10.96.0.7',
      'kube-ipvs0: address 192.0.2.7',
      'kube-ipvs0: address 198.51.100.7',
      'link kube-ipvs0',
    ])
  })
})

describe('a check of the base', () => {
  it('reads rules alone, and sees a chain that was flushed', async () => {
    const harness = ipvsHarness()
    await harness.programmed(put(everywhere()), put(pods(['10.244.1.1'])))
    const before = harness.kernel.commands.length
    assert.deepEqual(await harness.sync.checkDrift('base'), [])
    assert.deepEqual(harness.kernel.commands.slice(before), [['iptables-legacy-save']])
    harness.kernel.iptables.IPv4.edit('nat', ':KUBE-SERVICES - [0:0]')
    const [drift] = await harness.sync.checkDrift('base')
    assert.deepEqual(drift, { what: 'nat chain KUBE-SERVICES: all its rules', kind: 'missing', service: undefined })
  })
})
