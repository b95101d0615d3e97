// What the metrics server answers at /switchyard/v1/trace. Takes inspections and the cluster; knows no socket.
import { type TraceFacts, traceObject } from '../explain/trace.ts'
import { type HasRoute, withRoutes } from '../explain/trace-routes.ts'
import type { IpFamily } from '../model/address.ts'
import type { Unread } from '../source/source.ts'
import type { ClusterView } from '../sync/decisions.ts'
import type { Inspection } from '../sync/inspect.ts'
import { type Handler, type HttpResponse, jsonResponse, textResponse } from './http.ts'
import { queryProblem } from './query.ts'
import { notNow, orUnreadable, type ReadInspections } from './read-inspections.ts'

export interface TraceOptions {
  readonly inspections: ReadInspections
  /** Undefined before the source told anything. */
  readonly cluster: () => ClusterView | undefined
  /** What the source cannot read at the moment. */
  readonly unread: () => readonly Unread[]
  readonly parameters: (inspections: readonly Inspection[]) => Promise<NonNullable<TraceFacts['parameters']>>
  readonly hasRoute: HasRoute
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/** Longer than any name that there can be. */
const longest = 600

export function traceHandler({ inspections, cluster, unread, parameters, hasRoute, now }: TraceOptions): Handler {
  return async ({ query }) => {
    const problem = queryProblem(query, ['from', 'to', 'family'])
    if (problem !== undefined) return refused(problem)
    const [from, to] = [query.get('from') ?? '', query.get('to') ?? '']
    const family = query.get('family') ?? undefined
    if (from === '' || to === '') return refused('ask with ?from=FROM&to=TO, as `switchyard trace --help` explains them')
    if (from.length + to.length > longest) return refused('FROM and TO are longer than any name')
    if (!isFamily(family)) return refused(`family is IPv4 or IPv6, not ${JSON.stringify(family)}`)
    const known = cluster()
    if (known === undefined) return notTraced
    const found = await orUnreadable(inspections)
    if ('status' in found) return found
    if (found.length === 0) return notTraced
    const facts = { inspections: found, cluster: known, unread: unread(), parameters: await parameters(found) }
    const object = traceObject({ from, to, family }, facts, now())
    return 'problem' in object ? refused(object.problem) : jsonResponse(200, JSON.stringify(await withRoutes(object, hasRoute)))
  }
}

function isFamily(text: string | undefined): text is IpFamily | undefined {
  return text === undefined || text === 'IPv4' || text === 'IPv6'
}

function refused(problem: string): HttpResponse {
  return textResponse(400, `${problem}\n`)
}

const notTraced = notNow('the kernel cannot be traced')
