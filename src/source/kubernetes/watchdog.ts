// Ends a request that has gone quiet. Takes limits, gives an AbortSignal that also follows the caller's.
// Invariants: time in which we ourselves do not read is never counted; nothing stays registered after `end`.
import type { Clock } from './clock.ts'
import type { StreamFault } from './failure.ts'

export interface Watchdog {
  /** Aborts when a limit is passed or when the caller's signal does. */
  readonly signal: AbortSignal
  /** From now on at most `limitMs` may pass between two touches. Replaces the limit before. */
  expect(limitMs: number, fault: () => StreamFault): void
  /** From now on at most `limitMs` may pass in all; undefined lifts the limit. */
  allow(limitMs: number | undefined, fault: () => StreamFault): void
  /** Something came. */
  touch(): void
  /** Nothing is expected until the next touch: the consumer is busy. */
  rest(): void
  /** Which limit was passed, if one was. */
  fault(): StreamFault | undefined
  end(): void
}

interface Limit {
  readonly limitMs: number
  readonly fault: () => StreamFault
}

export function createWatchdog(clock: Clock, outer: AbortSignal): Watchdog {
  const controller = new AbortController()
  let silence: Limit | undefined
  let total: (Limit & { readonly since: number }) | undefined
  let touchedAt: number | undefined
  let restingSince: number | undefined
  let passed: StreamFault | undefined
  let cancel: (() => void) | undefined
  const follow = () => controller.abort(outer.reason)
  if (outer.aborted) follow()
  else outer.addEventListener('abort', follow)

  return {
    signal: controller.signal,
    expect(limitMs, fault) {
      silence = { limitMs, fault }
      touchedAt = clock.now()
      rearm()
    },
    allow(limitMs, fault) {
      total = limitMs === undefined ? undefined : { limitMs, fault, since: clock.now() }
      rearm()
    },
    touch() {
      touchedAt = clock.now()
      // A running timer finds the new time when it fires; one timer a limit is cheaper than one a line.
      if (restingSince === undefined) return
      if (total !== undefined) total = { ...total, since: total.since + touchedAt - restingSince }
      restingSince = undefined
      rearm()
    },
    rest() {
      restingSince ??= clock.now()
    },
    fault: () => passed,
    end() {
      cancel?.()
      outer.removeEventListener('abort', follow)
    },
  }

  function rearm(): void {
    cancel?.()
    cancel = undefined
    const due = nextDue()
    if (due !== undefined && !controller.signal.aborted) cancel = clock.schedule(Math.max(0, due.at - clock.now()), check)
  }

  function check(): void {
    const due = nextDue()
    if (due !== undefined && due.at <= clock.now()) {
      passed = due.limit.fault()
      controller.abort(passed)
    } else {
      rearm()
    }
  }

  function nextDue(): { readonly at: number; readonly limit: Limit } | undefined {
    if (restingSince !== undefined) return undefined
    const silent =
      silence === undefined || touchedAt === undefined ? undefined : { at: touchedAt + silence.limitMs, limit: silence }
    const over = total === undefined ? undefined : { at: total.since + total.limitMs, limit: total }
    if (silent === undefined || over === undefined) return silent ?? over
    return silent.at <= over.at ? silent : over
  }
}
