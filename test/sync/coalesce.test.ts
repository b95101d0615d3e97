// How long the next pass waits: never without bound, least after a quiet time, longer after slow passes and failures.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { backoff, gapAfterPass } from '../../src/sync/coalesce.ts'

describe('gapAfterPass, minSyncPeriod as the most', () => {
  const rows: readonly (readonly [lastPassMs: number, minSyncPeriodMs: number, gap: number])[] = [
    [0, 1000, 10],
    [5, 1000, 10],
    [10, 1000, 10],
    [20, 1000, 10],
    [30, 1000, 15],
    [100, 1000, 50],
    [2000, 1000, 1000],
    [3000, 1000, 1000],
    [5000, 1000, 1250],
    [60_000, 1000, 15_000],
    [0, 0, 10],
    [15, 0, 10],
    [300, 0, 75],
    [300, 10_000, 150],
  ]
  for (const [lastPassMs, minSyncPeriodMs, gap] of rows) {
    it(`is ${gap} ms after ${lastPassMs} ms with ${minSyncPeriodMs} ms`, () =>
      assert.equal(gapAfterPass(lastPassMs, { minSyncPeriodMs, minSyncPeriodMeaning: 'at most' }), gap))
  }
  it('is at least a quarter of the pass, so that a fifth of the time is left, and never longer than half the pass', () => {
    fc.assert(
      fc.property(fc.nat(100_000), fc.nat(100_000), (lastPassMs, minSyncPeriodMs) => {
        const gap = gapAfterPass(lastPassMs, { minSyncPeriodMs, minSyncPeriodMeaning: 'at most' })
        assert.ok(gap >= 10 && gap >= lastPassMs / 4 && gap <= Math.max(10, lastPassMs / 2))
      }),
    )
  })
})

describe("gapAfterPass, minSyncPeriod as the least, kube-proxy's meaning", () => {
  const rows: readonly (readonly [lastPassMs: number, minSyncPeriodMs: number, gap: number])[] = [
    [0, 1000, 1000],
    [500, 1000, 1000],
    [5000, 1000, 1000],
    [5, 0, 10],
  ]
  for (const [lastPassMs, minSyncPeriodMs, gap] of rows) {
    it(`is ${gap} ms after ${lastPassMs} ms with ${minSyncPeriodMs} ms`, () =>
      assert.equal(gapAfterPass(lastPassMs, { minSyncPeriodMs, minSyncPeriodMeaning: 'at least' }), gap))
  }
})

describe('backoff', () => {
  const rows: readonly (readonly [failures: number, ms: number])[] = [
    [1, 1000],
    [2, 2000],
    [3, 4000],
    [6, 32_000],
    [7, 60_000],
    [8, 60_000],
    [1000, 60_000],
    [5000, 60_000],
  ]
  for (const [failures, ms] of rows) {
    it(`is ${ms} ms after ${failures} failures, and up to a quarter more`, () => {
      assert.equal(
        backoff(failures, () => 0),
        ms,
      )
      assert.equal(
        backoff(failures, () => 1),
        ms * 1.25,
      )
      const some = backoff(failures)
      assert.ok(some >= ms && some <= ms * 1.25)
    })
  }
})
