// Waiting for a condition, with a deadline: the only kind of waiting that a test may do.
import { setTimeout as delay } from 'node:timers/promises'
import { slowness } from '../slowness.ts'

export interface PollOptions {
  /** What is waited for, for the error: `the marker to answer`. */
  readonly what: string
  /** Generous: it decides how long a broken test takes, never whether a working one passes. Default 20 s; more on a slow machine. */
  readonly deadlineMs?: number
  readonly everyMs?: number
  /** Added to the error: what an operator would look at next. */
  readonly context?: () => string
}

/** Asks until the answer is not undefined, and gives it. Throws after the deadline; what `probe` throws is thrown at once. */
export async function poll<T>(probe: () => T | undefined | Promise<T | undefined>, options: PollOptions): Promise<T> {
  const { what, deadlineMs = 20_000, everyMs = 10, context = () => '' } = options
  const patienceMs = deadlineMs * slowness
  const deadline = performance.now() + patienceMs
  for (;;) {
    const answer = await probe()
    if (answer !== undefined) return answer
    if (performance.now() > deadline) throw new Error(`waited ${patienceMs} ms in vain for ${what}\n${context()}`.trimEnd())
    await delay(everyMs)
  }
}
