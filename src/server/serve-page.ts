// The page and what keeps it live, as paths of the metrics server.
import type { SyncEmitter, SyncEvents } from '../sync/events.ts'
import { type ObserverLog, subscribe } from '../sync/subscribe.ts'
import type { Handler } from './http.ts'
import { LiveFeed, livePath } from './live.ts'
import { pageHandler } from './page.ts'

export interface PageOptions {
  readonly status: () => object
  /** See `LiveFeedOptions`. */
  readonly service: (name: string) => string | undefined
  readonly events: SyncEmitter
  readonly log: ObserverLog
}

export function servePage({ status, service, events, log }: PageOptions): {
  readonly routes: Readonly<Record<string, Handler>>
  /** How many follow what is live. */
  readonly readers: () => number
  readonly close: () => void
} {
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
