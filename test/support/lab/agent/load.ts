// A client that connects all the time, at a rate, whatever the answers: for tests that must not see one failed connection.
import { connectOnce } from './connect.ts'
import type { Failed, LoadOptions, LoadReport } from './protocol.ts'

export interface Load {
  attempts(): number
  /** Begins no more connections, waits for those under way, and reports on all. */
  stop(): Promise<LoadReport>
}

export function startLoad({ perSecond, ...target }: LoadOptions): Load {
  const answered: Record<string, number> = {}
  const failures: Failed[] = []
  const underWay = new Set<Promise<void>>()
  let attempts = 0
  let slowestMs = 0
  const attempt = async () => {
    const outcome = await connectOnce(target)
    if (!outcome.ok) return void failures.push(outcome)
    answered[outcome.name] = (answered[outcome.name] ?? 0) + 1
    slowestMs = Math.max(slowestMs, outcome.endedAt - outcome.startedAt)
  }
  const timer = setInterval(() => {
    attempts++
    const one = attempt().finally(() => underWay.delete(one))
    underWay.add(one)
  }, 1000 / perSecond)
  return {
    attempts: () => attempts,
    stop: async () => {
      clearInterval(timer)
      await Promise.all(underWay)
      return { attempts, answered, failures, slowestMs }
    },
  }
}
