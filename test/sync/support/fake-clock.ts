// A clock that stands still until a test moves it, for code that waits with setTimeout and reads an injected `now`.
import type { TestContext } from 'node:test'
import { setImmediate } from 'node:timers/promises'

export interface FakeClock {
  readonly now: () => number
  /** Lets so many milliseconds pass, `step` at a time; whatever is due runs, and what it starts, before time goes on. */
  advance(milliseconds: number, step?: number): Promise<void>
  /** Waits in this clock's time. */
  readonly sleep: (milliseconds: number) => Promise<void>
}

export function createFakeClock(t: TestContext): FakeClock {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  let time = 0
  // All that follows from one moment is promises alone, so one turn of the event loop is enough for it.
  const settle = (): Promise<void> => setImmediate()
  return {
    now: () => time,
    sleep: milliseconds => new Promise(resolve => void setTimeout(resolve, milliseconds)),
    advance: async (milliseconds, step = 1) => {
      await settle()
      for (let passed = 0; passed < milliseconds; passed += step) {
        time += step
        t.mock.timers.tick(step)
        await settle()
      }
    },
  }
}
