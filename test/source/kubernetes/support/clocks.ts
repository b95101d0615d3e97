// Clocks for tests: one that stands until it is moved, one that runs many times as fast as the wall's.
import type { Clock } from '../../../../src/source/kubernetes/clock.ts'

export interface ManualClock extends Clock {
  /** Moves on, running what falls due on the way, in order. */
  advance(milliseconds: number): void
  /** How many timers wait. */
  timers(): number
}

export function manualClock(): ManualClock {
  const timers = new Set<{ readonly at: number; readonly run: () => void }>()
  let now = 0
  return {
    now: () => now,
    schedule(milliseconds, run) {
      const timer = { at: now + milliseconds, run }
      timers.add(timer)
      return () => timers.delete(timer)
    },
    advance(milliseconds) {
      const end = now + milliseconds
      for (;;) {
        const due = [...timers].filter(({ at }) => at <= end).sort((one, other) => one.at - other.at)[0]
        if (due === undefined) break
        timers.delete(due)
        now = due.at
        due.run()
      }
      now = end
    },
    timers: () => timers.size,
  }
}

/** @param factor how many seconds pass on it in one second of the wall clock. */
export function fastClock(factor: number): Clock {
  return {
    now: () => performance.now() * factor,
    schedule(milliseconds, run) {
      const timer = setTimeout(run, milliseconds / factor)
      return () => clearTimeout(timer)
    },
  }
}
