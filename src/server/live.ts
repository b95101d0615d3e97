// /switchyard/v1/live: server-sent events for whoever keeps looking. `event: status` has the status object; with `?service=NAMESPACE/NAME`
// `event: service` has what /switchyard/v1/services says of it, or null where there is no such Service. Both come at once, then when something changed, at
// most once a second; the status comes every ten seconds at least, by which a reader knows that we live.
// Promises: a bounded number of readers; what a slow reader does not take is dropped, and the newest is sent when it does.
import type { SyncEvents } from '../sync/events.ts'
import type { Listeners } from '../sync/subscribe.ts'
import { type Handler, type HttpResponse, type OpenResponse, textResponse } from './http.ts'

export const livePath = '/switchyard/v1/live'

export interface LiveFeedOptions {
  readonly status: () => object
  /** JSON of one Service, by NAMESPACE/NAME: `null` where there is none; undefined where that is not known yet. */
  readonly service: (name: string) => string | undefined
  readonly onError: (error: unknown) => void
  readonly timing?: typeof liveTiming
}

export const liveTiming = { leastGapMs: 1000, heartbeatMs: 10_000, patienceMs: 60_000 }

export const mostReaders = 32

interface Reader {
  readonly open: OpenResponse
  readonly service: string | undefined
  /** Undefined: it has the newest. */
  waitingSince: number | undefined
  /** Without its time. */
  lastDetail: string | undefined
}

export class LiveFeed {
  readonly #options: LiveFeedOptions
  readonly #timing: typeof liveTiming
  readonly #readers = new Set<Reader>()
  #timer: NodeJS.Timeout | undefined
  #due = Number.POSITIVE_INFINITY
  #lastSent = Number.NEGATIVE_INFINITY

  constructor(options: LiveFeedOptions) {
    this.#options = options
    this.#timing = options.timing ?? liveTiming
  }

  /** After all others that learn from the same moments. */
  readonly listeners: Listeners<SyncEvents> = {
    changed: () => this.#news(),
    queued: () => this.#news(),
    programmed: () => this.#news(),
    synced: () => this.#news(),
    syncFailed: () => this.#news(),
    recovered: () => this.#news(),
    quarantined: () => this.#news(),
    released: () => this.#news(),
    driftRepaired: () => this.#news(),
    draining: () => this.#news(),
    remarked: () => this.#news(),
    retired: () => this.#news(),
  }

  get readers(): number {
    return this.#readers.size
  }

  readonly handler: Handler = ({ query }): HttpResponse => {
    if (this.#readers.size >= mostReaders) {
      return textResponse(503, `${mostReaders} look already, more cannot; ask again later\n`, { 'retry-after': '10' })
    }
    const service = query.get('service') ?? undefined
    return { status: 200, contentType: 'text/event-stream', body: 'retry: 2000\n\n', follow: open => this.#add(open, service) }
  }

  close(): void {
    clearTimeout(this.#timer)
    for (const { open } of this.#readers) open.end()
    this.#readers.clear()
  }

  #add(open: OpenResponse, service: string | undefined): void {
    const reader: Reader = { open, service, waitingSince: performance.now(), lastDetail: undefined }
    this.#readers.add(reader)
    open.gone.addEventListener('abort', () => this.#readers.delete(reader))
    this.#sendIn(0)
  }

  #news(): void {
    if (this.#readers.size === 0) return
    const now = performance.now()
    for (const reader of this.#readers) reader.waitingSince ??= now
    this.#sendIn(Math.max(0, this.#lastSent + this.#timing.leastGapMs - now))
  }

  /** The earliest wish counts. */
  #sendIn(ms: number): void {
    const due = performance.now() + ms
    if (due >= this.#due) return
    clearTimeout(this.#timer)
    this.#due = due
    this.#timer = setTimeout(() => this.#send(), ms)
    this.#timer.unref()
  }

  #send(): void {
    this.#due = Number.POSITIVE_INFINITY
    const now = performance.now()
    const heartbeat = now - this.#lastSent >= this.#timing.heartbeatMs
    this.#lastSent = now
    try {
      this.#sendTo([...this.#readers].filter(({ waitingSince }) => heartbeat || waitingSince !== undefined))
    } catch (error) {
      this.#options.onError(error)
    }
    if (this.#readers.size === 0) return
    const slow = [...this.#readers].some(({ waitingSince }) => waitingSince !== undefined)
    this.#sendIn(slow ? this.#timing.leastGapMs : this.#timing.heartbeatMs)
  }

  #sendTo(readers: readonly Reader[]): void {
    const status = eventText('status', JSON.stringify(this.#options.status()))
    const details = new Map<string, string | undefined>()
    for (const reader of readers) {
      const { open, service, lastDetail, waitingSince: since = performance.now() } = reader
      if (service !== undefined && !details.has(service)) details.set(service, this.#options.service(service))
      const detail = service === undefined ? undefined : details.get(service)
      const fresh = detail === undefined ? lastDetail : timeless(detail)
      const text = detail === undefined || fresh === lastDetail ? status : status + eventText('service', detail)
      if (open.write(text)) {
        reader.lastDetail = fresh
        reader.waitingSince = undefined
      } else this.#notTaken(reader, since)
    }
  }

  /** It gets the newest later; whoever takes nothing for long is gone, whatever the kernel says. */
  #notTaken(reader: Reader, since: number): void {
    reader.waitingSince = since
    if (performance.now() - since > this.#timing.patienceMs) reader.open.end()
  }
}

function eventText(event: 'status' | 'service', json: string): string {
  return `event: ${event}\ndata: ${json.replace(/[\r\n]+/g, ' ')}\n\n`
}

/** When it was said is no news. */
function timeless(json: string): string {
  return json.replace(/"time":"[^"]*",?/, '')
}
