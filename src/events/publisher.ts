// Notes → Events at the API server. Takes notes at any time and returns at once; sends one after the other in the background.
// Invariants: never throws, never blocks, never grows: what cannot be sent is dropped, said once, and counted.
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ApiRequest } from '../source/kubernetes/api-request.ts'
import type { ApiClient } from '../source/kubernetes/client.ts'
import { ApiError, type ApiFailure } from '../source/kubernetes/failure.ts'
import type { ApiResource } from '../source/kubernetes/resources.ts'
import type { ObserverClock } from '../sync/clock.ts'
import type { ObserverLog } from '../sync/subscribe.ts'
import { eventName, eventObject, type Note, namespaceOf, seriesPatch } from './note.ts'
import { type Series, SeriesBook } from './series.ts'
import { TokenBucket } from './token-bucket.ts'

export interface PublisherOptions {
  readonly client: Pick<ApiClient, 'send'>
  readonly nodeName: string
  readonly clock: ObserverClock
  readonly log: ObserverLog
  /** Told of each Event's end, and of each request with its answer's status; undefined: no answer. */
  readonly onOutcome?: (outcome: 'sent' | 'dropped') => void
  readonly onRequest?: (request: { readonly method: 'POST' | 'PATCH'; readonly status: number | undefined }) => void
  readonly timing?: PublisherTiming
}

export interface PublisherTiming {
  /** How often counts are brought up to date. */
  readonly tickMs: number
  /** Wait after the first failure; doubled up to a minute. */
  readonly retryMs: number
  /** After so long an Event is of no use any more. */
  readonly uselessAfterMs: number
  readonly requestTimeoutMs: number
}

export interface Publisher {
  publish(note: Note): void
  /** Sends what waits, for as long as `graceMs`, and ends. */
  close(graceMs: number): Promise<void>
}

export const eventsResource: ApiResource = { group: 'events.k8s.io', version: 'v1', plural: 'events' }

const defaultTiming: PublisherTiming = { tickMs: 15_000, retryMs: 1000, uselessAfterMs: 1_800_000, requestTimeoutMs: 10_000 }

/** Waiting Events; beyond, new ones are dropped. */
const mostWaiting = 200
const longestRetryMs = 60_000

/** What another try may mend; all else is an answer. */
const passing: readonly ApiFailure[] = [
  ...(['network', 'timed out', 'server error', 'too many requests', 'credentials', 'certificate', 'unauthorized'] as const),
]

interface Task {
  readonly series: Series
  readonly kind: 'create' | 'update'
  readonly since: number
}

export function createPublisher(options: PublisherOptions): Publisher {
  const publisher = new EventPublisher(options)
  publisher.start()
  return publisher
}

class EventPublisher implements Publisher {
  readonly #options: PublisherOptions
  readonly #timing: PublisherTiming
  readonly #book = new SeriesBook()
  readonly #bucket = new TokenBucket({ burst: 25, everyMs: 5000 })
  readonly #waiting: Task[] = []
  readonly #stop = new AbortController()
  readonly #said = new Set<string>()
  #ticker: NodeJS.Timeout | undefined
  #sending: Promise<void> | undefined

  constructor(options: PublisherOptions) {
    this.#options = options
    this.#timing = options.timing ?? defaultTiming
  }

  start(): void {
    this.#ticker = setInterval(() => this.#updateCounts(), this.#timing.tickMs)
    this.#ticker.unref()
  }

  publish(note: Note): void {
    const now = this.#options.clock.wall()
    const series = this.#book.observe(note, { name: eventName(note, randomBytes(8).toString('hex')), now })
    if (series === undefined) return
    if (this.#bucket.take(this.#options.clock.now())) this.#enqueue({ series, kind: 'create', since: now })
    else this.#drop(series, 'there are too many')
  }

  async close(graceMs: number): Promise<void> {
    clearInterval(this.#ticker)
    const timer = new AbortController()
    await Promise.race([this.#sending, sleep(graceMs, undefined, { signal: timer.signal }).catch(() => {})])
    timer.abort()
    this.#stop.abort()
    await this.#sending
  }

  #updateCounts(): void {
    const now = this.#options.clock.wall()
    for (const series of this.#book.due(now)) {
      // Sent soon or not at all: the next tick comes with a higher count.
      if (this.#waiting.some(task => task.series === series)) continue
      this.#enqueue({ series, kind: 'update', since: now })
    }
  }

  #enqueue(task: Task): void {
    if (this.#stop.signal.aborted || this.#waiting.length >= mostWaiting) {
      this.#drop(task.series, 'too many wait')
      return
    }
    this.#waiting.push(task)
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined
    })
  }

  async #sendAll(): Promise<void> {
    for (let task = this.#waiting[0]; task !== undefined && !this.#stop.signal.aborted; task = this.#waiting[0]) {
      await this.#sendUntilSettled(task)
      this.#waiting.shift()
    }
  }

  async #sendUntilSettled(task: Task): Promise<void> {
    for (let failures = 1; !this.#stop.signal.aborted; failures++) {
      const error = await this.#send(task)
      if (error === undefined) return
      const old = this.#options.clock.wall() - task.since > this.#timing.uselessAfterMs
      if (!(error instanceof ApiError) || !passing.includes(error.kind) || old) {
        this.#giveUp(task, error)
        return
      }
      const wait = Math.min(longestRetryMs, this.#timing.retryMs * 2 ** (failures - 1))
      await sleep(Math.max(wait, error.retryAfterMs ?? 0), undefined, { signal: this.#stop.signal }).catch(() => {})
    }
  }

  /** Undefined where the server took it. */
  async #send({ series, kind }: Task): Promise<unknown> {
    const { client, clock, onOutcome, onRequest } = this.#options
    const { count } = series
    const method = kind === 'create' ? 'POST' : 'PATCH'
    try {
      const timeout = AbortSignal.timeout(this.#timing.requestTimeoutMs)
      await client.send(this.#request(series, kind), AbortSignal.any([this.#stop.signal, timeout]))
      onRequest?.({ method, status: kind === 'create' ? 201 : 200 })
      // A new Event says that it happened once, however often it did meanwhile.
      this.#book.sent(series, { count: kind === 'create' ? 1 : count, now: clock.wall() })
      if (kind === 'create') onOutcome?.('sent')
      return undefined
    } catch (error) {
      if (!this.#stop.signal.aborted) onRequest?.({ method, status: error instanceof ApiError ? error.status : undefined })
      return isDone(error, kind) ? this.#wasCreated(series) : error
    }
  }

  #wasCreated(series: Series): undefined {
    this.#book.sent(series, { count: 1, now: this.#options.clock.wall() })
    this.#options.onOutcome?.('sent')
  }

  #request(series: Series, kind: Task['kind']): ApiRequest {
    const { note, name, count, lastObserved } = series
    const namespace = namespaceOf(note)
    if (kind === 'update') {
      return { verb: 'patch', resource: eventsResource, namespace, name, body: seriesPatch({ count, lastObserved }) }
    }
    const body = eventObject(note, { name, time: series.lastSent, nodeName: this.#options.nodeName })
    return { verb: 'create', resource: eventsResource, namespace, body }
  }

  #giveUp(task: Task, error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error)
    const advice = error instanceof ApiError ? ` ${error.advice}` : ''
    const subject = error instanceof ApiError ? error.kind : 'other'
    if (task.kind === 'update') {
      // Its Event is no more there (they live for an hour): the next observation makes a new one.
      this.#book.forget(task.series)
      return
    }
    if (!this.#said.has(subject)) this.#options.log.warn(`an Event is not sent: ${reason}.${advice} What it says is in this log`)
    this.#said.add(subject)
    this.#drop(task.series, subject)
  }

  #drop(series: Series, why: string): void {
    const { note } = series
    this.#options.log.debug(`Event ${note.reason} dropped (${why}): ${note.note}`)
    this.#book.forget(series)
    this.#options.onOutcome?.('dropped')
  }
}

/** The answer to an earlier try was lost, but the try was not. */
function isDone(error: unknown, kind: Task['kind']): boolean {
  return kind === 'create' && error instanceof ApiError && error.reason === 'AlreadyExists'
}
