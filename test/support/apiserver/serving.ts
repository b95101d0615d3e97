// Requests → answers: who is asking, which fault is in force, then list, watch, get or write.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { discover } from './discovery.ts'
import type { FaultBook } from './faults.ts'
import { concerns } from './faults.ts'
import type { History } from './history.ts'
import { type Pages, serveList } from './list.ts'
import { type ParsedRequest, parseRequest, type RecordedRequest, recordOf } from './requests.ts'
import type { ApiObject } from './resources.ts'
import { type Matches, matcher, Refused } from './selectors.ts'
import { notFound, objectNotFound, type Refusal, unauthorized } from './status.ts'
import { serveWatch } from './watch.ts'
import type { Watcher } from './watcher.ts'
import { serveWrite } from './writes.ts'

export interface Serving {
  handle(request: IncomingMessage, response: ServerResponse): Promise<void>
  /** All requests so far. */
  readonly requests: readonly RecordedRequest[]
  /** The open watches that a fault concerns. */
  watchers(of: { readonly resource?: string }): readonly Watcher[]
}

export interface ServingOptions {
  readonly history: History
  readonly faults: FaultBook
  readonly pages: Pages
  readonly bookmarkEveryMs: number
  readonly goneAsStatus: () => boolean
  /** Whether who asks is known. */
  readonly isKnown: (request: IncomingMessage) => boolean
}

export function createServing(options: ServingOptions): Serving {
  const { history, faults, pages, isKnown } = options
  const requests: RecordedRequest[] = []
  const watchers = new Set<Watcher>()
  return { handle, requests, watchers: of => [...watchers].filter(watcher => concerns(of, watcher.resource)) }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readBody(request)
    const parsed = parseRequest(request)
    const record = parsed === undefined ? undefined : recordOf(parsed, request)
    if (record !== undefined) requests.push(record)
    await pause(faults.delayMs())
    const refusal = serveOrRefuse({ request, parsed, body, response })
    if (refusal !== undefined) refuse(response, refusal)
    if (record !== undefined) record.status = response.statusCode
  }

  function serveOrRefuse(asked: {
    readonly request: IncomingMessage
    readonly parsed: ParsedRequest | undefined
    readonly body: string
    readonly response: ServerResponse
  }): Refusal | undefined {
    const { request, parsed, body, response } = asked
    if (!isKnown(request)) return unauthorized
    if (parsed === undefined) return serveOther(request, response)
    try {
      const refusal = faults.refusalFor(parsed)
      if (refusal === undefined) serve(parsed, body, response)
      return refusal
    } catch (error) {
      if (error instanceof Refused) return error.refusal
      throw error
    }
  }

  function serveOther({ url = '/' }: IncomingMessage, response: ServerResponse): Refusal | undefined {
    const found = discover(new URL(url, 'http://server').pathname)
    if (found === undefined) return notFound('')
    answer(response, 200, JSON.stringify(found))
    return undefined
  }

  function serve(request: ParsedRequest, body: string, response: ServerResponse): void {
    switch (request.verb) {
      case 'list':
        answer(response, 200, serveList({ request, history, pages, matches: matchesOf(request) }))
        break
      case 'watch':
        follow(request, response)
        break
      case 'get':
        answer(response, 200, JSON.stringify(getOne(request)))
        break
      default: {
        const { status, object } = serveWrite(request, body, history)
        answer(response, status, JSON.stringify(object))
      }
    }
  }

  function follow(request: ParsedRequest, response: ServerResponse): void {
    const { bookmarkEveryMs } = options
    const goneAsStatus = options.goneAsStatus()
    const watcher = serveWatch({ request, response, history, faults, matches: matchesOf(request), bookmarkEveryMs, goneAsStatus })
    watchers.add(watcher)
    response.on('close', () => watchers.delete(watcher))
  }

  function getOne({ resource, namespace, name = '' }: ParsedRequest): ApiObject {
    const object = history.get(resource, namespace === undefined ? name : `${namespace}/${name}`)
    if (object === undefined) throw new Refused(objectNotFound(resource.plural, name))
    return object
  }

  function matchesOf({ resource, namespace, query }: ParsedRequest): Matches {
    const selectors = {
      labelSelector: query.get('labelSelector') ?? undefined,
      fieldSelector: query.get('fieldSelector') ?? undefined,
    }
    const selected = matcher(resource, selectors, faults.unknownFields())
    return object => (namespace === undefined || object.metadata.namespace === namespace) && selected(object)
  }
}

async function pause(milliseconds: number): Promise<void> {
  if (milliseconds > 0) await new Promise(resolve => setTimeout(resolve, milliseconds))
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}

function answer(response: ServerResponse, status: number, body: string, headers: Readonly<Record<string, string>> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(body)
}

function refuse(response: ServerResponse, { status, headers }: Refusal): void {
  answer(response, status.code, JSON.stringify(status), headers)
}
