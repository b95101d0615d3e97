// What a family says of draining while its mode runs, and when another one takes over.
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { toolsOf } from '../../src/kernel/iptables.ts'
import type { Query } from '../../src/kernel/plan.ts'
import { iptablesMode } from '../../src/modes/iptables/index.ts'
import { createStore } from '../../src/source/store.ts'
import { createSyncEmitter } from '../../src/sync/events.ts'
import { inspection } from '../../src/sync/inspect.ts'
import { type AnyMode, Lane } from '../../src/sync/lane.ts'
import { drain } from '../support/drain.ts'
import { createFakeClock } from './support/fake-clock.ts'
import { createFakeKernel } from './support/fake-kernel.ts'
import { eventsOf, passInput, recordEvents } from './support/harness.ts'

const plainMode: AnyMode = iptablesMode('IPv4', toolsOf('IPv4', 'nft'))

/** One in which something drains all the time. */
function drainingMode(queries: readonly Query[]): AnyMode {
  return { ...plainMode, draining: { keep: ({ desired }) => desired, queries, look: () => false, list: () => [drain()] } }
}

function start(t: TestContext, mode: AnyMode) {
  const [clock, kernel, events] = [createFakeClock(t), createFakeKernel(), createSyncEmitter()]
  const recorded = recordEvents(events)
  const lane = new Lane({
    mode,
    retiring: () => undefined,
    isAnythingLeft: async () => false,
    exec: kernel.exec,
    cluster: createStore({ nodeName: 'node1' }),
    events,
    now: clock.now,
    input: () => passInput(),
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
  return { clock, kernel, lane, recorded }
}

describe('a family in which something drains', () => {
  it('says so after the pass, and when its connections were counted', async t => {
    const { clock, recorded } = start(t, drainingMode([]))
    await clock.advance(50, 5)
    assert.deepEqual(eventsOf(recorded, 'draining')[0], { family: 'IPv4', retiring: false, drains: [drain()] })
    await clock.advance(1100, 50)
    assert.ok(eventsOf(recorded, 'looked').length > 0)
    assert.deepEqual(eventsOf(recorded, 'lookFailed'), [])
  })

  it('says when they cannot be counted, and what drains all the same', async t => {
    const { clock, kernel, recorded } = start(t, drainingMode([{ argv: ['ipvsadm'] }]))
    kernel.fails = ([tool]) => (tool === 'ipvsadm' ? 'failed' : undefined)
    await clock.advance(50, 5)
    const before = eventsOf(recorded, 'draining').length
    await clock.advance(1100, 50)
    assert.deepEqual(eventsOf(recorded, 'looked'), [])
    assert.match(eventsOf(recorded, 'lookFailed')[0]?.error.message ?? '', /the test says/)
    assert.ok(eventsOf(recorded, 'draining').length > before)
  })

  it('leaves nothing to observers that another mode would not tell them of', async t => {
    const { clock, lane, recorded } = start(t, drainingMode([]))
    await clock.advance(50, 5)
    lane.switchTo(plainMode)
    await clock.advance(50, 5)
    const last = (retiring: boolean) => eventsOf(recorded, 'draining').findLast(told => told.retiring === retiring)
    for (const retiring of [false, true]) assert.deepEqual(last(retiring), { family: 'IPv4', retiring, drains: [] })
    assert.equal(eventsOf(recorded, 'synced').length, 2)
  })
})

describe('an inspection of a family', () => {
  it('gives nothing where another mode came while the kernel was read', async t => {
    const { clock, kernel, lane } = start(t, plainMode)
    await clock.advance(50, 5)
    assert.equal((await lane.inspect(inspection))?.family, 'IPv4')
    const read = Promise.withResolvers<void>()
    kernel.before = () => {
      kernel.before = () => {}
      return read.promise
    }
    const found = lane.inspect(inspection)
    lane.switchTo(plainMode)
    await clock.advance(50, 5)
    read.resolve()
    assert.equal(await found, undefined)
  })
})
