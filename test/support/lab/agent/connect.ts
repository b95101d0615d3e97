// One connection and its fate: who answered and what it saw, or why nobody did.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect as connectTcp, isIPv6, type Socket } from 'node:net'
import { reasonOf } from './failure-reason.ts'
import {
  type ConnectOptions,
  type FailureReason,
  type LocalEnd,
  type Outcome,
  parseGreeting,
  plainAddress,
  type Target,
} from './protocol.ts'
import { connectOnceOverSctp, connectOverSctp } from './sctp.ts'

/**
 * `count` connections, `parallel` at a time (over SCTP one by one), in the order in which they were begun. A failure is an
 * outcome.
 */
export async function connectMany({ count, parallel, ...target }: ConnectOptions): Promise<readonly Outcome[]> {
  if (target.protocol === 'SCTP') return connectOverSctp(target, count)
  const outcomes: Outcome[] = []
  let begun = 0
  const worker = async () => {
    while (begun < count) {
      const position = begun++
      outcomes[position] = await connectOnce(target)
    }
  }
  await Promise.all(Array.from({ length: Math.min(parallel, count) }, worker))
  return outcomes
}

export function connectOnce(target: Target): Promise<Outcome> {
  switch (target.protocol) {
    case 'TCP':
      return getOverTcp(target)
    case 'UDP':
      return askOverUdp(target)
    case 'SCTP':
      return connectOnceOverSctp(target)
  }
}

/** Sends `text` and reads until one whole greeting is there. */
export async function exchange(socket: Socket, { text, timeoutMs }: { text: string; timeoutMs: number }): Promise<Outcome> {
  const attempt = begin()
  let body = ''
  const outcome = await raceTimeout<Outcome>(timeoutMs, {
    late: () => attempt.failed('timeout', `no answer within ${timeoutMs} ms`),
    settle: resolve => {
      socket.on('data', chunk => {
        body += String(chunk)
        const found = parseGreeting(body.split('\r\n\r\n').at(-1) ?? '')
        if (found !== undefined) resolve({ ok: true, ...found, ...attempt.ended() })
      })
      socket.on('error', error => resolve(attempt.failed(reasonOf(error), error.message)))
      socket.on('close', () => resolve(attempt.failed('reset', `closed after ${JSON.stringify(body)}`)))
      // The local end is known once the kernel has begun to connect, which Node does on the next tick.
      process.nextTick(() => attempt.rememberLocalEnd(socket))
      socket.write(text)
    },
  })
  for (const event of ['data', 'error', 'close']) socket.removeAllListeners(event)
  socket.on('error', () => socket.destroy())
  return outcome
}

async function getOverTcp({ address, port, from, timeoutMs }: Target): Promise<Outcome> {
  const socket = connectTcp({ host: address, port, ...(from === undefined ? {} : { localAddress: from }) })
  const outcome = await exchange(socket, { text: `GET / HTTP/1.1\r\nHost: lab\r\n\r\n`, timeoutMs })
  if (outcome.ok) socket.end()
  else socket.destroy()
  return outcome
}

async function askOverUdp({ address, port, from, timeoutMs }: Target): Promise<Outcome> {
  const attempt = begin()
  const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4')
  try {
    socket.bind({ port: 0, ...(from === undefined ? {} : { address: from }) })
    await once(socket, 'listening')
    socket.connect(port, address)
    await once(socket, 'connect')
    const { address: localAddress, port: localPort } = socket.address()
    attempt.rememberLocalEnd({ localAddress, localPort })
    return await raceTimeout<Outcome>(timeoutMs, {
      late: () => attempt.failed('timeout', `no answer within ${timeoutMs} ms`),
      settle: resolve => {
        socket.on('error', error => resolve(attempt.failed(reasonOf(error), error.message)))
        socket.on('message', message => {
          const found = parseGreeting(String(message))
          resolve(found === undefined ? attempt.failed('other', `answer ${message}`) : { ok: true, ...found, ...attempt.ended() })
        })
        socket.send('who are you?')
      },
    })
  } catch (error) {
    return attempt.failed(reasonOf(error), String(error))
  } finally {
    socket.close()
  }
}

function begin() {
  const startedAt = Date.now()
  let end: LocalEnd = { localAddress: '', localPort: 0 }
  const ended = () => ({ ...end, startedAt, endedAt: Date.now() })
  return {
    rememberLocalEnd: ({ localAddress, localPort }: { localAddress?: string | undefined; localPort?: number | undefined }) => {
      end = { localAddress: plainAddress(localAddress ?? ''), localPort: localPort ?? 0 }
    },
    ended,
    failed: (reason: FailureReason, detail: string): Outcome => ({ ok: false, reason, detail, ...ended() }),
  }
}

async function raceTimeout<T>(
  milliseconds: number,
  { settle, late }: { settle: (resolve: (value: T) => void) => void; late: () => T },
): Promise<T> {
  const { promise, resolve } = Promise.withResolvers<T>()
  const timer = setTimeout(() => resolve(late()), milliseconds)
  settle(resolve)
  try {
    return await promise
  } finally {
    clearTimeout(timer)
  }
}
