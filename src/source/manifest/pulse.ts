// Waiting for "something happened" without losing what happened in between.

export interface Pulse {
  ring(): void
  /** True as soon as it was rung since the last wait that said so; false after `milliseconds`, or when the signal aborts. */
  wait(milliseconds: number, signal: AbortSignal): Promise<boolean>
}

export function createPulse(): Pulse {
  let rung = false
  let wake: (() => void) | undefined
  const taken = (): boolean => {
    const was = rung
    rung = false
    return was
  }
  return {
    ring() {
      rung = true
      wake?.()
    },
    async wait(milliseconds, signal) {
      if (!rung && !signal.aborted) await untilWoken(milliseconds, signal, resolve => (wake = resolve))
      wake = undefined
      return taken() && !signal.aborted
    },
  }
}

/** Resolves after `milliseconds`, or at once when the signal aborts. */
export async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await createPulse().wait(milliseconds, signal)
}

function untilWoken(milliseconds: number, signal: AbortSignal, onWake: (wake: () => void) => void): Promise<void> {
  return new Promise(resolve => {
    const finish = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', finish)
      resolve()
    }
    const timer = setTimeout(finish, milliseconds)
    signal.addEventListener('abort', finish, { once: true })
    onWake(finish)
  })
}
