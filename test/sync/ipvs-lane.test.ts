// One family changes modes while it runs: the old loop has ended before the new one begins, what is shared changes in one rewrite, open connections keep what
// is left of their time, and in the end nothing of the former mode is there.
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { toolsOf } from '../../src/kernel/iptables.ts'
import { iptablesMode } from '../../src/modes/iptables/index.ts'
import { retiringIpvsMode } from '../../src/modes/ipvs/retiring.ts'
import type { ObjectChange } from '../../src/source/source.ts'
import { createStore } from '../../src/source/store.ts'
import { createSyncEmitter } from '../../src/sync/events.ts'
import { type AnyMode, Lane } from '../../src/sync/lane.ts'
import { pods, trafficSettings, webServer } from '../modes/ipvs/support.ts'
import { put, service } from '../support/cluster.ts'
import { createFakeClock } from './support/fake-clock.ts'
import { createFakeIpvsKernel, type FakeIpvsKernel } from './support/fake-ipvs-kernel.ts'
import { eventsOf, passInput, recordEvents } from './support/harness.ts'
import { testIpvsMode } from './support/ipvs-harness.ts'

const tools = toolsOf('IPv4', 'legacy')
const iptables: AnyMode = iptablesMode('IPv4', tools)
const ipvs: AnyMode = testIpvsMode('IPv4')
const [one, two] = ['10.244.1.1:8080', '10.244.1.2:8080']

function start(t: TestContext, mode: AnyMode, kernel: FakeIpvsKernel = createFakeIpvsKernel()) {
  const clock = createFakeClock(t)
  const events = createSyncEmitter()
  const recorded = recordEvents(events)
  const store = createStore({ nodeName: 'node1' })
  store.apply([put(service()), put(pods(['10.244.1.1', '10.244.1.2']))])
  const settings = trafficSettings()
  const lane = new Lane({
    mode,
    retiring: of => (of.name === 'ipvs' ? undefined : retiringIpvsMode({ family: 'IPv4', tools, deadlineMs: 86_400_000 })),
    isAnythingLeft: async () => kernel.links.has('kube-ipvs0'),
    exec: kernel.exec,
    cluster: store,
    events,
    now: clock.now,
    input: () => passInput({ settings }),
    settings: () => ({ minSyncPeriodMs: 1000, minSyncPeriodMeaning: 'at most', syncPeriodMs: 30_000 }),
    earlierDrains: new Map(),
  })
  const stop = new AbortController()
  const running = lane.run(stop.signal)
  t.after(async () => {
    stop.abort()
    await clock.advance(5)
    await running
  })
  lane.markDirty('everything')
  const change = (...changes: readonly ObjectChange[]) => lane.markDirty(store.apply(changes).services)
  const drains = () =>
    [false, true].flatMap(of => eventsOf(recorded, 'draining').findLast(({ retiring }) => retiring === of)?.drains ?? [])
  return { clock, kernel, lane, recorded, change, drains }
}

const rules = ({ iptables: { IPv4 } }: FakeIpvsKernel): string => IPv4.save()

describe('a change of modes', () => {
  it('to ipvs sweeps the chains of iptables mode, when all else is there', async t => {
    const { clock, kernel, lane } = start(t, iptables)
    await clock.advance(2000, 20)
    assert.match(rules(kernel), /KUBE-SVC-/)
    lane.switchTo(ipvs)
    await clock.advance(2000, 20)
    assert.equal(lane.mode, ipvs)
    assert.doesNotMatch(rules(kernel), /KUBE-SVC-|KUBE-SEP-/)
    assert.deepEqual(
      kernel.servers.get(webServer)?.realServers,
      new Map([
        [one, '-m -w 1'],
        [two, '-m -w 1'],
      ]),
    )
    const tools = kernel.fed.map(({ argv: [tool] }) => tool)
    assert.deepEqual(tools.slice(tools.indexOf('ipset')), ['ipset', 'ipvsadm', 'ip', tools[0], tools[0]])
  })

  it('to iptables leaves connections what they came by, and then nothing', async t => {
    const { clock, kernel, lane, recorded, drains } = start(t, ipvs)
    await clock.advance(2000, 20)
    kernel.connections.set(`${webServer} ${one}`, 1)
    lane.switchTo(iptables)
    await clock.advance(12_000, 20)
    assert.match(rules(kernel), /KUBE-SVC-/)
    assert.deepEqual(kernel.servers.get(webServer)?.realServers, new Map([[one, '-m -w 0']]))
    assert.equal(drains().length, 1)
    kernel.connections.clear()
    await clock.advance(12_000, 20)
    assert.deepEqual([kernel.servers.size, kernel.sets.size, kernel.links.size], [0, 0, 0])
    assert.doesNotMatch(rules(kernel), /IPVS/)
    assert.equal(eventsOf(recorded, 'retired').length, 1)
    assert.deepEqual(drains(), [])
  })

  it('and back within the time gives real servers their weight, and those that are wanted no more what is left of theirs', async t => {
    const { clock, kernel, lane, change, drains } = start(t, ipvs)
    await clock.advance(2000, 20)
    for (const realServer of [one, two]) kernel.connections.set(`${webServer} ${realServer}`, 1)
    lane.switchTo(iptables)
    await clock.advance(12_000, 20)
    const since = drains().find(({ realServer }) => realServer === two)?.since
    change(put(pods(['10.244.1.1', '10.244.1.2 not ready'])))
    await clock.advance(2000, 20)
    lane.switchTo(ipvs)
    await clock.advance(5000, 20)
    assert.deepEqual(
      kernel.servers.get(webServer)?.realServers,
      new Map([
        [one, '-m -w 1'],
        [two, '-m -w 0'],
      ]),
    )
    assert.deepEqual(
      drains().map(each => [each.realServer, each.since]),
      [[two, since]],
    )
  })

  it('to another scheduler of the same mode does not begin drains anew', async t => {
    const { clock, kernel, lane, change, drains } = start(t, ipvs)
    await clock.advance(2000, 20)
    kernel.connections.set(`${webServer} ${two}`, 1)
    change(put(pods(['10.244.1.1'])))
    await clock.advance(2000, 20)
    const [before] = drains()
    assert.ok(before)
    lane.switchTo(testIpvsMode('IPv4'))
    await clock.advance(2000, 20)
    assert.deepEqual(
      drains().map(({ since, goneSince, until }) => ({ since, goneSince, until })),
      [{ since: before.since, goneSince: before.goneSince, until: before.until }],
    )
  })

  it('waits for the pass that is under way: two loops never write at the same time', async t => {
    const { clock, kernel, lane } = start(t, iptables)
    const order: string[] = []
    kernel.before = async argv => {
      if (argv[0]?.endsWith('-restore')) {
        order.push('begins')
        await clock.sleep(500)
        order.push('ends')
      } else if (argv.join(' ') === 'ipset save') order.push('ipvs reads')
    }
    await clock.advance(100, 20)
    lane.switchTo(ipvs)
    await clock.advance(3000, 20)
    assert.deepEqual(order.slice(0, 3), ['begins', 'ends', 'ipvs reads'])
    assert.ok(kernel.servers.has(webServer))
  })

  it('that is taken back at once ends in the last one', async t => {
    const { clock, kernel, lane } = start(t, iptables)
    lane.switchTo(ipvs)
    lane.switchTo(iptables)
    await clock.advance(3000, 20)
    assert.equal(lane.mode, iptables)
    assert.match(rules(kernel), /KUBE-SVC-/)
    assert.equal(kernel.servers.size, 0)
  })
})
