// One Service of ipvs mode that a tool refuses, in each tool's own way: it is found, keeps what it has, and all others are programmed.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ServiceKey } from '../../src/model/objects.ts'
import { address, endpoint, put, service, slice } from '../support/cluster.ts'
import { eventsOf } from './support/harness.ts'
import { createIpvsHarness, type IpvsHarness } from './support/ipvs-harness.ts'

const named = (index: number, ...texts: readonly string[]) => [
  put(service({ name: `service-${index}`, clusterIPs: [address(`10.96.1.${index}`)] })),
  podsOf(index, ...texts),
]
const podsOf = (index: number, ...texts: readonly string[]) =>
  put(slice({ name: `pods-${index}`, service: `service-${index}`, endpoints: texts.map(text => endpoint(text)) }))
const cluster = (count: number) => Array.from({ length: count }, (_, index) => named(index, `10.244.1.${index}`)).flat()
const key = (index: number) => `default/service-${index}` as ServiceKey

const programmed = ({ kernel }: IpvsHarness): readonly string[] =>
  [...kernel.servers].filter(([, { realServers }]) => realServers.size > 0).map(([name]) => name)

const refusals: readonly { readonly by: string; readonly line: RegExp }[] = [
  { by: 'ipset, which names the line', line: /^add KUBE-CLUSTER-IP 10\.96\.1\.7,/ },
  { by: 'ipvsadm, which names none and ends well: a virtual server', line: /^-A -t 10\.96\.1\.7:/ },
  { by: 'ipvsadm: a real server', line: /^-a -t 10\.96\.1\.7:/ },
  { by: 'ip, which names the line', line: /^addr add 10\.96\.1\.7\// },
]
for (const { by, line } of refusals) {
  describe(`what is refused by ${by}`, () => {
    it('costs nobody else anything at the first pass, and is tried again', async () => {
      const harness = createIpvsHarness()
      harness.kernel.refuses = text => line.test(text)
      harness.change(...cluster(20))
      const report = await harness.pass()
      assert.equal(report.quarantined, 1)
      assert.deepEqual([...harness.sync.quarantined.keys()], [key(7)])
      assert.equal(programmed(harness).filter(name => name !== '-t 10.96.1.7:80').length, 19)
      assert.equal(harness.kernel.links.get('kube-ipvs0')?.has('10.96.1.19/32'), true)
      assert.match(
        eventsOf(harness.recorded, 'quarantined')[0]?.reason ?? '',
        line.source.includes('a -t') ? /-a -t/ : /10\.96\.1\.7/,
      )
      harness.kernel.refuses = () => false
      harness.sync.retryQuarantined()
      await harness.pass()
      assert.equal(programmed(harness).length, 20)
      assert.equal(harness.sync.quarantined.size, 0)
    })

    it('is found where it is the only change, and keeps what it had', async () => {
      const harness = createIpvsHarness()
      await harness.programmed(...cluster(20))
      harness.kernel.refuses = text => /^-a -t 10\.96\.1\.7:/.test(text)
      await harness.programmed(podsOf(7, '10.244.9.9'))
      assert.deepEqual([...harness.sync.quarantined.keys()], [key(7)])
      assert.deepEqual(
        harness.kernel.servers.get('-t 10.96.1.7:80' as never)?.realServers,
        new Map([['10.244.1.7:8080', '-m -w 1']]),
      )
      assert.deepEqual(await harness.sync.checkDrift('everything'), [])
    })
  })
}

describe('a Service that is quarantined while one of its real servers drains', () => {
  it('lets that one go in its time', async () => {
    const harness = createIpvsHarness()
    await harness.programmed(...named(7, '10.244.1.1', '10.244.1.2'))
    harness.kernel.connections.set('-t 10.96.1.7:80 10.244.1.2:8080', 1)
    await harness.programmed(podsOf(7, '10.244.1.1'))
    const [before] = harness.sync.drains
    harness.kernel.refuses = text => text.startsWith('-a ')
    harness.clock.wall += 1000
    await harness.programmed(podsOf(7, '10.244.1.1', '10.244.1.3'))
    assert.equal(harness.sync.quarantined.size, 1)
    assert.equal(harness.sync.drains[0]?.until, before?.until)
    harness.kernel.connections.clear()
    await harness.looked()
    assert.deepEqual(
      harness.kernel.servers.get('-t 10.96.1.7:80' as never)?.realServers,
      new Map([['10.244.1.1:8080', '-m -w 1']]),
    )
  })
})

describe('a Service whose address the kernel does not take', () => {
  it('may be deleted: what it had drains where it is', async () => {
    const harness = createIpvsHarness()
    const [owner, pods] = named(7, '10.244.1.1') as [ReturnType<typeof put>, ReturnType<typeof put>]
    harness.kernel.refuses = text => text.startsWith('addr add 10.96.1.7')
    harness.change(owner, pods, ...named(8, '10.244.1.2'))
    await harness.pass()
    harness.kernel.connections.set('-t 10.96.1.7:80 10.244.1.1:8080', 1)
    await harness.programmed({ ...owner, object: undefined })
    assert.equal(harness.sync.quarantined.size, 0)
    assert.equal(harness.sync.drains.length, 1)
  })
})

describe('a tool that is broken for everybody', () => {
  it('quarantines nobody', async () => {
    const harness = createIpvsHarness()
    harness.kernel.fails = argv => (argv.join(' ') === 'ipset restore' ? 'failed' : undefined)
    harness.change(...cluster(5))
    await assert.rejects(harness.pass())
    assert.equal(harness.sync.quarantined.size, 0)
  })
})
