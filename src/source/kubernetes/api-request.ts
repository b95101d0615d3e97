// A request to the API server as a value → method and path. Pure.
import type { ApiResource } from './resources.ts'

/** The verbs of RBAC that Switchyard uses. */
export type ApiVerb = 'list' | 'watch' | 'get' | 'create' | 'patch'

export interface ApiRequest {
  readonly verb: ApiVerb
  readonly resource: ApiResource
  readonly namespace?: string
  readonly name?: string
  /** Parameters of the query; an undefined one is left out. */
  readonly query?: Readonly<Record<string, string | undefined>>
  /** Sent as JSON; a patch is a JSON merge patch. */
  readonly body?: unknown
}

const methods = { list: 'GET', watch: 'GET', get: 'GET', create: 'POST', patch: 'PATCH' } as const satisfies Record<
  ApiVerb,
  string
>

export function methodOf(verb: ApiVerb): (typeof methods)[ApiVerb] {
  return methods[verb]
}

/** `/apis/discovery.k8s.io/v1/endpointslices?watch=true`; relative to the server's URL, which may have a path of its own. */
export function pathOf({ resource, namespace, name, query = {} }: ApiRequest): string {
  const prefix = resource.group === '' ? `/api/${resource.version}` : `/apis/${resource.group}/${resource.version}`
  const scope = namespace === undefined ? '' : `/namespaces/${encodeURIComponent(namespace)}`
  const object = name === undefined ? '' : `/${encodeURIComponent(name)}`
  const parameters = new URLSearchParams()
  for (const [key, value] of Object.entries(query)) {
    if (value !== undefined) parameters.set(key, value)
  }
  return `${prefix}${scope}/${resource.plural}${object}${parameters.size === 0 ? '' : `?${parameters}`}`
}
