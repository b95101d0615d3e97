// The two values that ipvs mode compares: what we want and what the kernel holds of one IP family, by set, virtual server, address and chain.
import type { SavedSet } from '../../kernel/ipset.ts'
import type { RealServerName, ServerName, VirtualServer } from '../../kernel/ipvsadm.ts'
import type { Address } from '../../model/address.ts'
import type { IpvsTrafficSettings } from '../../model/node.ts'
import type { ServiceKey } from '../../model/objects.ts'
import type * as rules from '../rules/state.ts'
import type { SetKind, SetName } from './names.ts'
import type { SetEntry } from './set-entries.ts'

/** What one Service contributes. */
export interface Rendered {
  readonly servers: ReadonlyMap<ServerName, VirtualServer>
  readonly entries: readonly SetEntry[]
  /** On kube-ipvs0. */
  readonly addresses: readonly Address[]
  readonly outFilter: readonly rules.DispatchRule[]
  /** All that its slices name: an endpoint that is not among them is gone. */
  readonly endpoints: readonly RealServerName[]
  /** The scheduler that it asks for and does not get; undefined where all is well. */
  readonly refusedScheduler: string | undefined
}

/** A real server that keeps its connections and gets no new ones. */
export interface Draining {
  readonly server: ServerName
  readonly realServer: RealServerName
  /** Whose it is; undefined where that is not known any more. */
  readonly service: ServiceKey | undefined
  /** Milliseconds since 1970. */
  readonly since: number
  /** When its endpoint left all slices; undefined while one names it. */
  readonly goneSince: number | undefined
  readonly until: number
  /** As counted last; undefined before that. */
  readonly connections: number | undefined
  /** It has no connection, its time is over, or its address is somebody else's: the next pass removes it, and, where that fails, the one after. */
  readonly over: boolean
}

/** Names of what may differ from the last confirmed state. */
export interface Dirty {
  readonly entries: Map<SetName, Set<string>>
  readonly servers: Set<ServerName>
  readonly addresses: Set<Address>
}

export interface Desired {
  readonly services: Map<ServiceKey, Rendered>
  /** Who wants each entry, address and virtual server; an item that nobody wants is absent. */
  readonly claims: Map<string, ServiceKey[]>
  readonly sets: Map<SetName, Set<string>>
  /** With their real servers that drain; servers that only drain are among them. */
  readonly servers: Map<ServerName, VirtualServer>
  readonly addresses: Set<Address>
  readonly draining: Map<ServerName, Map<RealServerName, Draining>>
  readonly dirty: Dirty
  /** What was wanted before everything was compared last, and may be there still: ours, whatever became of the marks around it. */
  readonly earlierServers: Set<ServerName>
  /** The fixed rules, given which sets have entries. */
  readonly base: (isUsed: (kind: SetKind) => boolean) => rules.BaseChains
  /** Services with rules in KUBE-IPVS-OUT-FILTER. */
  readonly outFilter: Map<ServiceKey, rules.Rendered>
  readonly settings: IpvsTrafficSettings
  /** Another mode has taken over: all of ours may keep its connections for so many milliseconds, and nothing is for new ones. */
  readonly retiringMs: number | undefined
  /** Where node ports answer. */
  readonly nodeAddresses: readonly Address[]
  /** Where they did earlier. */
  readonly formerNodeAddresses: ReadonlySet<Address>
  /** All that the node has by itself, whether node ports answer there or not; none of it may come on kube-ipvs0. */
  readonly localAddresses: ReadonlySet<Address>
}

export interface Observed {
  /** Of our names. */
  readonly sets: Map<SetName, SavedSet>
  /** All of the family, foreign ones too. */
  readonly servers: Map<ServerName, VirtualServer>
  /** On kube-ipvs0. */
  readonly addresses: Set<Address>
  readonly hasLink: boolean
  /** The other family has addresses on kube-ipvs0; read only by those who would delete it. */
  readonly linkIsShared: boolean
  readonly rules: rules.Observed
  /** As far as it was confirmed; empty after a read. */
  readonly services: Map<ServiceKey, Rendered>
}

export function nothingDirty(): Dirty {
  return { entries: new Map(), servers: new Set(), addresses: new Set() }
}
