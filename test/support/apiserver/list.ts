// GET of a collection: all that matches, at once or in pages.
import type { History } from './history.ts'
import type { ParsedRequest } from './requests.ts'
import { type ApiObject, apiVersionOf } from './resources.ts'
import { type Matches, Refused } from './selectors.ts'
import { badRequest, continueTooOld, tooLargeVersion } from './status.ts'

export interface Pages {
  /** Begins a list whose later pages must fit its first one; gives the token of the next page. */
  keep(rest: readonly ApiObject[], version: number): string
  /** Undefined where the token is unknown or too old. */
  take(token: string): { readonly rest: readonly ApiObject[]; readonly version: number } | undefined
  /** Tokens so far are too old. */
  forget(): void
}

export function createPages(): Pages {
  const kept = new Map<string, { readonly rest: readonly ApiObject[]; readonly version: number }>()
  let next = 1
  return {
    keep(rest, version) {
      const token = Buffer.from(`page ${next}`).toString('base64url')
      next += 1
      kept.set(token, { rest, version })
      return token
    },
    take: token => kept.get(token),
    forget: () => kept.clear(),
  }
}

/** The list as JSON. Throws Refused. */
export function serveList(options: {
  readonly request: ParsedRequest
  readonly history: History
  readonly matches: Matches
  readonly pages: Pages
}): string {
  const { request, history, matches, pages } = options
  const { resource, query } = request
  const wanted = query.get('resourceVersion') ?? ''
  const token = query.get('continue') ?? ''
  if (wanted !== '' && !/^\d+$/.test(wanted)) throw new Refused(badRequest(`invalid resource version: ${wanted}`))
  if (Number(wanted) > history.version()) throw new Refused(tooLargeVersion(Number(wanted), history.version()))
  const page = token === '' ? undefined : pages.take(token)
  if (token !== '' && page === undefined) throw new Refused(continueTooOld)
  const version = page?.version ?? history.version()
  const items = page?.rest ?? history.list(resource).filter(matches)
  // The watch cache gives everything at once, whatever the limit; only a read of the database is paged.
  const limit = wanted === '' ? Number(query.get('limit') ?? 0) : 0
  const rest = limit > 0 ? items.slice(limit) : []
  const more = rest.length > 0 ? { continue: pages.keep(rest, version), remainingItemCount: rest.length } : {}
  return JSON.stringify({
    kind: `${resource.kind}List`,
    apiVersion: apiVersionOf(resource),
    metadata: { resourceVersion: String(version), ...more },
    // Items of a list do not say what they are: the list does.
    items: (limit > 0 ? items.slice(0, limit) : items).map(({ apiVersion, kind, ...fields }) => fields),
  })
}
