// What can go wrong while following the API server, each kind once, by name. Logs and metrics count by these names.

/** What an API request came to instead of an answer. */
export type ApiFailure =
  /** 401: the credentials are not, or no longer, known to the server. */
  | 'unauthorized'
  /** 403: known, but not allowed. */
  | 'forbidden'
  /** 404. */
  | 'not found'
  /** 410: the server no longer has this version; everything is to be read again. */
  | 'expired'
  /** 400 that names the field selector: the server is too old for it. */
  | 'selector rejected'
  /** Any other 4xx: the server does not take the request as it is. */
  | 'rejected'
  /** 429. */
  | 'too many requests'
  /** 504 "Too large resource version": the server has not reached, or no longer knows, the version that was asked for. */
  | 'version too new'
  /** 5xx. */
  | 'server error'
  /** No connection, or it broke. */
  | 'network'
  /** The server's certificate is not to be trusted, or it does not take ours. */
  | 'certificate'
  /** No answer in time. */
  | 'timed out'
  /** The credentials themselves could not be obtained: a file, an exec plugin. */
  | 'credentials'

/** What a stream that was opened came to instead of a proper end. */
export type StreamFailure =
  /** The stream ended inside an object. */
  | 'cut off'
  /** Not JSON, or not what a watch sends. */
  | 'malformed'
  | 'too long'
  /** Neither event nor bookmark for longer than a bookmark takes: half-open. */
  | 'silent'
  /** The watch was ended at once, without a word. */
  | 'short watch'
  /** The server refused to stream a list (422 where its WatchList feature is off). */
  | 'stream refused'
  /** The streamed list was ended before its end bookmark. */
  | 'ended early'
  /** The streamed list's end bookmark did not come: the server does not know the request. */
  | 'no end bookmark'
  /** Versions went backwards: the server was restored from a backup. What was missed since cannot be known. */
  | 'history changed'
  /** Our own code threw while it took an event. */
  | 'handler'

export type FailureKind = ApiFailure | StreamFailure

export interface Failure {
  readonly kind: FailureKind
  /** What happened, with the server, the resource, the verb, the status. */
  readonly message: string
  /** What the operator can do. */
  readonly advice: string
  readonly retryAfterMs: number | undefined
}

/** A stream that went wrong. */
export class StreamFault extends Error {
  override readonly name = 'StreamFault'
  readonly kind: StreamFailure | 'timed out'

  constructor(kind: StreamFailure | 'timed out', message: string, cause?: unknown) {
    super(message, { cause })
    this.kind = kind
  }
}

/** An API request that failed. `message` says which one, where, and what the server answered; `advice` what to do. */
export class ApiError extends Error implements Failure {
  override readonly name = 'ApiError'
  readonly kind: ApiFailure
  readonly advice: string
  readonly retryAfterMs: number | undefined
  /** HTTP status; undefined where there was no answer. */
  readonly status: number | undefined
  /** Status.reason of the Kubernetes API: `AlreadyExists`, `Expired`. */
  readonly reason: string | undefined

  constructor(failure: {
    readonly kind: ApiFailure
    readonly message: string
    readonly advice: string
    readonly retryAfterMs?: number | undefined
    readonly status?: number | undefined
    readonly reason?: string | undefined
    readonly cause?: unknown
  }) {
    super(failure.message, { cause: failure.cause })
    this.kind = failure.kind
    this.advice = failure.advice
    this.retryAfterMs = failure.retryAfterMs
    this.status = failure.status
    this.reason = failure.reason
  }
}
