// What we tell the cluster about a Service or about this Node, and the Event (events.k8s.io/v1) that says it. Pure.

/** The object that an Event is about. */
export type Regarding =
  | { readonly kind: 'Node'; readonly name: string }
  | {
      readonly kind: 'Service'
      readonly namespace: string
      readonly name: string
      /** metadata.uid: `kubectl describe` finds Events by it. */
      readonly uid: string
    }

export interface Note {
  readonly regarding: Regarding
  readonly type: 'Normal' | 'Warning'
  /** One word that machines may look for: `FailedToStartServiceHealthcheck`. */
  readonly reason: string
  /** What was attempted: `Listen`. */
  readonly action: string
  /** A sentence for people. */
  readonly note: string
}

/** Notes of one key are one Event with a count. All that the API server lets nobody change later is in it. */
export function noteKey({ regarding, type, reason, action, note }: Note): string {
  const where = regarding.kind === 'Node' ? regarding.name : `${regarding.namespace}/${regarding.name} ${regarding.uid}`
  return [regarding.kind, where, type, reason, action, note].join('\n')
}

/** The namespace in which the Event of a note has to be. */
export function namespaceOf({ regarding }: Note): string {
  return regarding.kind === 'Node' ? 'default' : regarding.namespace
}

/** The longest that the API server takes. */
const longest = { name: 253, word: 128, note: 1024 }

/** `NAME.HEX`, as Events are called; @param unique hexadecimal digits. */
export function eventName({ regarding }: Note, unique: string): string {
  const room = longest.name - unique.length - 1
  return `${regarding.name.slice(0, room).replace(/[.-]+$/, '')}.${unique}`
}

export interface EventOptions {
  readonly name: string
  /** Milliseconds since 1970. */
  readonly time: number
  /** This Node. */
  readonly nodeName: string
}

/** The Event as it is created. */
export function eventObject(note: Note, { name, time, nodeName }: EventOptions): object {
  return {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { name, namespace: namespaceOf(note) },
    eventTime: microTime(time),
    reportingController: 'switchyard',
    reportingInstance: nodeName.slice(0, longest.word),
    action: note.action.slice(0, longest.word),
    reason: note.reason.slice(0, longest.word),
    regarding: reference(note.regarding),
    note: shortened(note.note),
    type: note.type,
  }
}

/** The change that says: it happened again. */
export function seriesPatch({ count, lastObserved }: { readonly count: number; readonly lastObserved: number }): object {
  return { series: { count, lastObservedTime: microTime(lastObserved) } }
}

/** A Node goes by its name as uid in Events of node agents: that is what `kubectl describe node` looks for. */
function reference(regarding: Regarding): object {
  if (regarding.kind === 'Node') return { apiVersion: 'v1', kind: 'Node', name: regarding.name, uid: regarding.name }
  const { kind, namespace, name, uid } = regarding
  return { apiVersion: 'v1', kind, namespace, name, ...(uid === '' ? {} : { uid }) }
}

/** The API's MicroTime has six digits after the point. */
function microTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace('Z', '000Z')
}

/** Bytes count, not characters. */
function shortened(text: string): string {
  if (Buffer.byteLength(text) <= longest.note) return text
  const bytes = Buffer.from(text).subarray(0, longest.note - 3)
  // A character that was cut in two decodes to this replacement.
  return `${bytes.toString('utf8').replace(/\uFFFD+$/, '')}...`
}
