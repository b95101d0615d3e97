// Time as a value that is passed in, so that a test can run an hour of waiting in a second.

export interface Clock {
  /** Milliseconds on a clock that never goes back; its zero means nothing. */
  now(): number
  /** Calls `run` once after that many milliseconds, unless the returned function is called before. */
  schedule(milliseconds: number, run: () => void): () => void
}

export const systemClock: Clock = {
  now: () => performance.now(),
  schedule(milliseconds, run) {
    const timer = setTimeout(run, milliseconds)
    return () => clearTimeout(timer)
  },
}

/** Ends after that many milliseconds or when the signal aborts, whichever comes first; never throws. */
export function sleep(clock: Clock, milliseconds: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  if (signal.aborted) return Promise.resolve()
  const cancel = clock.schedule(milliseconds, wake)
  signal.addEventListener('abort', wake)
  return promise

  function wake(): void {
    cancel()
    signal.removeEventListener('abort', wake)
    resolve()
  }
}
