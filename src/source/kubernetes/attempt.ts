// What every request of a reflector needs and says, whether it reads a list or a watch.
import type { ApiClient } from './client.ts'
import type { Clock } from './clock.ts'
import { CredentialsError } from './credentials.ts'
import { ApiError, type Failure, StreamFault } from './failure.ts'
import type { Intake } from './intake.ts'
import type { ObjectIndex } from './object-index.ts'
import type { QueryOptions } from './queries.ts'
import type { ReflectorTiming } from './timing.ts'
import type { WatchEvent } from './watch-event.ts'

export interface AttemptOptions {
  readonly client: ApiClient
  readonly query: QueryOptions
  readonly index: ObjectIndex
  readonly clock: Clock
  readonly random: () => number
  readonly timing: ReflectorTiming
  /** Up to where everything is known before; undefined before the first complete read. */
  readonly version: string | undefined
  readonly listener: AttemptListener
}

/** Called in order, as things happen. None of these may throw. */
export interface AttemptListener {
  /** The server accepted the request. */
  opened(): void
  /** A whole list was read by LIST. */
  listed(intake: Intake & { readonly intake: 'read' }): void
  /** An event of a watch was taken in. */
  took(event: WatchEvent, intake: Intake): void
  /** Resolves when the consumer can take more, or when the signal aborts. */
  ready(signal: AbortSignal): Promise<void>
}

export function noAnswer(limitMs: number): () => StreamFault {
  return () => new StreamFault('timed out', `no answer within ${seconds(limitMs)}`)
}

export function seconds(milliseconds: number): string {
  return `${Math.round(milliseconds / 1000)} s`
}

/** An error of any origin as a failure with a name; what is no known error is a mistake of our own. */
export function toFailure(error: unknown, { client, query }: AttemptOptions): Failure {
  if (error instanceof ApiError) {
    const { kind, message, advice, retryAfterMs } = error
    return { kind, message, advice, retryAfterMs }
  }
  if (error instanceof CredentialsError) {
    return { kind: 'credentials', message: error.message, advice: error.advice, retryAfterMs: undefined }
  }
  const message = error instanceof Error ? error.message : String(error)
  const where = `${query.resource.plural} at ${client.server}`
  if (error instanceof StreamFault) {
    return { kind: error.kind, message: `${where}: ${message}`, advice: adviceFor(error.kind), retryAfterMs: undefined }
  }
  return {
    kind: 'handler',
    message: `${where}: ${message}`,
    advice: 'This is a mistake in Switchyard; report it.',
    retryAfterMs: undefined,
  }
}

function adviceFor(kind: StreamFault['kind']): string {
  switch (kind) {
    case 'malformed':
    case 'too long':
      return 'Look at what stands between this node and the API server; everything is read again.'
    case 'silent':
    case 'timed out':
      return 'Look at the path to the API server: a connection is open, but nothing comes.'
    case 'history changed':
      return 'Nothing: everything is read again. After restoring etcd, restart what watches the API server.'
    default:
      return 'Nothing, unless it goes on: then look at what stands between this node and the API server.'
  }
}
