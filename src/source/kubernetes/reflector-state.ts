// The list-watch protocol as a state machine: what a reflector does now, and what it does after that came out so. Pure: no
// request, no clock, no chance of its own. The rules are those of client-go's reflector where nothing else is said.
import { delayAfter } from './backoff.ts'
import type { Failure, FailureKind } from './failure.ts'
import type { ReflectorTiming } from './timing.ts'

/** A request for everything or for what comes after a version. */
export type Request =
  /** WatchList: everything as events, an end bookmark, then changes on the same stream. An empty version means: as of now. */
  | { readonly doing: 'stream list'; readonly notOlderThan: string }
  /** LIST. `0`: whatever the server has at hand; empty: as of now, in pages. */
  | { readonly doing: 'list'; readonly notOlderThan: string }
  | { readonly doing: 'watch'; readonly after: string }
  /**
   * Whether the server has come as far as we have: asked before a watch is resumed after a failure. A server that was restored
   * from a backup accepts a watch from a version that it has not reached, and tells nothing until it has (k/k #107457).
   */
  | { readonly doing: 'verify'; readonly after: string }

export type Activity =
  | Request
  | { readonly doing: 'wait'; readonly milliseconds: number; readonly next: Request }
  | { readonly doing: 'reload credentials'; readonly next: Request }

export interface ReflectorState {
  readonly activity: Activity
  /** Everything up to this resourceVersion is known; undefined before the first complete read. */
  readonly version: string | undefined
  /** Failures in a row; they make the waits longer. */
  readonly failures: number
  /** Streams that ended in the same way without a single message. */
  readonly fruitless: { readonly kind: FailureKind; readonly times: number } | undefined
  /** Credentials were loaded again since the last success or wait, so a further 401 is to be waited out. */
  readonly reloaded: boolean
  /** When the server refused, or did not know, the streamed list. */
  readonly streamRefusedAt: number | undefined
  /** The server does not know the optional field selector. */
  readonly withoutFieldSelector: boolean
}

export type Outcome =
  /** Everything was read. Of a streamed list: its end bookmark came, and the stream goes on as a watch. */
  | { readonly outcome: 'read'; readonly version: string }
  /** The server ended a watch in order, and not at once without a word. */
  | { readonly outcome: 'closed'; readonly version: string; readonly lastedMs: number; readonly events: number }
  | {
      readonly outcome: 'failed'
      readonly failure: Failure
      /** What is known now; undefined before the first complete read. */
      readonly version: string | undefined
      readonly lastedMs: number
      /** Events and bookmarks that came before. */
      readonly messages: number
    }
  | { readonly outcome: 'verified' }
  | { readonly outcome: 'waited' }
  | { readonly outcome: 'reloaded' }

/** What a step may know of the world. */
export interface StepContext {
  readonly nowMs: number
  readonly random: () => number
  readonly timing: ReflectorTiming
}

/** Times that a stream may end fruitlessly in the same way before everything is read again instead of resumed. */
const mostFruitless: Partial<Record<FailureKind, number>> = {
  // A watch that never speaks although bookmarks are due: half-open, or a server that was restored to a time before our version.
  silent: 1,
  'server error': 5,
  'short watch': 5,
}

export const firstState: ReflectorState = {
  activity: { doing: 'stream list', notOlderThan: '' },
  version: undefined,
  failures: 0,
  fruitless: undefined,
  reloaded: false,
  streamRefusedAt: undefined,
  withoutFieldSelector: false,
}

export function nextState(state: ReflectorState, outcome: Outcome, context: StepContext): ReflectorState {
  switch (outcome.outcome) {
    case 'read':
      return { ...afterSuccess(state), version: outcome.version, activity: { doing: 'watch', after: outcome.version } }
    case 'closed':
      return afterClose(state, outcome, context)
    case 'failed':
      return afterFailure(state, outcome, context)
    case 'verified':
      return state.version === undefined ? state : { ...state, activity: { doing: 'watch', after: state.version } }
    case 'waited':
      return { ...state, activity: pending(state), reloaded: false }
    case 'reloaded':
      return { ...state, activity: pending(state), reloaded: true }
  }
}

/** The request that is being made, or that comes after the wait. */
export function pending({ activity }: ReflectorState): Request {
  return 'next' in activity ? activity.next : activity
}

function afterSuccess(state: ReflectorState): ReflectorState {
  return { ...state, fruitless: undefined, reloaded: false }
}

/** Resumes where the watch ended, without reading anything again; at most one such request a second. */
function afterClose(
  state: ReflectorState,
  { version, lastedMs }: Outcome & { readonly outcome: 'closed' },
  { timing }: StepContext,
): ReflectorState {
  const next: Request = { doing: 'watch', after: version }
  const milliseconds = timing.shortWatchMs - lastedMs
  return {
    ...afterSuccess(state),
    version,
    failures: lastedMs >= timing.goodAfterMs ? 0 : state.failures,
    activity: milliseconds > 0 ? { doing: 'wait', milliseconds, next } : next,
  }
}

function afterFailure(
  state: ReflectorState,
  failed: Outcome & { readonly outcome: 'failed' },
  context: StepContext,
): ReflectorState {
  const { failure, lastedMs, messages } = failed
  const { nowMs, timing, random } = context
  const kind = failure.kind
  const earlier = lastedMs >= timing.goodAfterMs ? 0 : state.failures
  const fruitless = messages > 0 ? undefined : { kind, times: state.fruitless?.kind === kind ? state.fruitless.times + 1 : 1 }
  const known = { ...state, version: failed.version ?? state.version, fruitless, failures: earlier }
  const cure = cureFor(known, failure)
  if (cure === 'list without streaming') {
    const refused = { ...known, streamRefusedAt: nowMs }
    return { ...refused, activity: readRequest(refused, listVersion(known), context) }
  }
  if (cure === 'drop the field selector') return { ...known, withoutFieldSelector: true, activity: pending(state) }
  const next = requestAfter({ state: known, cure, context })
  if (reloads.has(kind) && !state.reloaded) return { ...known, activity: { doing: 'reload credentials', next } }
  const failures = earlier + 1
  const milliseconds = delayAfter({ failures, retryAfterMs: failure.retryAfterMs, lastedMs }, timing, random)
  return { ...known, failures, activity: { doing: 'wait', milliseconds, next } }
}

type Cure =
  /** The same again: a watch goes on where it was, if the server has come that far. */
  | 'repeat'
  /** Read everything, not older than what we know. */
  | 'read again'
  /** Read everything as of now: what we know may be of another history. */
  | 'read afresh'
  | 'list without streaming'
  | 'drop the field selector'

const cures: Readonly<Record<FailureKind, Cure>> = {
  unauthorized: 'repeat',
  forbidden: 'repeat',
  'not found': 'repeat',
  expired: 'read again',
  'selector rejected': 'drop the field selector',
  rejected: 'read afresh',
  'too many requests': 'repeat',
  'version too new': 'read afresh',
  'server error': 'repeat',
  network: 'repeat',
  certificate: 'repeat',
  'timed out': 'repeat',
  credentials: 'repeat',
  'cut off': 'repeat',
  malformed: 'read again',
  'too long': 'read again',
  silent: 'repeat',
  'short watch': 'repeat',
  'stream refused': 'list without streaming',
  'ended early': 'repeat',
  'no end bookmark': 'list without streaming',
  'history changed': 'read afresh',
  handler: 'read again',
}

const reloads: ReadonlySet<FailureKind> = new Set(['unauthorized', 'certificate'])

function cureFor(state: ReflectorState, { kind }: Failure): Cure {
  const { doing } = pending(state)
  if (kind === 'selector rejected' && state.withoutFieldSelector) return 'read afresh'
  if (cures[kind] === 'list without streaming' && doing !== 'stream list') return 'repeat'
  // A list that is refused as too old was asked for by a version; nothing older than now can be had.
  if (kind === 'expired' && doing !== 'watch') return 'read afresh'
  const most = mostFruitless[kind]
  if (isResumption(doing) && most !== undefined && (state.fruitless?.times ?? 0) >= most) return 'read again'
  return cures[kind]
}

function requestAfter(step: { readonly state: ReflectorState; readonly cure: Cure; readonly context: StepContext }): Request {
  const { state, cure, context } = step
  const current = pending(state)
  if (cure === 'read afresh') return readRequest(state, '', context)
  if (cure === 'repeat' && !isResumption(current.doing)) return current
  if (cure === 'repeat' && state.version !== undefined) return { doing: 'verify', after: state.version }
  return readRequest(state, state.version ?? '', context)
}

function isResumption(doing: Request['doing']): boolean {
  return doing === 'watch' || doing === 'verify'
}

/** The version that the refused stream was asked for. At the very first read whatever the server has at hand will do. */
function listVersion(state: ReflectorState): string {
  const request = pending(state)
  const wanted = 'after' in request ? request.after : request.notOlderThan
  return wanted === '' && state.version === undefined ? '0' : wanted
}

function readRequest({ streamRefusedAt }: ReflectorState, notOlderThan: string, { nowMs, timing }: StepContext): Request {
  const refused = streamRefusedAt !== undefined && nowMs - streamRefusedAt < timing.refusalMs
  return { doing: refused ? 'list' : 'stream list', notOlderThan }
}
