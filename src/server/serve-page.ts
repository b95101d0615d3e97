// The page and what keeps it live, as paths of the metrics server.
import { servicesPath } from '../explain/services-object.ts'
import type { SyncEmitter, SyncEvents } from '../sync/events.ts'
import { type ObserverLog, subscribe } from '../sync/subscribe.ts'
import type { Handler } from './http.ts'
import { LiveFeed, livePath } from './live.ts'
import { pageHandler } from './page.ts'

export interface PageOptions {
  /** What the page asks besides: the services' path tells what is sent of one Service. */
  readonly routes: Readonly<Record<string, Handler>>
  readonly status: () => object
  readonly events: SyncEmitter
  readonly log: ObserverLog
}

export function servePage({ routes, status, events, log }: PageOptions): {
  readonly routes: Readonly<Record<string, Handler>>
  /** How many follow what is live. */
  readonly readers: () => number
  readonly close: () => void
} {
  const service = async (name: string): Promise<string | undefined> => {
    const answered = await routes[servicesPath]?.({
      path: servicesPath,
      query: new URLSearchParams({ service: name }),
      accept: undefined,
    })
    if (answered?.status === 200) return answered.body
    // 503: not known yet.
    return answered?.status === 404 ? 'null' : undefined
  }
  const onError = (error: unknown): void => log.error(`${livePath}: ${error instanceof Error ? error.message : error}`)
  const feed = new LiveFeed({ status, service, onError })
  const end = subscribe<SyncEvents>(events, feed.listeners, log)
  return {
    routes: { '/': pageHandler(), [livePath]: feed.handler },
    readers: () => feed.readers,
    close: () => {
      end()
      feed.close()
    },
  }
}
