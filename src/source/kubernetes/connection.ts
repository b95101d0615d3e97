// TCP and TLS to the API server. Takes an Access, gives connections for it; the same ones as long as nothing about
// them has changed. HTTP/1.1 on purpose: each watch has a connection of its own, so a stalled one stalls no other.
import { type AgentOptions, Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import type { Socket } from 'node:net'
import { isDeepStrictEqual } from 'node:util'
import type { Access } from './credentials.ts'

export interface Sending {
  readonly path: string
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | undefined
  readonly signal: AbortSignal
}

export interface Connections {
  /** Resolves when the head of the answer is there. Read the answer to its end or abort the signal. */
  send(access: Access, sending: Sending): Promise<IncomingMessage>
  /** Cuts everything off. */
  destroy(): void
}

/** No answer, or not even a connection, in time. */
class TooSlow extends Error {
  override readonly name = 'TooSlow'
  readonly code = 'ETIMEDOUT'
}

/** An API server answers or gives up within 60 s by default (--request-timeout). */
const headersTimeoutMs = 65_000
const connectTimeoutMs = 10_000
/** The kernel asks a silent peer after this, then every second; ten unanswered questions end the connection. */
const keepAliveAfterMs = 30_000
/** A server, or what stands before it, may close a connection that nobody uses, at the moment in which somebody does. */
const unusedMs = 4000

export function createConnections(): Connections {
  let current: { readonly access: Access; readonly agent: HttpAgent } | undefined
  const open = new Set<HttpAgent>()

  return {
    send: (access, sending) => send(agentFor(access), access, sending),
    destroy() {
      current = undefined
      for (const agent of open) agent.destroy()
      open.clear()
    },
  }

  /** After a change streams that are under way go on until they end; new requests take the new way. */
  function agentFor(access: Access): HttpAgent {
    if (current !== undefined && sameConnection(current.access, access)) return current.agent
    for (const agent of open) if (Object.keys(agent.sockets).length === 0) open.delete(agent)
    current = { access, agent: createAgent(access) }
    open.add(current.agent)
    return current.agent
  }
}

function createAgent({ server, tls, proxyUrl }: Access): HttpAgent {
  const options: AgentOptions = {
    keepAlive: true,
    // Also the limit for a proxy's answer.
    timeout: proxyUrl === undefined ? unusedMs : connectTimeoutMs,
    ...(proxyUrl !== undefined && { proxyEnv: { HTTP_PROXY: proxyUrl, HTTPS_PROXY: proxyUrl } }),
  }
  return isTls(server) ? new HttpsAgent({ ...options, ...tls }) : new HttpAgent(options)
}

/** Always settles: a request that waits for a proxy's tunnel has no socket yet, and then Node tells nobody of its end. */
function send(agent: HttpAgent, { server }: Access, { path, method, headers, body, signal }: Sending): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const { pathname } = new URL(server)
  const url = new URL(`${pathname.replace(/\/$/, '')}${path}`, server)
  const asked = (isTls(server) ? httpsRequest : httpRequest)(url, { agent, method, headers, signal })
  const end = (error: Error): void => {
    asked.destroy(error)
    reject(error)
  }
  const giveUp = (after: number, what: string): NodeJS.Timeout =>
    setTimeout(() => end(new TooSlow(`${what} within ${after / 1000} s`)), after)
  const abort = (): void => end(signal.reason)
  const answering = giveUp(headersTimeoutMs, 'no answer')
  const connecting = giveUp(connectTimeoutMs, 'no connection')
  const stopWaiting = (): void => {
    ;[answering, connecting].forEach(clearTimeout)
    signal.removeEventListener('abort', abort)
  }
  if (signal.aborted) abort()
  else signal.addEventListener('abort', abort)
  asked.on('socket', (socket: Socket) => {
    socket.setKeepAlive(true, keepAliveAfterMs)
    if (asked.reusedSocket || isConnected(socket)) clearTimeout(connecting)
    else socket.once(isTls(server) ? 'secureConnect' : 'connect', () => clearTimeout(connecting))
  })
  asked.on('close', () => {
    stopWaiting()
    // Where an answer is none: 101, which nobody asked for. Says nothing after any other end.
    reject(new Error('the connection was closed without an answer'))
  })
  asked.on('error', reject)
  asked.on('response', response => {
    stopWaiting()
    resolve(response)
  })
  asked.end(body)
  return promise
}

/** A socket that comes through a tunnel comes when TLS is up. */
function isConnected(socket: Socket & { readonly secureConnecting?: boolean }): boolean {
  return !socket.connecting && socket.secureConnecting !== true
}

function isTls(server: string): boolean {
  return server.startsWith('https:')
}

function sameConnection(one: Access, other: Access): boolean {
  return one.server === other.server && one.proxyUrl === other.proxyUrl && isDeepStrictEqual(one.tls, other.tls)
}
