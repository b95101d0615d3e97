// HTTP to the API server: a request as a value in, a stream of bytes or a JSON value out, and every failure as an ApiError.
// Retries nothing and times nothing but the connection: who asks knows how long an answer may take.
import type { IncomingMessage } from 'node:http'
import { connectionError, credentialsError, type RequestContext, statusError } from './api-error.ts'
import { type ApiRequest, methodOf, pathOf } from './api-request.ts'
import { type ApiStatus, readStatusText, retryAfterMs } from './api-status.ts'
import { createConnections } from './connection.ts'
import type { Access, Credentials } from './credentials.ts'
import type { ApiError } from './failure.ts'

export interface ApiClient {
  /** The API server's URL. */
  readonly server: string
  /**
   * Sends a request; resolves with the body when the server answers 2xx. Read the body to its end or abort the signal.
   * Reading slowly slows the server down. Throws ApiError; a body that breaks off throws one too.
   */
  open(request: ApiRequest, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>
  /** Sends a request and reads its whole answer as JSON. For single objects. Throws ApiError. */
  send(request: ApiRequest, signal: AbortSignal): Promise<unknown>
  /** What a Status in the middle of a stream means, as `open` would have thrown it. */
  refusal(request: ApiRequest, status: ApiStatus): ApiError
  /** Loads the credentials again. Several callers at a time share one load. Throws CredentialsError. */
  refreshCredentials(): Promise<void>
  /** Ends all requests. */
  close(): Promise<void>
}

export interface ApiClientOptions {
  readonly credentials: Credentials
  /** `switchyard/0.1.0 (linux/amd64)`. */
  readonly userAgent: string
}

const longestErrorBody = 64 * 1024

export function createApiClient({ credentials, userAgent }: ApiClientOptions): ApiClient {
  const connections = createConnections()
  let refreshing: Promise<void> | undefined

  return {
    get server() {
      return credentials.server
    },
    async open(request, signal) {
      const access = await accessFor(request, signal)
      const context = contextOf(request, access.server)
      const response = await send({ request, access, signal, context })
      const { statusCode = 0, headers } = response
      if (statusCode >= 200 && statusCode < 300) return readBody(response, context)
      const status = readStatusText(await readText(response, longestErrorBody).catch(() => ''), statusCode)
      throw statusError(context, status, retryAfterMs(headers['retry-after'], Date.now()))
    },
    async send(request, signal) {
      const chunks: Uint8Array[] = []
      for await (const chunk of await this.open(request, signal)) chunks.push(chunk)
      try {
        return JSON.parse(Buffer.concat(chunks).toString('utf8'))
      } catch (error) {
        throw connectionError(contextOf(request, credentials.server), error)
      }
    },
    refusal: (request, status) => statusError(contextOf(request, credentials.server), status, undefined),
    refreshCredentials() {
      refreshing ??= credentials.refresh().finally(() => {
        refreshing = undefined
      })
      return refreshing
    },
    close: async () => connections.destroy(),
  }

  async function accessFor(request: ApiRequest, signal: AbortSignal): Promise<Access> {
    try {
      return await unlessAborted(credentials.current(), signal)
    } catch (error) {
      throw credentialsError(contextOf(request, credentials.server), error)
    }
  }

  function contextOf(request: ApiRequest, server: string): RequestContext {
    return { request, server, credentials: credentials.description }
  }

  async function send(sending: {
    readonly request: ApiRequest
    readonly access: Access
    readonly signal: AbortSignal
    readonly context: RequestContext
  }): Promise<IncomingMessage> {
    const { request, access, signal, context } = sending
    try {
      return await connections.send(access, {
        path: pathOf(request),
        method: methodOf(request.verb),
        headers: { ...access.headers, ...bodyHeaders(request), accept: 'application/json', 'user-agent': userAgent },
        body: request.body === undefined ? undefined : JSON.stringify(request.body),
        signal,
      })
    } catch (error) {
      throw connectionError(context, error)
    }
  }
}

/** An exec plugin that hangs must not hold whoever waits for it. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const abort = () => reject(signal.reason)
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort)
  try {
    return await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

function bodyHeaders({ verb, body }: ApiRequest): Record<string, string> {
  if (body === undefined) return {}
  return { 'content-type': verb === 'patch' ? 'application/merge-patch+json' : 'application/json' }
}

async function* readBody(body: AsyncIterable<Uint8Array>, context: RequestContext): AsyncGenerator<Uint8Array> {
  try {
    yield* body
  } catch (error) {
    throw connectionError(context, error)
  }
}

async function readText(body: AsyncIterable<Uint8Array>, limitBytes: number): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of body) {
    chunks.push(chunk)
    bytes += chunk.length
    if (bytes > limitBytes) break
  }
  return Buffer.concat(chunks).toString('utf8')
}
