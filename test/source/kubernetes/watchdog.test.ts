import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { StreamFault } from '../../../src/source/kubernetes/failure.ts'
import { createWatchdog } from '../../../src/source/kubernetes/watchdog.ts'
import { manualClock } from './support/clocks.ts'

const silent = () => new StreamFault('silent', 'quiet')
const late = () => new StreamFault('no end bookmark', 'late')

function start() {
  const clock = manualClock()
  const caller = new AbortController()
  return { clock, caller, watchdog: createWatchdog(clock, caller.signal) }
}

describe('a watchdog', () => {
  it('ends a request that is silent for longer than expected', () => {
    const { clock, watchdog } = start()
    watchdog.expect(100, silent)
    clock.advance(99)
    assert.equal(watchdog.signal.aborted, false)
    clock.advance(1)
    assert.deepEqual([watchdog.signal.aborted, watchdog.fault()?.kind], [true, 'silent'])
  })

  it('leaves alone what speaks in time', () => {
    const { clock, watchdog } = start()
    watchdog.expect(100, silent)
    for (let times = 0; times < 50; times += 1) {
      clock.advance(99)
      watchdog.touch()
    }
    assert.equal(watchdog.signal.aborted, false)
    clock.advance(100)
    assert.equal(watchdog.signal.aborted, true)
  })

  it('does not count the time in which we ourselves do not read', () => {
    const { clock, watchdog } = start()
    watchdog.expect(100, silent)
    watchdog.allow(250, late)
    watchdog.rest()
    clock.advance(10_000)
    assert.equal(watchdog.signal.aborted, false)
    watchdog.touch()
    clock.advance(99)
    assert.equal(watchdog.signal.aborted, false)
    clock.advance(1)
    assert.equal(watchdog.signal.aborted, true)
  })

  it('ends what takes too long in all although it speaks, until that is lifted', () => {
    for (const [lifted, fault] of [
      [false, 'no end bookmark'],
      [true, undefined],
    ] as const) {
      const { clock, watchdog } = start()
      watchdog.expect(100, silent)
      watchdog.allow(250, late)
      if (lifted) watchdog.allow(undefined, late)
      for (let times = 0; times < 5; times += 1) {
        clock.advance(60)
        watchdog.touch()
      }
      assert.equal(watchdog.fault()?.kind, fault)
    }
  })

  it('counts what takes too long in all without the time in which we ourselves do not read', () => {
    const { clock, watchdog } = start()
    watchdog.expect(1000, silent)
    watchdog.allow(250, late)
    for (let times = 0; times < 3; times += 1) {
      clock.advance(60)
      watchdog.rest()
      clock.advance(500)
      watchdog.touch()
    }
    clock.advance(69)
    assert.equal(watchdog.signal.aborted, false)
    clock.advance(1)
    assert.equal(watchdog.fault()?.kind, 'no end bookmark')
  })

  it('follows the caller, also one that has given up before', () => {
    const { caller, watchdog } = start()
    caller.abort()
    assert.deepEqual([watchdog.signal.aborted, watchdog.fault()], [true, undefined])
    assert.equal(createWatchdog(manualClock(), AbortSignal.abort()).signal.aborted, true)
  })

  it('leaves nothing behind', () => {
    const { clock, caller, watchdog } = start()
    watchdog.expect(100, silent)
    watchdog.allow(250, late)
    watchdog.touch()
    watchdog.end()
    assert.equal(clock.timers(), 0)
    caller.abort()
    assert.equal(watchdog.signal.aborted, false)
  })
})
