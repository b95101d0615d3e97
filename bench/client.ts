// A client in a namespace of its own: connects to an address again and again until the wanted one answers, and says when that was.
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { answer, clock } from './helper.ts'

export type ClientQuestion =
  /** Until the connection is answered by `until`: a pod's address, or `refused`. */
  | { readonly do: 'reach'; readonly address: string; readonly port: number; readonly until: string }
  /** Until GET answers 200. */
  | { readonly do: 'get'; readonly url: string }

export interface Reached {
  /** When, by `clock`. */
  readonly at: number
}

const betweenTriesMs = 1
const patienceMs = 300_000

answer<ClientQuestion>(asked => {
  if (asked.do === 'get') return repeat(async () => (await fetch(asked.url).catch(() => undefined))?.status === 200, 10)
  return repeat(async () => (await whoAnswers(asked.address, asked.port)) === asked.until, betweenTriesMs)
})

async function repeat(attempt: () => Promise<boolean>, everyMs: number): Promise<Reached> {
  const deadline = clock() + patienceMs
  while (clock() < deadline) {
    if (await attempt()) return { at: clock() }
    await delay(everyMs)
  }
  throw new Error(`not reached within ${patienceMs / 1000} s`)
}

function whoAnswers(address: string, port: number): Promise<string> {
  return new Promise(resolve => {
    const socket = connect({ host: address, port })
    const done = (who: string): void => {
      socket.resetAndDestroy()
      resolve(who)
    }
    socket.setTimeout(2000, () => done('silence'))
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED' ? 'refused' : String(error.code)))
    socket.once('data', data => done(data.toString()))
  })
}
