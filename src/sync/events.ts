// Every moment of a sync that someone may want to know of has a name here. Logs, metrics and health subscribe; the flow
// itself never calls them.
import { EventEmitter } from 'node:events'
import type { IpFamily } from '../model/address.ts'
import type { NodeFacts, TrafficSettings } from '../model/node.ts'
import type { Node, ServiceKey } from '../model/objects.ts'
import type { Decisions, Drain, Drift, Extent, Remark, Scope } from '../modes/mode.ts'
import type { ObjectChange } from '../source/source.ts'
import type { StoreCounts } from '../source/store.ts'
import type { ClusterView } from './decisions.ts'

export interface SyncReport {
  readonly family: IpFamily
  /** `full`: everything was compared; `partial`: only the Services that changed. */
  readonly kind: 'full' | 'partial'
  readonly services: number
  readonly touchedServices: number
  /** Lines given to tools; 0 where the kernel already was as wanted. */
  readonly lines: number
  readonly written: number
  readonly removed: number
  readonly milliseconds: number
  readonly restoreMilliseconds: number
  readonly quarantined: number
  /** Real servers that keep their connections and get no new ones. */
  readonly draining: number
  /** Whether any Service of the family has a node port. */
  readonly hasNodePorts: boolean
}

/** The cluster as the store has it, live: what a moment is about may be looked up, nothing may be changed. */
export interface ClusterState extends ClusterView {
  /** This node's own Node object. */
  node(): Node | undefined
  counts(): StoreCounts
}

/** What the source told of; the store has it already. */
export interface ClusterChange {
  readonly changes: readonly ObjectChange[]
  /** See SourceUpdate. Until it is true, nothing is queued. */
  readonly complete: boolean
  readonly unreadable: boolean
  readonly cluster: ClusterState
}

/** What the kernel holds after a pass. Maps are live: whoever keeps them sees what later passes make of them. */
export interface Programmed {
  readonly family: IpFamily
  /** The Services that were compared; those without a Decision are gone. */
  readonly scope: Scope
  readonly decisions: Decisions
  /** Services that keep what they had, for all that their Decisions say. */
  readonly quarantined: ReadonlyMap<ServiceKey, string>
  readonly node: NodeFacts
  readonly settings: TrafficSettings
  /** Rules by table. `total` counts when it is called. */
  readonly rules: { readonly written: Readonly<Record<string, number>>; readonly total: () => Readonly<Record<string, number>> }
}

export interface CheckReport {
  readonly family: IpFamily
  readonly extent: Extent
  readonly drifts: number
  readonly milliseconds: number
}

export interface SyncEvents {
  /** The source told of something. */
  changed: [ClusterChange]
  /** These Services wait for a pass of the family; it comes as soon as coalescing and backoff let it. */
  queued: [{ readonly family: IpFamily; readonly scope: Scope }]
  /** All that was queued for the family until now is in the pass that begins. `synced` or `syncFailed` tells its end. */
  passStarted: [{ readonly family: IpFamily; readonly scope: Scope }]
  /** A pass succeeded: directly before `synced`, for those who need to know what the kernel holds. */
  programmed: [Programmed]
  /** A tool refused what it was fed. A pass may go on from there without the culprits. */
  restoreFailed: [{ readonly family: IpFamily; readonly kind: SyncReport['kind'] }]
  /** Stale UDP flows were looked for and deleted. */
  conntrackCleaned: [{ readonly family: IpFamily; readonly deleted: number; readonly milliseconds: number }]
  /** The kernel holds what the cluster wants. */
  synced: [SyncReport]
  /** A pass failed; nothing that was programmed is lost, the next try comes after `retryInMs`. */
  syncFailed: [{ readonly family: IpFamily; readonly error: Error; readonly failures: number; readonly retryInMs: number }]
  /** What failed so many times in a row, a pass or a check, went well. */
  recovered: [{ readonly family: IpFamily; readonly failures: number }]
  /** The kernel was read and compared with what we left there. */
  checked: [CheckReport]
  /** The kernel refuses this Service's rules; it keeps what it had, all others go on. */
  quarantined: [{ readonly family: IpFamily; readonly service: ServiceKey; readonly reason: string }]
  /** A quarantined Service is programmed again. */
  released: [{ readonly family: IpFamily; readonly service: ServiceKey }]
  /** The kernel was not as we left it; the repair follows. */
  driftFound: [{ readonly family: IpFamily; readonly drifts: readonly Drift[]; readonly meaning: (drift: Drift) => string }]
  driftRepaired: [{ readonly family: IpFamily; readonly drifts: number }]
  /** The tool prints rules in other words than we wrote them; accepted, said once. */
  aliasesLearned: [{ readonly family: IpFamily; readonly chains: readonly string[] }]
  /** What keeps its connections and gets no new ones, after a pass or a look; `retiring`: what another mode left, else the mode's own. */
  draining: [{ readonly family: IpFamily; readonly retiring: boolean; readonly drains: readonly Drain[] }]
  /** Nothing of the former mode is left. */
  retired: [{ readonly family: IpFamily }]
  /** What another mode left could not be read or removed; it is tried again. */
  retireFailed: [{ readonly family: IpFamily; readonly error: Error; readonly failures: number }]
  /** Connections that drain were counted. */
  looked: [{ readonly family: IpFamily }]
  /** Connections that drain could not be counted. */
  lookFailed: [{ readonly family: IpFamily; readonly error: Error }]
  /** A Service asks for what it does not get on this node; all else of it is programmed. Said with every pass that touched it. */
  remarked: [{ readonly family: IpFamily } & Remark]
  /** Something stale stays, since others use it. */
  kept: [{ readonly family: IpFamily; readonly what: string }]
}

export type SyncEmitter = EventEmitter<SyncEvents>

export function createSyncEmitter(): SyncEmitter {
  // Each observer listens once, for the life of the process: many of them are no leak, which Node would warn of.
  return new EventEmitter<SyncEvents>().setMaxListeners(0)
}
