// The page's own server, before answers that a test chooses: what a real daemon tells takes a kernel and a while, and never is this much.
import { servicesPath } from '../../../src/explain/services-object.ts'
import { tracePath } from '../../../src/explain/trace-object.ts'
import {
  type Handler,
  type HttpRequest,
  jsonResponse,
  type OpenServer,
  openServer,
  routed,
  textResponse,
} from '../../../src/server/http.ts'
import { guarded, type PageDoors } from '../../../src/server/page-guard.ts'
import { servePage } from '../../../src/server/serve-page.ts'
import { statusPath } from '../../../src/server/status-object.ts'
import { createSyncEmitter, type SyncEmitter } from '../../../src/sync/events.ts'
import { recordLog } from '../../server/support.ts'
import { detail, services, status, trace } from './objects.ts'

/** What it answers at the moment; a test changes it. */
export interface Told {
  status: () => object
  detail: (service: string) => object | undefined
  trace: (from: string, to: string) => object | string
}

export interface FakeDaemon extends AsyncDisposable {
  readonly port: number
  readonly url: string
  readonly told: Told
  readonly events: SyncEmitter
  /** Paths with their queries, as they came. */
  readonly asked: readonly string[]
  /** How many windows are live. */
  readers(): number
  /** Something changed: who looks is told. */
  news(): void
}

export async function startFakeDaemon(
  options: { readonly port?: number; readonly doors?: Partial<PageDoors> } = {},
): Promise<FakeDaemon> {
  const told: Told = {
    status,
    detail: service => (service.startsWith('default/') ? detail(service) : undefined),
    trace: () => trace,
  }
  const asked: string[] = []
  const events = createSyncEmitter()
  const json = (value: object | string | undefined): ReturnType<Handler> =>
    typeof value === 'object'
      ? jsonResponse(200, JSON.stringify(value))
      : textResponse(404, `${value ?? 'there is no such Service'}\n`)
  const routes: Readonly<Record<string, Handler>> = {
    [statusPath]: () => json(told.status()),
    [servicesPath]: ({ query }) => {
      const service = query.get('service')
      if (service !== null) return json(told.detail(service))
      return json(services({ search: query.get('search') ?? '', limit: Number(query.get('limit')) }))
    },
    [tracePath]: ({ query }) => json(told.trace(query.get('from') ?? '', query.get('to') ?? '')),
  }
  const page = servePage({
    status: () => told.status(),
    service: name => JSON.stringify(told.detail(name) ?? null),
    events,
    log: recordLog(),
  })
  const all = guarded(routed({ ...routes, ...page.routes }), () => ({
    bind: 'loopback',
    hosts: [],
    node: 'node1',
    ...options.doors,
  }))
  const noted = (request: HttpRequest): ReturnType<Handler> => {
    asked.push(`${request.path}?${request.query}`)
    return all(request)
  }
  const onError = (error: unknown): void => void process.stderr.write(`fake daemon: ${error}\n`)
  const server: OpenServer = await openServer({ at: { host: '127.0.0.1', port: options.port ?? 0 }, handler: noted, onError })
  return {
    port: server.port,
    url: `http://127.0.0.1:${server.port}/`,
    told,
    events,
    asked,
    readers: page.readers,
    news: () => void events.emit('retired', { family: 'IPv4' }),
    async [Symbol.asyncDispose]() {
      page.close()
      await server.close()
    },
  }
}
