import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { delayAfter } from '../../../src/source/kubernetes/backoff.ts'
import { defaultTiming } from '../../../src/source/kubernetes/timing.ts'

const least = () => 0
const most = () => 1 - Number.EPSILON

function delay(
  failures: number,
  more: { readonly retryAfterMs?: number; readonly lastedMs?: number; readonly random?: () => number } = {},
): number {
  const { retryAfterMs, lastedMs = 0, random = least } = more
  return delayAfter({ failures, retryAfterMs, lastedMs }, defaultTiming, random)
}

describe('the wait after failures in a row', () => {
  it('doubles from 0.8 s to 30 s', () => {
    assert.deepEqual(
      [1, 2, 3, 4, 5, 6, 7, 100].map(failures => delay(failures)),
      [800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000],
    )
  })

  it('is up to twice as long by chance, so at most a minute', () => {
    assert.deepEqual(
      [1, 2, 100].map(failures => Math.round(delay(failures, { random: most }))),
      [1600, 3200, 60_000],
    )
  })

  it('counts the time that the failed attempt held, but is never shorter than the first', () => {
    assert.equal(delay(6, { lastedMs: 5_600 }), 20_000)
    assert.equal(delay(6, { lastedMs: 100_000 }), 800)
  })

  it('is at least what the server asks for, up to five minutes, and spreads those that were told the same', () => {
    assert.equal(delay(1, { retryAfterMs: 7000 }), 7000)
    assert.equal(Math.round(delay(1, { retryAfterMs: 7000, random: most })), 8000)
    assert.equal(delay(1, { retryAfterMs: 86_400_000 }), 300_000)
    assert.equal(delay(7, { retryAfterMs: 1000 }), 30_000)
  })
})
