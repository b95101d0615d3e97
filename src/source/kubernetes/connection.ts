// TCP and TLS to the API server. Takes an Access, gives an undici dispatcher for it; the same one as long as nothing about
// the connection has changed. HTTP/1.1 on purpose: each watch has a connection of its own, so a stalled one stalls no other.
import { isDeepStrictEqual } from 'node:util'
import { type Dispatcher, Pool, ProxyAgent } from 'undici'
import type { Access } from './credentials.ts'

export interface Connections {
  /** Where requests for this access go. */
  to(access: Access): Dispatcher
  /** Cuts everything off. */
  destroy(): Promise<void>
}

/** An API server answers or gives up within 60 s by default (--request-timeout). */
const headersTimeoutMs = 65_000
const connectTimeoutMs = 10_000
/** The kernel asks a silent peer after this, then every second; ten unanswered questions end the connection. */
const keepAliveAfterMs = 30_000

export function createConnections(): Connections {
  let current: { readonly access: Access; readonly dispatcher: Dispatcher } | undefined
  const open = new Set<Dispatcher>()

  return {
    to(access) {
      if (current !== undefined && sameConnection(current.access, access)) return current.dispatcher
      if (current !== undefined) retire(current.dispatcher)
      current = { access, dispatcher: connect(access) }
      open.add(current.dispatcher)
      return current.dispatcher
    },
    async destroy() {
      current = undefined
      await Promise.all([...open].map(dispatcher => dispatcher.destroy()))
      open.clear()
    },
  }

  /** Streams that are under way go on until they end; new requests take the new way. */
  function retire(dispatcher: Dispatcher): void {
    dispatcher.close().then(
      () => open.delete(dispatcher),
      () => open.delete(dispatcher),
    )
  }
}

function connect({ server, tls, proxyUrl }: Access): Dispatcher {
  const { origin } = new URL(server)
  const common = { headersTimeout: headersTimeoutMs, bodyTimeout: 0, allowH2: false }
  const tcp = { keepAlive: true, keepAliveInitialDelay: keepAliveAfterMs, timeout: connectTimeoutMs }
  if (proxyUrl !== undefined) return new ProxyAgent({ ...common, uri: proxyUrl, requestTls: tls, connect: tcp })
  return new Pool(origin, { ...common, connect: { ...tls, ...tcp } })
}

function sameConnection(one: Access, other: Access): boolean {
  return one.server === other.server && one.proxyUrl === other.proxyUrl && isDeepStrictEqual(one.tls, other.tls)
}
