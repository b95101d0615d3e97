// How the server can be told to misbehave, and what of it is in force. The server asks here before it answers.
import type { ParsedRequest } from './requests.ts'
import { failing, forbidden, type Refusal, watchListDisabled } from './status.ts'

/** `resource`: only for this one (`services`); all where it is absent. `times`: how often; for good where it is absent and not said otherwise. */
export type Fault =
  /** Requests are answered by this status: 500, 503, 429 (with Retry-After). */
  | {
      readonly fault: 'status'
      readonly status: number
      readonly retryAfterSeconds?: number
      readonly resource?: string
      readonly times?: number
    }
  /** 403. */
  | { readonly fault: 'forbid'; readonly resource: string }
  /** The next event is sent by half, then the connection is reset. Once. */
  | { readonly fault: 'reset mid-line'; readonly resource?: string; readonly times?: number }
  /** The next event is a line that is no JSON; the stream goes on. Once. */
  | { readonly fault: 'malformed'; readonly resource?: string; readonly times?: number }
  /** Open watches send nothing any more and stay open; new ones work. */
  | { readonly fault: 'half-open'; readonly resource?: string }
  /** What is older than now is forgotten. Open watches end: with an ERROR event, or by a cut connection, after which the request is answered 410. */
  | { readonly fault: 'gone'; readonly as: 'event' | 'status' }
  /** Answers and events come this much later. */
  | { readonly fault: 'slow'; readonly milliseconds: number }
  /** All connections are cut and nobody listens for a while. `forgotten`: older versions are gone; `restored`: the last `changes` never happened. */
  | {
      readonly fault: 'restart'
      readonly history: 'kept' | 'forgotten' | 'restored'
      readonly changes?: number
      readonly downMilliseconds?: number
    }
  /** The server shows another certificate. `new`: of another authority; the file that the kubeconfig names has it. */
  | { readonly fault: 'rotate certificate'; readonly authority: 'same' | 'new' }
  /** The tokens so far are refused; the token file that the kubeconfig names has a new one. Open watches end. */
  | { readonly fault: 'expire token' }
  /** As servers that do not know the parameter: a plain watch. */
  | { readonly fault: 'ignore sendInitialEvents' }
  /** As servers with the feature gate off: 422. */
  | { readonly fault: 'refuse sendInitialEvents' }
  /** As servers before 1.31: spec.clusterIP is no field for Services. */
  | { readonly fault: 'unknown field'; readonly field: string }
  /** Open watches are ended in order, as when their time is over. */
  | { readonly fault: 'close watches'; readonly resource?: string }
  /** Watches are ended as soon as they are opened. */
  | { readonly fault: 'short watches'; readonly times?: number }

/** What lasts until it is lifted. */
export type StandingFault = Extract<
  Fault,
  {
    readonly fault:
      | 'status'
      | 'forbid'
      | 'reset mid-line'
      | 'malformed'
      | 'slow'
      | 'ignore sendInitialEvents'
      | 'refuse sendInitialEvents'
      | 'unknown field'
      | 'short watches'
  }
>

export interface FaultBook {
  add(fault: StandingFault): () => void
  clear(): void
  /** What the request is to be answered instead of being served. */
  refusalFor(request: ParsedRequest): Refusal | undefined
  watchList(): 'served' | 'ignored' | 'refused'
  unknownFields(): ReadonlySet<string>
  delayMs(): number
  /** What is to happen to the next event of a resource; counts as having happened. */
  eventFault(resource: string): 'reset mid-line' | 'malformed' | undefined
  endsWatchAtOnce(): boolean
}

interface Entry {
  readonly fault: StandingFault
  left: number
}

export function createFaultBook(): FaultBook {
  const entries = new Set<Entry>()
  return {
    add(fault) {
      const once = fault.fault === 'reset mid-line' || fault.fault === 'malformed'
      const times = 'times' in fault ? fault.times : undefined
      const entry = { fault, left: times ?? (once ? 1 : Number.POSITIVE_INFINITY) }
      entries.add(entry)
      return () => entries.delete(entry)
    },
    clear: () => entries.clear(),
    refusalFor,
    watchList: () =>
      standing('refuse sendInitialEvents') ? 'refused' : standing('ignore sendInitialEvents') ? 'ignored' : 'served',
    unknownFields: () => new Set([...entries].flatMap(({ fault }) => (fault.fault === 'unknown field' ? [fault.field] : []))),
    delayMs: () => Math.max(0, ...[...entries].map(({ fault }) => (fault.fault === 'slow' ? fault.milliseconds : 0))),
    eventFault(resource) {
      const entry = [...entries].find(
        ({ fault }) => (fault.fault === 'reset mid-line' || fault.fault === 'malformed') && concerns(fault, resource),
      )
      if (entry === undefined) return undefined
      use(entry)
      return entry.fault.fault as 'reset mid-line' | 'malformed'
    },
    endsWatchAtOnce() {
      const entry = [...entries].find(({ fault }) => fault.fault === 'short watches')
      if (entry !== undefined) use(entry)
      return entry !== undefined
    },
  }

  function standing(name: StandingFault['fault']): boolean {
    return [...entries].some(({ fault }) => fault.fault === name)
  }

  function use(entry: Entry): void {
    entry.left -= 1
    if (entry.left <= 0) entries.delete(entry)
  }

  function refusalFor(request: ParsedRequest): Refusal | undefined {
    for (const entry of entries) {
      const { fault } = entry
      if (fault.fault === 'forbid' && fault.resource === request.resource.plural) return forbidden(request.verb, request.resource)
      if (fault.fault === 'status' && concerns(fault, request.resource.plural)) {
        use(entry)
        return failing(fault.status, fault.retryAfterSeconds)
      }
    }
    const asksInitialEvents = request.verb === 'watch' && request.query.get('sendInitialEvents') === 'true'
    return asksInitialEvents && standing('refuse sendInitialEvents') ? watchListDisabled : undefined
  }
}

export function concerns(fault: { readonly resource?: string }, resource: string): boolean {
  return fault.resource === undefined || fault.resource === resource
}
