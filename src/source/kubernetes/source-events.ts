// Every moment of following the API server that someone may want to know of has a name here. Logs, metrics and health
// subscribe; the flow itself does not depend on anyone listening, and a listener that throws stops nothing.
import { EventEmitter } from 'node:events'
import type { Failure, FailureKind } from './failure.ts'
import type { Activity, Request } from './reflector-state.ts'

/** `services`, `endpointslices`, `nodes`. */
export type ResourceName = string

export interface KubernetesSourceEvents {
  /** The server accepted a request for a list or a watch. */
  opened: [{ readonly resource: ResourceName; readonly request: Request }]
  /** Everything was read and compared with what was known; `changes` came of it. From now on changes stream in. */
  synced: [
    {
      readonly resource: ResourceName
      readonly by: 'stream list' | 'list'
      readonly objects: number
      readonly changes: number
      readonly milliseconds: number
    },
  ]
  /** One object was added, modified or deleted on the server; whether it is a change for us is not said. */
  received: [{ readonly resource: ResourceName; readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' }]
  /** The server says that nothing else happened up to a version. */
  bookmark: [{ readonly resource: ResourceName; readonly resourceVersion: string }]
  /** The server ended a watch in order; it is resumed. */
  closed: [{ readonly resource: ResourceName; readonly milliseconds: number; readonly events: number }]
  /** A request or stream failed. `next`: what follows, with its wait. What is known stays as it is meanwhile. */
  failed: [
    {
      readonly resource: ResourceName
      readonly failure: Failure
      readonly failures: number
      readonly synced: boolean
      readonly next: Activity
    },
  ]
  /** The first success after failures. */
  recovered: [{ readonly resource: ResourceName; readonly milliseconds: number }]
  credentialsReloaded: [{ readonly resource: ResourceName }]
  /** The consumer is slow: reading from the server stops until it has caught up. */
  paused: [{ readonly resource: ResourceName; readonly waiting: number }]
  resumed: [{ readonly resource: ResourceName; readonly milliseconds: number }]
}

export type KubernetesSourceEmitter = EventEmitter<KubernetesSourceEvents>

export function createKubernetesSourceEmitter(): KubernetesSourceEmitter {
  return new EventEmitter<KubernetesSourceEvents>()
}

/** How one resource is followed right now. */
export interface ReflectorStatus {
  readonly resource: ResourceName
  readonly doing: Activity['doing'] | 'nothing'
  /** Read completely at least once. */
  readonly synced: boolean
  /** Milliseconds since the last event, bookmark or complete read; undefined before the first one. */
  readonly lastContactAgeMs: number | undefined
  readonly objects: number
  /** Objects of which there is no version that could be read. */
  readonly unreadable: number
  /** Failures since the last success; 0 while all is well. */
  readonly failuresInARow: number
  readonly failuresByKind: Readonly<Partial<Record<FailureKind, number>>>
  /** Why it is not followed at the moment; undefined while it is. */
  readonly lastFailure: Failure | undefined
}
