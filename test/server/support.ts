// Talking to a server under test, and listening to what observers say.
import { randomInt } from 'node:crypto'
import { type IncomingHttpHeaders, request } from 'node:http'
import { connect, createServer, type Server } from 'node:net'
import type { ObserverLog } from '../../src/sync/subscribe.ts'
import { poll } from '../support/lab/poll.ts'

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

export interface AskOptions {
  readonly port: number
  readonly path?: string
  readonly method?: string
  readonly host?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** One request on a connection of its own. Rejects where nobody listens. */
export function ask({ port, path = '/', method = 'GET', host = '127.0.0.1', headers = {} }: AskOptions): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({ host, port, path, method, headers, agent: false }, response => {
      let body = ''
      response.setEncoding('utf8').on('data', chunk => {
        body += chunk
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }))
      response.on('error', reject)
    })
    sent.on('error', reject)
    sent.end()
  })
}

/** Whether something accepts connections there. */
export function isListening(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ port, host })
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

/**
 * Someone else's program on a port: the given one, or a free one, but none of those that the kernel hands out by itself: when this one is over, a
 * connection or a server of anybody could get it. Ends with `close`.
 */
export async function occupy(port = 0, host?: string): Promise<Occupied> {
  for (;;) {
    const occupied = await listenOn(port === 0 ? randomInt(20_000, 32_000) : port, host).catch((error: NodeJS.ErrnoException) => {
      if (port !== 0 || error.code !== 'EADDRINUSE') throw error
    })
    if (occupied !== undefined) return occupied
  }
}

export interface Occupied {
  readonly port: number
  close(): Promise<void>
}

async function listenOn(port: number, host: string | undefined): Promise<Occupied> {
  const server: Server = createServer(socket => socket.destroy())
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ port, ...(host === undefined ? {} : { host }) }, resolve)
  })
  return { port, close: () => new Promise(resolve => server.close(() => resolve())) }
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const { port, close } = await occupy()
  await close()
  return port
}

export interface RecordedLog extends ObserverLog {
  readonly lines: { readonly level: keyof ObserverLog; readonly message: string }[]
}

export function recordLog(): RecordedLog {
  const lines: RecordedLog['lines'] = []
  const at = (level: keyof ObserverLog) => (message: string) => void lines.push({ level, message })
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

/** Polls until the probe gives something. */
export function until<T>(probe: () => T | undefined | Promise<T | undefined>, what: string): Promise<T> {
  return poll(probe, { what })
}
