// When a family is synced, checked and tried again, in a time that the test moves. No real time decides anything here.
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { toolsOf } from '../../src/kernel/iptables.ts'
import type { ServiceKey } from '../../src/model/objects.ts'
import { iptablesMode } from '../../src/modes/iptables/index.ts'
import { createStore } from '../../src/source/store.ts'
import type { CoalesceSettings } from '../../src/sync/coalesce.ts'
import { createSyncEmitter } from '../../src/sync/events.ts'
import { FamilySync } from '../../src/sync/family-sync.ts'
import type { AnyMode } from '../../src/sync/lane.ts'
import { SyncLoop } from '../../src/sync/loop.ts'
import { address, endpoint, put, service, slice } from '../support/cluster.ts'
import { drain } from '../support/drain.ts'
import { createFakeClock, type FakeClock } from './support/fake-clock.ts'
import { createFakeKernel, type FakeKernel } from './support/fake-kernel.ts'
import { eventsOf, passInput, type RecordedEvent, recordEvents } from './support/harness.ts'

interface Running {
  readonly clock: FakeClock
  readonly kernel: FakeKernel
  readonly loop: SyncLoop
  readonly sync: FamilySync<unknown, unknown>
  readonly recorded: RecordedEvent[]
  /** Milliseconds of the clock at which each event came. */
  readonly timesOf: (name: RecordedEvent['name']) => readonly number[]
  /** Gives `web` (or another of the ten Services) an endpoint of this number, and tells the loop. */
  readonly change: (endpointNumber: number, name?: string) => void
  /** Asks the loop to end; resolves when it has. */
  readonly abort: () => Promise<void>
  /** The same, and lets as much time pass as that takes. */
  readonly stop: () => Promise<void>
}

interface Options extends Partial<CoalesceSettings> {
  readonly syncPeriodMs?: number
  readonly backend?: 'nft' | 'legacy'
  /** Something drains, with this deadline; it costs a save to look at it. */
  readonly drainsUntilMs?: number
  /** How long commands take. */
  readonly restoreMs?: number
  readonly saveMs?: number
}

const drainingUntil = (until: number): NonNullable<AnyMode['draining']> => ({
  keep: ({ desired }) => desired,
  queries: [{ argv: ['iptables-nft-save'] }],
  look: (_, __, now) => now >= until,
  list: () => [drain({ until })],
})

const names = ['web', 'other'] as const
const podOf = (name: string, number: number) =>
  slice({ name: `${name}-abc`, service: name, endpoints: [endpoint(`10.244.${number >> 8}.${number & 255}`)] })

function start(t: TestContext, options: Options = {}): Running {
  const {
    minSyncPeriodMs = 1000,
    minSyncPeriodMeaning = 'at most',
    syncPeriodMs = 30_000,
    backend = 'nft',
    restoreMs = 0,
    saveMs = 0,
    drainsUntilMs,
  } = options
  const clock = createFakeClock(t)
  const kernel = createFakeKernel()
  kernel.before = async ([tool]) => {
    const milliseconds = tool?.endsWith('-restore') ? restoreMs : tool?.endsWith('-save') ? saveMs : 0
    if (milliseconds > 0) await clock.sleep(milliseconds)
  }
  const store = createStore({ nodeName: 'node1' })
  store.apply(names.map((name, index) => put(service({ name, clusterIPs: [address(`10.96.0.${7 + index}`)] }))))
  const events = createSyncEmitter()
  const recorded = recordEvents(events)
  const times: { readonly name: RecordedEvent['name']; readonly at: number }[] = []
  const push = recorded.push.bind(recorded)
  recorded.push = (...more) => {
    for (const { name } of more) times.push({ name, at: clock.now() })
    return push(...more)
  }
  const sync = new FamilySync({
    mode: {
      ...iptablesMode('IPv4', toolsOf('IPv4', backend)),
      ...(drainsUntilMs !== undefined && { draining: drainingUntil(drainsUntilMs) }),
    },
    exec: kernel.exec,
    cluster: store,
    events,
    now: clock.now,
    wall: clock.now,
  })
  const settings = { minSyncPeriodMs, minSyncPeriodMeaning, syncPeriodMs }
  const loop = new SyncLoop({ sync, events, input: () => passInput(), settings: () => settings, now: clock.now, wall: clock.now })
  const stopped = new AbortController()
  const running = loop.run(stopped.signal)
  return {
    clock,
    kernel,
    loop,
    sync: sync as unknown as FamilySync<unknown, unknown>,
    recorded,
    timesOf: name => times.filter(time => time.name === name).map(({ at }) => at),
    change: (endpointNumber, name = 'web') => loop.markDirty(store.apply([put(podOf(name, endpointNumber))]).services),
    abort: () => {
      stopped.abort()
      return running
    },
    stop: async () => {
      let ended = false
      stopped.abort()
      const ending = running.then(() => {
        ended = true
      })
      for (let waited = 0; waited < 60_000 && !ended; waited += 100) await clock.advance(100, 20)
      assert.ok(ended, 'the loop ends')
      await ending
    },
  }
}

const holds = ({ kernel }: Running, number: number): boolean =>
  kernel.save().includes(`10.244.${number >> 8}.${number & 255}:8080`)

describe('before there is anything complete to program', () => {
  const toolsOfCommands = ({ kernel }: Running): readonly (string | undefined)[] => kernel.commands.map(([tool]) => tool)
  const [save, restore] = ['iptables-nft-save', 'iptables-nft-restore']

  it('the loop reads the kernel once and does nothing else', async t => {
    const run = start(t)
    await run.clock.advance(120_000, 100)
    assert.deepEqual(toolsOfCommands(run), [save])
    await run.stop()
  })

  it('what it read serves the first pass', async t => {
    const run = start(t, { saveMs: 3000 })
    await run.clock.advance(2000, 20)
    run.loop.markDirty('everything')
    await run.clock.advance(1000, 20)
    assert.deepEqual(run.timesOf('synced'), [3000])
    assert.deepEqual(toolsOfCommands(run), [save, restore])
    await run.stop()
  })

  it('but not where it is old by then', async t => {
    const run = start(t)
    await run.clock.advance(11_000, 20)
    run.loop.markDirty('everything')
    await run.clock.advance(5)
    assert.deepEqual(toolsOfCommands(run), [save, save, restore])
    await run.stop()
  })

  it('nor where it failed, which nobody needs to know', async t => {
    const run = start(t)
    run.kernel.fails = () => 'busy'
    await run.clock.advance(1000, 20)
    run.kernel.fails = () => undefined
    run.loop.markDirty('everything')
    await run.clock.advance(5)
    assert.deepEqual(toolsOfCommands(run), [save, save, restore])
    assert.deepEqual(run.timesOf('syncFailed'), [])
    await run.stop()
  })
})

describe('a change after a quiet time', () => {
  it('is programmed at once', async t => {
    const run = start(t)
    run.loop.markDirty('everything')
    await run.clock.advance(0)
    assert.deepEqual(run.timesOf('synced'), [0])
    await run.clock.advance(10_000, 50)
    run.change(1)
    await run.clock.advance(2)
    assert.ok(holds(run, 1))
    assert.equal(run.timesOf('synced').at(-1), 10_002)
    await run.stop()
  })

  it('makes one pass with what belongs to it and comes by another watch', async t => {
    const run = start(t, { restoreMs: 50 })
    run.loop.markDirty('everything')
    await run.clock.advance(10_000, 50)
    const before = run.timesOf('synced').length
    run.change(1)
    await run.clock.advance(1)
    run.change(2, 'other')
    await run.clock.advance(1 + 50)
    assert.ok(holds(run, 1) && holds(run, 2))
    assert.equal(run.timesOf('synced').length, before + 1)
    await run.stop()
  })

  it('shortly after another one waits for the gap, which a slow full pass does not make longer', async t => {
    const run = start(t, { restoreMs: 400 })
    run.loop.markDirty('everything')
    await run.clock.advance(401)
    assert.equal(run.timesOf('synced').length, 1)
    run.change(1)
    await run.clock.advance(10 + 400 + 2)
    assert.ok(holds(run, 1))
    await run.stop()
  })
})

describe('looks at what drains', () => {
  it('come every second, and under a storm of changes that never ends too', async t => {
    const run = start(t, { restoreMs: 50, drainsUntilMs: 1e9 })
    run.loop.markDirty('everything')
    await run.clock.advance(10_000, 10)
    const quiet = run.timesOf('looked').length
    assert.ok(quiet >= 9 && quiet <= 11, `${quiet} looks`)
    for (let number = 1; number <= 1000; number++) {
      run.change(number)
      await run.clock.advance(10)
    }
    const stormy = run.timesOf('looked').length - quiet
    assert.ok(stormy >= 8 && stormy <= 11, `${stormy} looks`)
    await run.stop()
  })

  it('come at a deadline, however far apart they are for their cost', async t => {
    const run = start(t, { saveMs: 1000, drainsUntilMs: 12_000 })
    run.loop.markDirty('everything')
    await run.clock.advance(20_000, 10)
    const looks = run.timesOf('looked')
    assert.equal(looks.length, 2, `looks at ${looks}`)
    assert.ok((looks[1] ?? 0) >= 13_000 && (looks[1] ?? 0) <= 13_100, `looks at ${looks}`)
    await run.stop()
  })
})

describe('a storm of changes', () => {
  interface Storm extends Options {
    readonly title: string
    readonly everyMs: number
    /** The longest that any change may take until the kernel has it: one pass that just began, the gap, its own pass. */
    readonly mostStaleMs: number
    readonly fewestPasses: number
    readonly mostPasses: number
  }
  const storms: readonly Storm[] = [
    { title: 'fast passes', everyMs: 5, restoreMs: 4, mostStaleMs: 4 + 10 + 4 + 10, fewestPasses: 600, mostPasses: 760 },
    {
      title: 'slow passes: the gap grows with them',
      everyMs: 5,
      restoreMs: 100,
      mostStaleMs: 100 + 50 + 100 + 10,
      fewestPasses: 62,
      mostPasses: 68,
    },
    {
      title: 'passes slower than minSyncPeriod',
      everyMs: 20,
      restoreMs: 3000,
      mostStaleMs: 3000 + 1000 + 3000 + 30,
      fewestPasses: 2,
      mostPasses: 3,
    },
    {
      title: "kube-proxy's meaning",
      everyMs: 5,
      restoreMs: 100,
      minSyncPeriodMeaning: 'at least',
      mostStaleMs: 100 + 1000 + 100 + 10,
      fewestPasses: 9,
      mostPasses: 11,
    },
  ]
  for (const { title, everyMs, mostStaleMs, fewestPasses, mostPasses, ...options } of storms) {
    it(`is coalesced, and never starves: ${title}`, async t => {
      const run = start(t, options)
      run.loop.markDirty('everything')
      await run.clock.advance(3000, 5)
      const passesBefore = run.timesOf('synced').length
      /** When each change came; numbers that the kernel has passed are done with. */
      const waiting: { readonly number: number; readonly at: number }[] = []
      let stalest = 0
      const restored = run.kernel.restores
      let seen = restored.length
      const until = run.clock.now() + 10_000
      for (let number = 1; run.clock.now() < until; number++) {
        run.change(number)
        waiting.push({ number, at: run.clock.now() })
        await run.clock.advance(everyMs)
        if (restored.length === seen) continue
        seen = restored.length
        const current = waiting.findLastIndex(({ number }) => holds(run, number))
        for (const { at } of waiting.splice(0, current + 1)) stalest = Math.max(stalest, run.clock.now() - at)
      }
      const oldest = run.clock.now() - (waiting[0]?.at ?? run.clock.now())
      assert.ok(Math.max(stalest, oldest) <= mostStaleMs, `a change waited ${Math.max(stalest, oldest)} ms`)
      const passes = run.timesOf('synced').length - passesBefore
      assert.ok(passes >= fewestPasses && passes <= mostPasses, `${passes} passes`)
      await run.clock.advance(10_000, 10)
      assert.ok(holds(run, waiting.at(-1)?.number ?? 0), 'the last one is there, too')
      await run.stop()
    })
  }
})

describe('a pass that fails', () => {
  it('is tried again after a second, two, four, up to a minute; then it is said that it works again', async t => {
    const run = start(t)
    run.loop.markDirty('everything')
    await run.clock.advance(5000, 50)
    run.kernel.fails = () => 'busy'
    run.change(1)
    await run.clock.advance(10 * 60_000, 50)
    const failures = eventsOf(run.recorded, 'syncFailed')
    const times = run.timesOf('syncFailed')
    assert.deepEqual(
      failures.map(({ failures: count }) => count),
      failures.map((_, index) => index + 1),
    )
    const expected = [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]
    for (const [index, least] of expected.entries()) {
      const waited = (times[index + 1] ?? Number.NaN) - (times[index] ?? 0)
      assert.ok(waited >= least && waited <= 1.25 * least + 50, `${waited} ms after failure ${index + 1}`)
      const promised = failures[index]?.retryInMs ?? 0
      assert.ok(Math.abs(promised - waited) <= 51, 'as was said')
    }
    assert.equal(holds(run, 1), false)
    run.kernel.fails = () => undefined
    await run.clock.advance(80_000, 50)
    assert.ok(holds(run, 1))
    assert.equal(eventsOf(run.recorded, 'recovered').length, 1)
    assert.equal(eventsOf(run.recorded, 'syncFailed').length, times.length)
    await run.stop()
  })

  it('is not tried sooner for changes that come meanwhile, and has them all when it works', async t => {
    const run = start(t)
    run.loop.markDirty('everything')
    await run.clock.advance(100)
    run.kernel.fails = () => 'busy'
    run.change(1)
    await run.clock.advance(20)
    assert.equal(run.timesOf('syncFailed').length, 1)
    for (let number = 2; number < 90; number++) {
      run.change(number, number % 2 === 0 ? 'web' : 'other')
      await run.clock.advance(10)
    }
    assert.equal(run.timesOf('syncFailed').length, 1)
    run.kernel.fails = () => undefined
    await run.clock.advance(1000)
    assert.ok(holds(run, 88) && holds(run, 89))
    await run.stop()
  })

  it('never says while it fails that it has recovered, whatever checks fall due', async t => {
    const run = start(t, { syncPeriodMs: 1000 })
    run.loop.markDirty('everything')
    await run.clock.advance(5000, 50)
    run.kernel.fails = () => 'busy'
    run.change(1)
    await run.clock.advance(200_000, 100)
    assert.deepEqual(eventsOf(run.recorded, 'recovered'), [])
    await run.stop()
  })
})

describe('checks for drift', () => {
  const vandalise = ({ kernel }: Running): void => {
    const [jump = ''] = kernel.rules('nat', 'PREROUTING') ?? []
    kernel.edit('nat', `-D PREROUTING ${jump}`)
  }
  const isMended = ({ kernel }: Running): boolean => kernel.rules('nat', 'PREROUTING')?.length === 1

  it('come a second after the first pass, then every syncPeriod', async t => {
    const run = start(t)
    run.loop.markDirty('everything')
    await run.clock.advance(95_000, 10)
    const times = run.timesOf('checked')
    assert.deepEqual(
      times.map(time => Math.round(time / 1000)),
      [1, 31, 61, 91],
    )
    assert.equal(run.kernel.restores.length, 1)
    await run.stop()
  })

  it('find what somebody did within syncPeriod, say so, and mend it at once', async t => {
    const run = start(t)
    run.loop.markDirty('everything')
    await run.clock.advance(12_000, 10)
    vandalise(run)
    await run.clock.advance(30_000, 10)
    assert.ok(isMended(run))
    assert.equal(eventsOf(run.recorded, 'driftFound').length, 1)
    assert.deepEqual(eventsOf(run.recorded, 'driftRepaired'), [{ family: 'IPv4', drifts: 1 }])
    const between = (run.timesOf('driftRepaired')[0] ?? 0) - (run.timesOf('driftFound')[0] ?? 0)
    assert.ok(between <= 20, `${between} ms`)
    await run.clock.advance(90_000, 10)
    assert.equal(eventsOf(run.recorded, 'driftFound').length, 1)
    await run.stop()
  })

  it('come under a storm of changes that never ends, too', async t => {
    // Slow passes: at the end of each the next change waits already.
    const run = start(t, { restoreMs: 50 })
    run.loop.markDirty('everything')
    await run.clock.advance(5000, 10)
    vandalise(run)
    for (let number = 1; number <= 3500 && !isMended(run); number++) {
      run.change(number)
      await run.clock.advance(10)
    }
    assert.ok(isMended(run), `not mended after ${run.clock.now() - 5000} ms of changes`)
    assert.ok(run.clock.now() - 5000 <= 31_000)
    await run.stop()
  })

  it('read everything only as often as that costs half a percent of the time, and the base chains in between', async t => {
    const run = start(t, { saveMs: 900 })
    run.loop.markDirty('everything')
    await run.clock.advance(400_000, 50)
    const checks = eventsOf(run.recorded, 'checked')
    const full = checks.flatMap(({ extent }, index) => (extent === 'everything' ? [index] : []))
    // 0.9 s are half a percent of 180 s: each sixth check.
    assert.deepEqual(full, [0, 6, 12])
    const saves = run.kernel.commands.filter(([tool]) => tool?.endsWith('-save')).length
    assert.equal(saves, 1 + full.length)
    await run.stop()
  })

  it('that read everything give up for a change, which does not wait for them, and are made again; changes without end keep them away no longer than that', async t => {
    const run = start(t, { saveMs: 5000 })
    run.loop.markDirty('everything')
    await run.clock.advance(5000, 100)
    assert.equal(run.timesOf('synced').length, 1)
    const extents = () => eventsOf(run.recorded, 'checked').map(({ extent }) => extent)
    for (const number of [1, 2, 3]) {
      // A second after the first pass, and each syncPeriod from then on, a full read is under way.
      await run.clock.advance(number === 1 ? 2000 : 31_000, 100)
      run.change(number)
      await run.clock.advance(100, 5)
      assert.ok(holds(run, number), `change ${number} does not wait`)
      await run.clock.advance(900, 100)
      assert.deepEqual(new Set(extents()), new Set(['base']), 'what is cheap is compared all the same')
      const [synced = 0, checked = 0] = [run.timesOf('synced').at(-1), run.timesOf('checked').at(-1)]
      assert.ok(synced < checked, `after the change: ${synced}, ${checked}`)
    }
    await run.clock.advance(31_000, 100)
    run.change(4)
    await run.clock.advance(100, 20)
    assert.ok(!holds(run, 4), 'the fourth full read is done to its end')
    await run.clock.advance(5000, 100)
    assert.ok(holds(run, 4))
    assert.equal(extents().at(-1), 'everything')
    // 5 s alone are half a percent of 1,000 s; the three that were given up, each after one to three seconds, count too.
    const fullReads = () => extents().filter(extent => extent === 'everything').length
    await run.clock.advance(1_500_000, 500)
    assert.equal(fullReads(), 1)
    await run.clock.advance(1_000_000, 500)
    assert.equal(fullReads(), 2)
    await run.stop()
  })

  it('that take longer than syncPeriod let passes have their turn', async t => {
    const run = start(t, { saveMs: 3000, syncPeriodMs: 1000, backend: 'legacy' })
    run.loop.markDirty('everything')
    await run.clock.advance(20_000, 20)
    const before = run.timesOf('synced').length
    for (let number = 1; number <= 100; number++) {
      run.change(number)
      await run.clock.advance(100, 20)
    }
    const passes = run.timesOf('synced').slice(before)
    assert.ok(passes.length >= 3, `${passes.length} passes in ten seconds`)
    await run.clock.advance(4000, 20)
    assert.ok(holds(run, 100))
    await run.stop()
  })

  it('that fail are said, and the next one is at its time', async t => {
    const run = start(t)
    run.loop.markDirty('everything')
    await run.clock.advance(10_000, 10)
    run.kernel.fails = ([tool]) => (tool?.endsWith('-save') ? 'busy' : undefined)
    await run.clock.advance(30_000, 10)
    const [failed] = eventsOf(run.recorded, 'syncFailed')
    assert.equal(failed?.retryInMs, 30_000)
    run.kernel.fails = () => undefined
    await run.clock.advance(30_000, 10)
    assert.equal(eventsOf(run.recorded, 'syncFailed').length, 1)
    assert.equal(eventsOf(run.recorded, 'recovered').length, 1)
    await run.stop()
  })

  it('give a quarantined Service another try after every tenth', async t => {
    const run = start(t, { syncPeriodMs: 1000 })
    run.kernel.refuses = line => (line.includes('"default/other') ? 'line' : undefined)
    run.loop.markDirty('everything')
    await run.clock.advance(100)
    assert.deepEqual([...run.sync.quarantined.keys()], ['default/other' as ServiceKey])
    run.kernel.refuses = () => undefined
    await run.clock.advance(8500, 10)
    assert.equal(run.sync.quarantined.size, 1)
    await run.clock.advance(2000, 10)
    assert.equal(run.sync.quarantined.size, 0)
    assert.equal(eventsOf(run.recorded, 'released').length, 1)
    await run.stop()
  })

  it("learn the tool's own wording with the first repair and are at rest after that", async t => {
    const run = start(t)
    run.kernel.prints = rule => rule.replace('--random-fully', '--random-fully --persistent')
    run.loop.markDirty('everything')
    await run.clock.advance(120_000, 20)
    assert.equal(eventsOf(run.recorded, 'driftFound').length, 1)
    assert.equal(eventsOf(run.recorded, 'aliasesLearned').length, 1)
    assert.equal(run.kernel.restores.length, 2)
    await run.stop()
  })
})

describe('the end', () => {
  it('waits for the pass that is under way, and starts no other', async t => {
    const run = start(t, { restoreMs: 500 })
    run.loop.markDirty('everything')
    await run.clock.advance(100)
    let ended = false
    const stopping = run.abort().then(() => {
      ended = true
    })
    run.change(1)
    await run.clock.advance(300)
    assert.equal(ended, false)
    await run.clock.advance(200)
    await stopping
    assert.equal(run.timesOf('synced').length, 1)
    assert.equal(holds(run, 1), false, 'what came after its end was asked for')
  })

  it('comes at once while the loop sleeps', async t => {
    const run = start(t)
    run.loop.markDirty('everything')
    await run.clock.advance(5000, 50)
    await run.stop()
    const commands = run.kernel.commands.length
    run.change(1)
    await run.clock.advance(60_000, 50)
    assert.equal(run.kernel.commands.length, commands)
  })
})
