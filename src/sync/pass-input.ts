// What a family's sync is made of, and what each of its passes is told. Types alone.
import type { Exec } from '../kernel/exec.ts'
import type { NodeFacts, TrafficSettings } from '../model/node.ts'
import type { ServiceKey } from '../model/objects.ts'
import type { Decision } from '../model/traffic-policy.ts'
import type { EarlierDrains, Mode } from '../modes/mode.ts'
import type { ClusterView } from './decisions.ts'
import type { SyncEmitter } from './events.ts'

export interface FamilySyncOptions<Desired, Observed> {
  readonly mode: Mode<Desired, Observed>
  readonly exec: Exec
  readonly cluster: ClusterView
  readonly events: SyncEmitter
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number
  /** Milliseconds since 1970; only what drains asks for it. */
  readonly wall?: () => number
  /** Filled and kept up to date here; given where a sync of another mode goes on with what an earlier one decided. */
  readonly decisions?: Map<ServiceKey, readonly Decision[]>
  /** What a former process noted of connections that drain. */
  readonly earlierDrains?: EarlierDrains
}

/** What a pass needs besides the cluster. */
export interface PassInput {
  readonly node: NodeFacts
  readonly settings: TrafficSettings
  /** See SourceUpdate.unreadable: false while something could not be read. */
  readonly sweep: boolean
}
