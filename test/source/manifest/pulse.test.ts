// Waiting without losing what happens in between.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createPulse, pause } from '../../../src/source/manifest/pulse.ts'

const forEver = 1e9
const never = new AbortController().signal

describe('a pulse', () => {
  it('wakes whoever waits', async () => {
    const pulse = createPulse()
    const waiting = pulse.wait(forEver, never)
    pulse.ring()
    assert.equal(await waiting, true)
  })

  it('keeps a ring until somebody waits, and gives it once', async () => {
    const pulse = createPulse()
    pulse.ring()
    pulse.ring()
    assert.equal(await pulse.wait(forEver, never), true)
    assert.equal(await pulse.wait(1, never), false)
  })

  it('gives up after its time', async () => {
    assert.equal(await createPulse().wait(1, never), false)
  })

  it('gives up when the signal aborts, before and while it waits', async () => {
    const pulse = createPulse()
    pulse.ring()
    assert.equal(await pulse.wait(forEver, AbortSignal.abort()), false)
    const abort = new AbortController()
    const waiting = [createPulse().wait(forEver, abort.signal), pause(forEver, abort.signal)]
    abort.abort()
    assert.deepEqual(await Promise.all(waiting), [false, undefined])
  })
})
