// What is left of ipvs mode when another one has taken over: it keeps its connections until they end or the deadline comes, whatever fails on the way,
// and then goes without a trace.
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { tables, toolsOf } from '../../src/kernel/iptables.ts'
import { type IpFamily, ipFamilies } from '../../src/model/address.ts'
import { retiringIpvsMode } from '../../src/modes/ipvs/retiring.ts'
import type { EarlierDrains } from '../../src/modes/mode.ts'
import { ipvsGuardChains } from '../../src/modes/rules/chains.ts'
import { createSyncEmitter } from '../../src/sync/events.ts'
import { retire } from '../../src/sync/retirement.ts'
import { everywhere, pods, webServer } from '../modes/ipvs/support.ts'
import { address, put, service } from '../support/cluster.ts'
import { createFakeClock } from './support/fake-clock.ts'
import { createFakeIpvsKernel, type FakeIpvsKernel } from './support/fake-ipvs-kernel.ts'
import { eventsOf, passInput, recordEvents } from './support/harness.ts'
import { createIpvsHarness } from './support/ipvs-harness.ts'

const guards: ReadonlySet<string> = new Set(ipvsGuardChains)
const deadlineMs = 3_600_000
const one = '10.244.1.1:8080'
const foreign = '-t 192.0.2.250:80'

async function programmedKernel(families: readonly IpFamily[] = ['IPv4']): Promise<FakeIpvsKernel> {
  const kernel = createFakeIpvsKernel()
  await kernel.shell(['ipvsadm', '-R'], `-A ${foreign} -s wlc`, `-a ${foreign} -r 192.0.2.251:80 -g -w 5`)
  const dual = { clusterIPs: [address('10.96.0.7'), address('fd00:10:96::7')], ipFamilies } as const
  for (const family of families) {
    const harness = createIpvsHarness({ kernel, family })
    await harness.programmed(
      put(everywhere(dual)),
      put(service({ name: 'dns', clusterIPs: [address('10.96.0.10')] })),
      put(pods(['10.244.1.1'])),
    )
  }
  for (const family of families) takeOver(kernel, family)
  kernel.connections.set(`${webServer} ${one}`, 1)
  return kernel
}

/** The mode that is in force has rules of its own now in all chains but those that guard addresses. */
function takeOver({ iptables }: FakeIpvsKernel, family: IpFamily): void {
  for (const table of tables) {
    const chains = iptables[family].chains(table).filter(name => name.startsWith('KUBE-') && !guards.has(name))
    iptables[family].edit(table, ...chains.map(name => `:${name} - [0:0]`))
  }
}

function start(
  t: TestContext,
  kernel: FakeIpvsKernel,
  options: { readonly family?: IpFamily; readonly earlierDrains?: EarlierDrains } = {},
) {
  const { family = 'IPv4', earlierDrains = new Map() } = options
  const clock = createFakeClock(t)
  const events = createSyncEmitter()
  const recorded = recordEvents(events)
  const stop = new AbortController()
  const mode = retiringIpvsMode({ family, tools: toolsOf(family, 'legacy'), deadlineMs })
  const isAnythingLeft = async () =>
    kernel.links.has('kube-ipvs0') || [...kernel.sets.keys()].some(name => name.startsWith('KUBE-'))
  let ended = false
  const done = retire(
    { mode, exec: kernel.exec, events, input: () => passInput(), now: clock.now, earlierDrains, isAnythingLeft },
    stop.signal,
  )
  const running = done.then(() => {
    ended = true
  })
  t.after(async () => {
    stop.abort()
    await clock.advance(0)
    await running
  })
  return { clock, recorded, hasEnded: () => ended, abort: () => stop.abort() }
}

const ofKube = ({ iptables }: FakeIpvsKernel) => iptables.IPv4.save().match(/:(KUBE-IPVS|SWITCHYARD)\S*/g) ?? []

describe('what ipvs mode left', () => {
  it('takes no new connection, and keeps addresses and guards for those that are open', async t => {
    const kernel = await programmedKernel()
    const { clock, recorded, hasEnded } = start(t, kernel)
    await clock.advance(4_900, 100)
    assert.deepEqual(kernel.servers.get(webServer)?.realServers, new Map([[one, '-m -w 1']]), 'a half-open one gets its answer')
    await clock.advance(15_100, 100)
    assert.deepEqual(kernel.servers.get(webServer)?.realServers, new Map([[one, '-m -w 0']]))
    assert.ok(kernel.links.get('kube-ipvs0')?.has('10.96.0.7/32'))
    assert.ok(!kernel.links.get('kube-ipvs0')?.has('10.96.0.10/32'), 'nobody is connected there')
    assert.deepEqual(ofKube(kernel), [':KUBE-IPVS-FILTER', ':KUBE-IPVS-OUT-FILTER'])
    assert.ok(!hasEnded())
    const [told] = eventsOf(recorded, 'draining').slice(-1)
    assert.equal(told?.retiring, true)
    assert.deepEqual(
      told?.drains.map(({ server, realServer }) => `${server} ${realServer}`),
      [`${webServer} ${one}`],
    )
  })

  it('goes without a trace when the last connection ends; what is of others stays', async t => {
    const kernel = await programmedKernel()
    const { clock, recorded, hasEnded } = start(t, kernel)
    await clock.advance(20_000, 100)
    kernel.connections.clear()
    await clock.advance(6_000, 100)
    assert.ok(hasEnded())
    assert.deepEqual([...kernel.servers.keys()], [foreign])
    assert.deepEqual([kernel.links.size, kernel.sets.size], [0, 0])
    assert.deepEqual(ofKube(kernel), [])
    assert.equal(eventsOf(recorded, 'retired').length, 1)
  })

  it('lets UDP go at once where nothing is open', async t => {
    const kernel = await programmedKernel()
    await kernel.shell(['ipvsadm', '-R'], '-A -u 10.96.0.7:53 -s rr', `-a -u 10.96.0.7:53 -r ${one} -m -w 1`)
    const { clock } = start(t, kernel)
    await clock.advance(11_000, 100)
    assert.ok(!kernel.servers.has('-u 10.96.0.7:53' as never))
  })

  it('ends at the deadline, and a process that was started anew does not begin it anew', async t => {
    const kernel = await programmedKernel()
    const since = Date.now() - deadlineMs
    const { clock, hasEnded } = start(t, kernel, {
      earlierDrains: new Map([[`${webServer} ${one}`, { since, goneSince: undefined }]]),
    })
    await clock.advance(11_000, 100)
    assert.ok(!kernel.servers.has(webServer))
    assert.ok(hasEnded())
  })

  it('does not get its time anew when something fails', async t => {
    const kernel = await programmedKernel()
    const { clock, recorded } = start(t, kernel)
    await clock.advance(11_000, 100)
    const before = eventsOf(recorded, 'draining').at(-1)?.drains[0]
    await new Promise(resolve => setImmediate(resolve))
    kernel.fails = argv => (argv.includes('-Ln') ? 'failed' : undefined)
    await clock.advance(6_000, 100)
    assert.equal(eventsOf(recorded, 'retireFailed').length, 1)
    kernel.fails = () => undefined
    await clock.advance(6_000, 100)
    assert.equal(eventsOf(recorded, 'draining').at(-1)?.drains[0]?.since, before?.since)
  })

  it('says that it is gone even where the last step failed and somebody else did it', async t => {
    const kernel = await programmedKernel()
    kernel.connections.clear()
    const { clock, recorded, hasEnded } = start(t, kernel)
    kernel.fails = argv => {
      if (argv[0] !== 'ip' || !argv.includes('-batch') || kernel.sets.size > 0) return undefined
      kernel.links.delete('kube-ipvs0')
      return 'busy'
    }
    await clock.advance(20_000, 100)
    assert.ok(hasEnded())
    assert.equal(eventsOf(recorded, 'retireFailed').length, 1)
    assert.equal(eventsOf(recorded, 'retired').length, 1)
  })

  it('is no matter where there is nothing', async t => {
    const kernel = createFakeIpvsKernel()
    const { clock, recorded, hasEnded } = start(t, kernel)
    await clock.advance(0)
    assert.ok(hasEnded())
    assert.deepEqual(kernel.commands, [])
    assert.deepEqual(recorded, [])
  })

  it('stays as it is when the daemon ends', async t => {
    const kernel = await programmedKernel()
    const { clock, recorded, abort, hasEnded } = start(t, kernel)
    await clock.advance(11_000, 100)
    abort()
    await clock.advance(0)
    assert.ok(hasEnded())
    assert.ok(kernel.servers.has(webServer))
    assert.equal(
      eventsOf(recorded, 'draining').at(-1)?.drains.length,
      1,
      'what is written down for the next process is not wiped out',
    )
  })
})

describe('the link, which both families share', () => {
  it('goes with the one that is done later', async t => {
    const kernel = await programmedKernel(ipFamilies)
    const { clock, hasEnded } = start(t, kernel, { family: 'IPv6' })
    await clock.advance(12_000, 100)
    assert.ok(hasEnded())
    assert.ok(kernel.links.has('kube-ipvs0'))
    assert.ok(![...(kernel.links.get('kube-ipvs0') ?? [])].some(each => each.includes(':')))
    assert.ok([...kernel.sets.keys()].every(name => !name.includes('-6-')))
    assert.ok(kernel.servers.has(webServer))
    t.mock.timers.reset()
    kernel.connections.clear()
    const other = start(t, kernel)
    await other.clock.advance(12_000, 100)
    assert.ok(other.hasEnded())
    assert.deepEqual([kernel.links.size, kernel.sets.size], [0, 0])
  })
})
