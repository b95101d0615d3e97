// A rate limit that lets a burst pass. Times are milliseconds of any one clock.

export class TokenBucket {
  readonly #options: { readonly burst: number; readonly everyMs: number }
  #tokens: number
  #filledAt: number | undefined

  /** @param options.everyMs one more may pass after so long. */
  constructor(options: { readonly burst: number; readonly everyMs: number }) {
    this.#options = options
    this.#tokens = options.burst
  }

  /** Whether one may pass now; then it counts as passed. */
  take(now: number): boolean {
    const { burst, everyMs } = this.#options
    this.#tokens = Math.min(burst, this.#tokens + (now - (this.#filledAt ?? now)) / everyMs)
    this.#filledAt = now
    if (this.#tokens < 1) return false
    this.#tokens -= 1
    return true
  }
}
