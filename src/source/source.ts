// The contract between whatever knows the cluster's objects (a folder of manifests, an API server) and the sync loop.
// A source gives an endless sequence of updates; it validates (`decode.ts`), it never decides.
import type { ClusterObject, ObjectKind } from '../model/objects.ts'

/** Identity of an object across updates: `Service default/web`, `EndpointSlice default/web-abc`, `Node node1`. */
export type ObjectId = `${ObjectKind} ${string}`

export interface ObjectChange {
  readonly id: ObjectId
  /** The object as it is now; undefined where it is gone. */
  readonly object: ClusterObject | undefined
}

export interface SourceUpdate {
  /** In order. A deletion and a re-creation under one name are two changes. */
  readonly changes: readonly ObjectChange[]
  /**
   * Whether Services and EndpointSlices were read completely at least once. Nothing is programmed before.
   */
  readonly complete: boolean
  /**
   * Whether something that exists could not be read (a file or an object that does not decode, with no earlier good
   * version). While it is so, the rules that a former run left behind are not swept: they may belong to it.
   */
  readonly unreadable: boolean
}

export interface Source {
  /** For logs: `manifests in /etc/switchyard`. */
  readonly description: string
  /** Starts watching; ends when the signal aborts. May be called once. Throws only where nothing can ever be read (no such folder). */
  updates(signal: AbortSignal): AsyncIterable<SourceUpdate>
  /** What cannot be read at the moment. */
  unread(): readonly Unread[]
}

/** An object, or a whole file, that exists and cannot be read as it is now. */
export interface Unread {
  /** `Service default/web`; undefined for a file, and for an object that does not say who it is. */
  readonly id: ObjectId | undefined
  /** `/etc/switchyard/web.yaml: Service default/web`. */
  readonly where: string
  readonly problem: string
  /** Whether an earlier good version of it is in force. */
  readonly kept: boolean
}

export function objectId(kind: ObjectKind, namespace: string | undefined, name: string): ObjectId {
  return namespace === undefined ? `${kind} ${name}` : `${kind} ${namespace}/${name}`
}

/** Something wrong with one object or file; the rest goes on. `where` names it, `problem` says what was expected, `advice` what to do. */
export interface SourceProblem {
  readonly severity: 'error' | 'warning' | 'info'
  readonly where: string
  readonly problem: string
  readonly advice: string
}
export type ReportProblem = (problem: SourceProblem) => void
