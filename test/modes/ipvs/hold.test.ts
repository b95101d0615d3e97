// A quarantined Service keeps what was confirmed for it, or, where nothing is known of an earlier time, what the kernel has of what it wants.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Observed } from '../../../src/modes/ipvs/state.ts'
import { address, node, put, service } from '../../support/cluster.ts'
import type { IpvsHarness } from '../../sync/support/ipvs-harness.ts'
import { decisionsOf, desiredOf, everywhere, ipvsHarness, mode, pods, trafficSettings, web, webServer } from './support.ts'

async function observe({ kernel }: IpvsHarness): Promise<Observed> {
  const outputs = await Promise.all(mode.queries('everything').map(async ({ argv }) => (await kernel.exec({ argv })).stdout))
  return mode.parse(outputs, 'everything', new Map())
}

async function kernelWith(...objects: Parameters<typeof put>[0][]): Promise<() => Promise<Observed>> {
  const harness = ipvsHarness()
  await harness.programmed(...objects.map(put))
  return () => observe(harness)
}

const restrictedAfter = [everywhere(), pods(['10.244.1.1', '10.244.1.2'])]

describe('a Service that is held', () => {
  it('is as it was confirmed, where that is known: nothing is written', async () => {
    const desired = desiredOf(restrictedAfter)
    const blank = mode.parse([], 'everything', new Map())
    const observed = mode.confirm({ desired, observed: blank, touched: 'everything', sweep: true })
    const decisions = decisionsOf([everywhere(), pods(['10.244.1.9'])])
    const changed = mode.render(desired, new Set([web]), { decisions, node, settings: trafficSettings() })
    const held = mode.hold(changed, observed, web)
    const change = { observed, desired: held, touched: new Set([web]), sweep: true }
    assert.deepEqual(
      mode.diff({ ...change, desired: mode.draining?.keep(change, { now: 0, earlier: new Map() }) ?? held }).steps,
      [],
    )
    assert.deepEqual(
      [...(held.services.get(web)?.servers.get(webServer)?.realServers.keys() ?? [])],
      ['10.244.1.1:8080', '10.244.1.2:8080'],
    )
  })

  it('is as the kernel has it after a restart', async () => {
    const read = await kernelWith(...restrictedAfter)
    const desired = desiredOf([everywhere({ externalIPs: [address('192.0.2.99')] }), pods(['10.244.1.9'])])
    const observed = await read()
    const held = mode.hold(desired, observed, web)
    const rendered = held.services.get(web)
    assert.deepEqual(
      [...(rendered?.servers.keys() ?? [])].toSorted(),
      ['-t 10.200.1.2:30080', webServer, '-t 198.51.100.7:80'].toSorted(),
    )
    assert.deepEqual(
      rendered?.servers.get(webServer)?.realServers,
      new Map([
        ['10.244.1.1:8080', '-m -w 1'],
        ['10.244.1.2:8080', '-m -w 1'],
      ]),
    )
    assert.deepEqual(rendered?.addresses, ['10.96.0.7', '198.51.100.7'])
    assert.ok(rendered?.entries.every(({ set, entry }) => observed.sets.get(set)?.entries.has(entry)))
  })

  it('has nothing where the kernel has nothing', () => {
    const observed = mode.parse([], 'everything', new Map())
    const held = mode.hold(desiredOf(restrictedAfter), observed, web)
    assert.equal(held.servers.size + held.addresses.size, 0)
    assert.ok([...held.sets.values()].every(({ size }) => size === 0))
  })

  it('is not there where it is not wanted and never was', () => {
    const held = mode.hold(desiredOf([]), mode.parse([], 'everything', new Map()), web)
    assert.equal(held.services.size, 0)
  })

  it('leaves what it shares to others', async () => {
    const other = service({ name: 'other', clusterIPs: [address('10.96.0.9')], externalIPs: [address('192.0.2.7')] })
    const held = mode.hold(desiredOf([...restrictedAfter, other]), mode.parse([], 'everything', new Map()), web)
    assert.ok(held.addresses.has(address('192.0.2.7')))
    assert.ok(held.servers.has('-t 192.0.2.7:80' as never))
  })
})
