// A URL → what is asked of which resource, in the words of RBAC.
import type { IncomingMessage } from 'node:http'
import { type ServedResource, servedResources } from './resources.ts'

export interface ParsedRequest {
  readonly verb: 'list' | 'watch' | 'get' | 'create' | 'patch' | 'update' | 'delete'
  readonly resource: ServedResource
  readonly namespace: string | undefined
  readonly name: string | undefined
  readonly query: URLSearchParams
}

/** A request as it was seen, for tests: which verbs on which resources, with which selectors, and how it was answered. */
export interface RecordedRequest {
  readonly verb: ParsedRequest['verb']
  readonly group: string
  readonly resource: string
  readonly namespace: string | undefined
  readonly name: string | undefined
  readonly labelSelector: string | undefined
  readonly fieldSelector: string | undefined
  readonly query: Readonly<Record<string, string>>
  readonly userAgent: string
  /** Milliseconds since 1970. */
  readonly at: number
  /** HTTP status; undefined while, or where, there was no answer. */
  status: number | undefined
}

/** Undefined where the path is none of ours. */
export function parseRequest({ method = 'GET', url = '/' }: IncomingMessage): ParsedRequest | undefined {
  const { pathname, searchParams: query } = new URL(url, 'http://server')
  for (const resource of servedResources) {
    const prefix = resource.group === '' ? `/api/${resource.version}` : `/apis/${resource.group}/${resource.version}`
    if (!pathname.startsWith(`${prefix}/`)) continue
    const match = /^(?:namespaces\/([^/]+)\/)?([a-z]+)(?:\/([^/]+))?$/.exec(pathname.slice(prefix.length + 1))
    if (match === null || match[2] !== resource.plural) continue
    const [, namespace, , name] = match
    const verb = verbOf(method, name !== undefined, query)
    if (verb !== undefined) return { verb, resource, namespace, name, query }
  }
  return undefined
}

export function recordOf({ verb, resource, namespace, name, query }: ParsedRequest, request: IncomingMessage): RecordedRequest {
  return {
    verb,
    group: resource.group,
    resource: resource.plural,
    namespace,
    name,
    labelSelector: query.get('labelSelector') ?? undefined,
    fieldSelector: query.get('fieldSelector') ?? undefined,
    query: Object.fromEntries(query),
    userAgent: request.headers['user-agent'] ?? '',
    at: Date.now(),
    status: undefined,
  }
}

function verbOf(method: string, named: boolean, query: URLSearchParams): ParsedRequest['verb'] | undefined {
  switch (method) {
    case 'GET':
      if (named) return 'get'
      return ['true', '1'].includes(query.get('watch') ?? '') ? 'watch' : 'list'
    case 'POST':
      return 'create'
    case 'PATCH':
      return 'patch'
    case 'PUT':
      return 'update'
    case 'DELETE':
      return 'delete'
    default:
      return undefined
  }
}
