// What a reflector asks for → the request with its query parameters. Pure.
import type { ApiRequest } from './api-request.ts'
import type { Request } from './reflector-state.ts'
import type { FollowedResource } from './resources.ts'

export interface QueryOptions {
  readonly resource: FollowedResource
  readonly withoutFieldSelector: boolean
}

export type StreamRequest = Request & { readonly doing: 'stream list' | 'watch' }

/** Pages only where the server reads its database; its cache gives everything at once whatever the limit. */
const pageSize = '500'

/** @param timeoutSeconds when the server is to end the watch by itself. */
export function watchRequest(
  { resource, withoutFieldSelector }: QueryOptions,
  request: StreamRequest,
  timeoutSeconds: number,
): ApiRequest {
  const position =
    request.doing === 'watch'
      ? { resourceVersion: request.after }
      : { resourceVersion: request.notOlderThan, sendInitialEvents: 'true', resourceVersionMatch: 'NotOlderThan' }
  return {
    verb: 'watch',
    resource,
    query: {
      ...selectors(resource, withoutFieldSelector),
      watch: 'true',
      allowWatchBookmarks: 'true',
      timeoutSeconds: String(timeoutSeconds),
      ...position,
    },
  }
}

/** @param continueToken of the page before; a token stands for its list's version. */
export function listRequest(
  { resource, withoutFieldSelector }: QueryOptions,
  { notOlderThan }: Request & { readonly doing: 'list' },
  continueToken: string | undefined,
): ApiRequest {
  const paged = notOlderThan === '' ? { limit: pageSize, continue: continueToken } : {}
  const position = notOlderThan === '' ? {} : { resourceVersion: notOlderThan }
  return { verb: 'list', resource, query: { ...selectors(resource, withoutFieldSelector), ...paged, ...position } }
}

/** One object at most, out of the server's cache, once that has come as far as we have. */
export function verifyRequest(resource: FollowedResource, { after }: Request & { readonly doing: 'verify' }): ApiRequest {
  const { namespace, name } = resource.witness
  const query = { fieldSelector: `metadata.name=${name}`, resourceVersion: after }
  return { verb: 'list', resource, ...(namespace === undefined ? {} : { namespace }), query }
}

function selectors(resource: FollowedResource, withoutFieldSelector: boolean): Record<string, string | undefined> {
  const { labelSelector, fieldSelector, fieldSelectorIsOptional } = resource
  return { labelSelector, fieldSelector: withoutFieldSelector && fieldSelectorIsOptional ? undefined : fieldSelector }
}
