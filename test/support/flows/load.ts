// A client that connects to one target all the time, as a test sees it.
import type { LoadReport } from '../lab/agent/protocol.ts'
import type { Lab } from '../lab/lab.ts'
import { poll } from '../lab/poll.ts'

export interface LoadTarget {
  /** Who connects: `c`, `client`. */
  readonly from: string
  readonly address: string
  readonly port: number
  readonly perSecond: number
}

export interface RunningLoad {
  /** Connections that were begun so far. */
  attempts(): Promise<number>
  /** Waits until so many were begun. */
  reach(attempts: number): Promise<void>
  stop(): Promise<{ readonly name: string; readonly report: LoadReport }>
}

export async function startLoad(lab: Lab, { from, address, port, perSecond }: LoadTarget): Promise<RunningLoad> {
  const agent = lab.agent(from)
  const number = await agent.ask('startLoad', { protocol: 'TCP', address, port, perSecond, timeoutMs: 15_000 })
  const attempts = () => agent.ask('loadAttempts', number)
  const reached = (wanted: number) => async () => ((await attempts()) >= wanted ? true : undefined)
  return {
    attempts,
    async reach(wanted) {
      const what = `${wanted} connections from ${from} to ${address}`
      await poll(reached(wanted), { what, deadlineMs: 120_000, everyMs: 100 })
    },
    stop: async () => ({ name: `${from} -> ${address}:${port}`, report: await agent.ask('stopLoad', number) }),
  }
}

export function describeLoad(name: string, { attempts, answered, failures, slowestMs }: LoadReport): string {
  const answers = Object.entries(answered).map(([pod, count]) => `${pod} ${count}`)
  return `${name}: ${attempts} connections, ${failures.length} failed, the slowest took ${slowestMs} ms (${answers.join(', ')})`
}
