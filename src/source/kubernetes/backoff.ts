// How long to wait before the next request after failures in a row. Pure.
import type { ReflectorTiming } from './timing.ts'

export interface FailedAttempt {
  /** Failures in a row, this one included: 1 or more. */
  readonly failures: number
  /** What the server asked for by Retry-After, if it did. */
  readonly retryAfterMs: number | undefined
  /** How long the failed attempt held; that time counts as waited, since it is the requests per time that must be bounded. */
  readonly lastedMs: number
}

/**
 * 0.8 s doubled to 30 s, each between once and twice as long by chance, so that the nodes of a cluster do not come back in step.
 * Never less than the first delay. Retry-After is a lower bound; nodes that were told the same spread over one more second.
 */
export function delayAfter(attempt: FailedAttempt, timing: ReflectorTiming, random: () => number): number {
  const { firstDelayMs, longestDelayMs, longestRetryAfterMs } = timing
  const base = Math.min(longestDelayMs, firstDelayMs * 2 ** (attempt.failures - 1))
  const jitter = 1 + random()
  const delay = Math.max(firstDelayMs * jitter, base * jitter - attempt.lastedMs)
  if (attempt.retryAfterMs === undefined) return delay
  return Math.max(delay, Math.min(attempt.retryAfterMs, longestRetryAfterMs) + 1000 * random())
}
