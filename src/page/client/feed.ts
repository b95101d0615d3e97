// The stream of server-sent events: opened anew whenever it breaks, and given up where nothing comes for longer than the daemon ever is silent.
import type { ServiceDetail } from '../../explain/services-object.ts'
import type { Status } from '../../server/status-object.ts'

export interface FeedListener {
  readonly status: (status: Status) => void
  /** Null: there is no such Service. */
  readonly service: (detail: ServiceDetail | null) => void
  readonly state: (state: 'live' | 'away') => void
}

const silenceMs = 25_000
const retryMs = 2000

let source: EventSource | undefined
let watchdog: number | undefined
let retry: number | undefined

/** Follows the status, and a Service where one is named. Ends what was followed before. */
export function follow(service: string | undefined, listener: FeedListener): void {
  unfollow()
  const query = service === undefined ? '' : `?${new URLSearchParams({ service })}`
  const opened = new EventSource(`/switchyard/v1/live${query}`)
  source = opened
  const again = (): void => {
    unfollow()
    listener.state('away')
    retry = window.setTimeout(() => follow(service, listener), retryMs)
  }
  const heard = (): void => {
    window.clearTimeout(watchdog)
    watchdog = window.setTimeout(again, silenceMs)
    listener.state('live')
  }
  opened.addEventListener('status', event => {
    heard()
    listener.status(JSON.parse(event.data) as Status)
  })
  opened.addEventListener('service', event => {
    listener.service(JSON.parse(event.data) as ServiceDetail | null)
  })
  opened.addEventListener('error', again)
  watchdog = window.setTimeout(again, silenceMs)
}

function unfollow(): void {
  source?.close()
  window.clearTimeout(watchdog)
  window.clearTimeout(retry)
}

// A closed tab frees its place at once, and one that is shown again begins anew.
window.addEventListener('pagehide', () => source?.close())
window.addEventListener('pageshow', event => {
  if (event.persisted) window.location.reload()
})
