// Every moment of a sync that someone may want to know of has a name here. Logs, metrics and health subscribe; the flow
// itself never calls them.
import { EventEmitter } from 'node:events'
import type { IpFamily } from '../model/address.ts'
import type { ServiceKey } from '../model/objects.ts'
import type { Drift } from '../modes/mode.ts'

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
  /** Whether any Service of the family has a node port. */
  readonly hasNodePorts: boolean
}

export interface SyncEvents {
  /** The kernel holds what the cluster wants. */
  synced: [SyncReport]
  /** A pass failed; nothing that was programmed is lost, the next try comes after `retryInMs`. */
  syncFailed: [{ readonly family: IpFamily; readonly error: Error; readonly failures: number; readonly retryInMs: number }]
  /** The kernel refuses this Service's rules; it keeps what it had, all others go on. */
  quarantined: [{ readonly family: IpFamily; readonly service: ServiceKey; readonly reason: string }]
  /** A quarantined Service is programmed again. */
  released: [{ readonly family: IpFamily; readonly service: ServiceKey }]
  /** The kernel was not as we left it; the repair follows. */
  driftFound: [{ readonly family: IpFamily; readonly drifts: readonly Drift[] }]
  driftRepaired: [{ readonly family: IpFamily; readonly drifts: number }]
  /** The tool prints rules in other words than we wrote them; accepted, said once. */
  aliasesLearned: [{ readonly family: IpFamily; readonly chains: readonly string[] }]
  /** Something stale stays, since others use it. */
  kept: [{ readonly family: IpFamily; readonly what: string }]
}

export type SyncEmitter = EventEmitter<SyncEvents>

export function createSyncEmitter(): SyncEmitter {
  return new EventEmitter<SyncEvents>()
}
