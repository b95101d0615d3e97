// Waiting until what is read somewhere equals what a test wants, as long as the daemon lives; an error shows how they differ.
import assert from 'node:assert/strict'
import { isDeepStrictEqual } from 'node:util'
import type { Daemon } from '../lab/daemon.ts'

export interface Expectation<T> {
  readonly read: () => Promise<T>
  readonly wanted: T
  /** Completes "waited in vain for". */
  readonly what: string
}

/**
 * A read starts a program, which is what takes long in user-mode Linux: whoever waits, maybe with others side by side, must leave time for what
 * is waited for.
 */
const betweenReadsMs = 250

export async function eventually<T>(daemon: Daemon, { read, wanted, what }: Expectation<T>): Promise<void> {
  let last: unknown
  const probe = async (): Promise<true | undefined> => {
    last = await read()
    return isDeepStrictEqual(last, wanted) ? true : undefined
  }
  await daemon.waitFor(probe, { what, deadlineMs: 120_000, everyMs: betweenReadsMs }).catch((error: unknown) => {
    if (daemon.ended === undefined) assert.deepEqual(last, wanted, what)
    throw error
  })
}
