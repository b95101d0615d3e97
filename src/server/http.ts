// Requests and responses of our servers as values, and the only place that talks node:http. Handlers are functions from one to
// the other; only GET and HEAD exist.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'

export interface HttpRequest {
  /** `/healthz`, decoded from nothing: as it stands in the request line, without its query. */
  readonly path: string
  readonly query: URLSearchParams
  /** The Accept header; undefined where there is none. */
  readonly accept: string | undefined
  /** Who asks; what is missing is not known. */
  readonly from?: RequestOrigin
}

export interface RequestOrigin {
  /** Both ends of the connection: `127.0.0.1`, also where the socket is an IPv6 one. */
  readonly localAddress: string | undefined
  readonly remoteAddress: string | undefined
  /** The headers Host, Origin and Sec-Fetch-Site: how the asker calls us, and what a browser says of the page that asks. */
  readonly host: string | undefined
  readonly origin: string | undefined
  readonly fetchSite: string | undefined
}

export interface HttpResponse {
  readonly status: number
  readonly contentType: string
  readonly headers?: Readonly<Record<string, string>>
  /** All of it; with `follow`, its beginning. */
  readonly body: string
  /** The response stays open, and this may write more. Not called for HEAD. */
  readonly follow?: (open: OpenResponse) => void
}

/** A response that goes on until somebody ends it. */
export interface OpenResponse {
  /** False, and the text is dropped, where what was written before has not left yet: nothing piles up for a slow reader. */
  write(text: string): boolean
  end(): void
  /** Aborts when the connection is gone. */
  readonly gone: AbortSignal
}

export type Handler = (request: HttpRequest) => HttpResponse | Promise<HttpResponse>

/** Where one server listens. */
export interface ListenAddress {
  /** Undefined: every address, IPv6 and IPv4 alike, or IPv4 alone where the kernel has no IPv6. */
  readonly host: string | undefined
  readonly port: number
  /** `::` without IPv4. */
  readonly ipv6Only?: boolean
}

export interface OpenServer {
  /** The port that it listens on: another than the asked one only where that was 0. */
  readonly port: number
  /** Ends all connections; the port is free when it resolves. */
  close(): Promise<void>
}

const textType = 'text/plain; charset=utf-8'
const jsonType = 'application/json'

export function textResponse(status: number, body: string, headers: Readonly<Record<string, string>> = {}): HttpResponse {
  return { status, contentType: textType, headers, body }
}

/** @param body JSON text. */
export function jsonResponse(status: number, body: string, headers: Readonly<Record<string, string>> = {}): HttpResponse {
  return { status, contentType: jsonType, headers, body }
}

/** By exact path; whatever else is asked for does not exist. */
export function routed(routes: Readonly<Record<string, Handler>>): Handler {
  return request => {
    const handler = Object.hasOwn(routes, request.path) ? routes[request.path] : undefined
    if (handler !== undefined) return handler(request)
    return textResponse(404, `there is no ${request.path} here; there is ${Object.keys(routes).join(', ')}\n`)
  }
}

/** One attempt to listen. Throws what the kernel says: EADDRINUSE, EADDRNOTAVAIL, EACCES. */
export async function openServer(options: {
  readonly at: ListenAddress
  readonly handler: Handler
  /** A handler that threw: answered by 500. */
  readonly onError: (error: unknown) => void
}): Promise<OpenServer> {
  const { at, handler, onError } = options
  const server = createServer((request, response) => {
    answer(request, response, handler).catch((error: unknown) => {
      onError(error)
      send(request, response, textResponse(500, 'this is a mistake in Switchyard; its log says more\n'))
    })
  })
  // Probes and scrapes are short: whoever is slow or holds many connections must not keep others out.
  server.requestTimeout = 10_000
  server.headersTimeout = 10_000
  server.keepAliveTimeout = 10_000
  server.maxConnections = 512
  await listen(server, at)
  server.on('error', onError)
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : at.port,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function listen(server: Server, { host, port, ipv6Only = false }: ListenAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ port, ipv6Only, ...(host === undefined ? {} : { host }) }, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

async function answer(request: IncomingMessage, response: ServerResponse, handler: Handler): Promise<void> {
  const { method = 'GET', url = '/', headers } = request
  if (method !== 'GET' && method !== 'HEAD') {
    send(request, response, textResponse(405, `${method} is not possible here, only GET and HEAD\n`, { allow: 'GET, HEAD' }))
    return
  }
  const end = url.indexOf('?')
  const path = end === -1 ? url : url.slice(0, end)
  const query = new URLSearchParams(end === -1 ? '' : url.slice(end + 1))
  send(request, response, await handler({ path, query, accept: headers.accept, from: originOf(request) }))
}

function originOf({ headers, socket }: IncomingMessage): RequestOrigin {
  const site = headers['sec-fetch-site']
  return {
    localAddress: socket.localAddress?.replace(/^::ffff:/, ''),
    remoteAddress: socket.remoteAddress?.replace(/^::ffff:/, ''),
    host: headers.host,
    origin: headers.origin,
    fetchSite: typeof site === 'string' ? site : undefined,
  }
}

/** Who we are: a probe of another proxy's port tells us from kube-proxy by it. */
export const serverHeader = 'switchyard'

function send(request: IncomingMessage, response: ServerResponse, answered: HttpResponse): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  const { status, contentType, headers, body, follow } = answered
  response.writeHead(status, {
    ...headers,
    'content-type': contentType,
    ...(follow === undefined && { 'content-length': Buffer.byteLength(body) }),
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
    server: serverHeader,
  })
  if (follow === undefined || request.method === 'HEAD') {
    response.end(request.method === 'HEAD' ? undefined : body)
    return
  }
  response.write(body)
  follow(openResponse(response))
}

function openResponse(response: ServerResponse): OpenResponse {
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  return {
    write: text => {
      if (response.destroyed || response.writableLength > 0) return false
      response.write(text)
      return true
    },
    end: () => void response.destroy(),
    gone: gone.signal,
  }
}
