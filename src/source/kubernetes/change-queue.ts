// Changes of several reflectors on their way to one consumer. Takes changes in order, gives all that are there at once.
// Invariant: a slow consumer makes the reflectors stop reading (`ready` waits), so what waits here stays bounded: by the
// limit plus what one replacement brings.
import type { ObjectChange } from '../source.ts'

export interface ChangeQueue {
  /** Adds changes and wakes the consumer, also when there are none: a flag may have changed. */
  push(changes: readonly ObjectChange[]): void
  /** Resolves when fewer than the limit are waiting, or when the signal aborts. */
  ready(signal: AbortSignal): Promise<void>
  /** Whether `ready` would wait. */
  full(): boolean
  /** How many changes wait. */
  size(): number
  /** All changes that wait, as soon as something was pushed; undefined when the signal aborts. One caller at a time. */
  take(signal: AbortSignal): Promise<readonly ObjectChange[] | undefined>
}

export function createChangeQueue(limit: number): ChangeQueue {
  let waiting: ObjectChange[] = []
  let pushed = false
  const pushes = createGate()
  const takes = createGate()

  return {
    push(changes) {
      // Not push(...changes): a replacement of a large cluster has more elements than a call can have arguments.
      for (const change of changes) waiting.push(change)
      pushed = true
      pushes.open()
    },
    async ready(signal) {
      while (waiting.length >= limit && !signal.aborted) await takes.passed(signal)
    },
    full: () => waiting.length >= limit,
    size: () => waiting.length,
    async take(signal) {
      while (!pushed && !signal.aborted) await pushes.passed(signal)
      if (signal.aborted) return undefined
      const taken = waiting
      waiting = []
      pushed = false
      takes.open()
      return taken
    },
  }
}

interface Gate {
  /** Lets everyone through who waits now. */
  open(): void
  /** Resolves at the next opening or when the signal aborts. */
  passed(signal: AbortSignal): Promise<void>
}

function createGate(): Gate {
  const waiters = new Set<() => void>()
  return {
    open() {
      for (const waiter of [...waiters]) waiter()
    },
    passed(signal) {
      const { promise, resolve } = Promise.withResolvers<void>()
      const done = () => {
        waiters.delete(done)
        signal.removeEventListener('abort', done)
        resolve()
      }
      if (signal.aborted) return Promise.resolve()
      waiters.add(done)
      signal.addEventListener('abort', done)
      return promise
    },
  }
}
