// How long to wait before the next pass: none after a quiet time, some under a storm, never without bound.

export interface CoalesceSettings {
  /** iptables.minSyncPeriod, milliseconds. */
  readonly minSyncPeriodMs: number
  /** `at most`: our reading, the most that a change waits for others. `at least`: kube-proxy's, the least gap between two passes. */
  readonly minSyncPeriodMeaning: 'at most' | 'at least'
}

/** Milliseconds from the first change after a quiet time until its pass: what belongs together (a Service and its endpoints) comes by several watches. */
export const gatherMs = 2

/**
 * Milliseconds between the end of a pass and the start of the next. `lastPassMs`: how long the last partial pass took. The gap is half of that: a slow
 * pass earns a longer one, in which more changes gather, and a storm takes two thirds of the time. A change that comes when a pass has just begun waits
 * for that pass, the gap and its own pass; a gap as long as the pass made the slowest in a hundred a quarter slower. Where half a pass is longer than
 * minSyncPeriod, the gap is that, but at least a quarter of the pass. Full passes do not count, and failures have a backoff of their own.
 */
export function gapAfterPass(lastPassMs: number, { minSyncPeriodMs, minSyncPeriodMeaning }: CoalesceSettings): number {
  const shortest = 10
  if (minSyncPeriodMeaning === 'at least') return Math.max(shortest, minSyncPeriodMs)
  return Math.max(shortest, Math.min(lastPassMs / 2, Math.max(minSyncPeriodMs, lastPassMs / 4)))
}

/** Milliseconds until the next try after `failures` in a row: 1 s doubled to a minute, up to a quarter more so that families spread. */
export function backoff(failures: number, random: () => number = Math.random): number {
  return Math.min(60_000, 1000 * 2 ** (failures - 1)) * (1 + random() / 4)
}
