// How the running daemon is, as /switchyard/v1/status serves it and `switchyard status` reads it. Within v1 fields may come, none goes or gets another
// meaning. Times are RFC 3339 in UTC; null: there is none.
import type { UnreadObject } from '../explain/unread.ts'
import type { Backend } from '../kernel/iptables.ts'
import type { IpFamily } from '../model/address.ts'

export const statusPath = '/switchyard/v1/status'
export const statusVersion = 'switchyard/v1'

export interface Status {
  readonly apiVersion: typeof statusVersion
  readonly kind: 'Status'
  /** Of Switchyard. */
  readonly version: string
  readonly node: string
  /** The mode that runs. */
  readonly mode: string
  /** The iptables backend that its rules are in. */
  readonly iptablesBackend: Backend
  readonly startedAt: string
  /** When this was said. */
  readonly time: string
  /** What /readyz says. */
  readonly ready: boolean
  /** Why it is not, in words. */
  readonly missing: readonly string[]
  readonly families: readonly FamilyStatus[]
  /** Kernel parameters that are not as they should be; as of the last sync, check or question. Absent where a Switchyard from before this field answers. */
  readonly parameters?: readonly ParameterStatus[]
  readonly source: SourceStatus
  /** What the configuration files ask for and is not done. Absent where a Switchyard from before this field answers. */
  readonly notInForce?: readonly SettingStatus[]
}

/** All but the reason is null where the changed files are wrong and refused as a whole. Values as a file would have them. */
export interface SettingStatus {
  /** `ipvs.scheduler`. */
  readonly field: string | null
  readonly inFile: string | null
  readonly inForce: string | null
  readonly reason: string
}

export interface ParameterStatus {
  /** `net.ipv4.ip_forward`. */
  readonly name: string
  /** Null: this kernel does not have it. */
  readonly is: string | null
  readonly expected: string
  /** What it means for connections. */
  readonly meaning: string
}

export interface FamilyStatus {
  readonly family: IpFamily
  /** Programmed completely at least once, and no change waits for too long. */
  readonly ready: boolean
  /** The last pass that succeeded and compared everything, or only what had changed. */
  readonly lastFullSync: string | null
  readonly lastPartialSync: string | null
  /** Since when the oldest change that the kernel does not have yet is known. */
  readonly waitingSince: string | null
  /** As of the last pass that succeeded. */
  readonly services: number
  /** Their rules are refused by the kernel, and are what they were before. */
  readonly quarantined: readonly { readonly service: string; readonly reason: string }[]
  /** What Services ask for and do not get on this node; the rest of them is programmed. */
  readonly remarks: readonly { readonly service: string; readonly reason: string; readonly message: string }[]
  /** How many passes or checks in a row failed until now, and the words of the last one. */
  readonly failures: number
  readonly lastFailure: string | null
  readonly drains: readonly DrainStatus[]
  /** Differences that others made in the kernel and that were repaired, since the start. */
  readonly driftRepaired: number
}

/** A real server that keeps its connections and gets no new ones. */
export interface DrainStatus {
  /** As ipvsadm names it: `-t 10.96.0.1:80`. */
  readonly server: string
  readonly realServer: string
  readonly service: string | null
  readonly since: string
  /** When its endpoint left all EndpointSlices; null while one names it. */
  readonly goneSince: string | null
  /** When its connections are cut at the latest. */
  readonly until: string
  /** As counted last. */
  readonly connections: number | null
  /** Left by a change to another mode. */
  readonly retiring: boolean
}

export interface SourceStatus {
  /** `manifests in /etc/switchyard`. */
  readonly description: string
  /** Whether Services and EndpointSlices were read completely. */
  readonly complete: boolean
  /** Something cannot be read and has no earlier version: nothing stale is removed. */
  readonly unreadable: boolean
  /** What cannot be read as it is now; of many the first. Absent where a Switchyard from before this field answers. */
  readonly unread?: readonly UnreadObject[]
  readonly objects: { readonly services: number; readonly endpointSlices: number; readonly endpoints: number }
  /** None where the objects do not come from an API server. */
  readonly watches: readonly WatchStatus[]
}

export interface WatchStatus {
  readonly resource: string
  /** Read completely at least once. */
  readonly synced: boolean
  /** The last event, bookmark or complete read. */
  readonly lastContact: string | null
  /** Why it is not followed at the moment: `forbidden`. */
  readonly failure: string | null
}
