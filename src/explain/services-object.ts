// What the daemon tells of Services, as /switchyard/v1/services serves it. Within v1 fields may come, none goes or gets another meaning; null: there is none.
import type { IpFamily } from '../model/address.ts'
import type { Protocol, TrafficPolicy } from '../model/objects.ts'
import type { Client } from '../model/way-in.ts'

export const servicesPath = '/switchyard/v1/services'

/** `?search=TEXT&limit=N`, or `?name=NAME` for those of this name in any namespace: a line each, sorted by namespace and name. */
export interface ServiceList {
  readonly apiVersion: 'switchyard/v1'
  readonly kind: 'ServiceList'
  readonly time: string
  readonly node: string
  readonly mode: string
  /** How many match `search`; `services` may be fewer. */
  readonly total: number
  /** Those among them that cannot be read, and of which there is no earlier good version; they are not counted. Absent where a Switchyard from before this field answers. */
  readonly unread?: readonly { readonly service: string; readonly where: string; readonly problem: string }[]
  readonly services: readonly ServiceSummary[]
}

export interface ServiceSummary {
  /** `default/web`. */
  readonly service: string
  readonly type: string
  /** Every address at which it answers, in both families; node ports as `node:30080/TCP`. */
  readonly addresses: readonly string[]
  /** `80/TCP`. */
  readonly ports: readonly string[]
  readonly endpoints: { readonly total: number; readonly ready: number; readonly local: number }
  readonly state: ServiceState
}

/** `waiting`: a change is not in the kernel yet. `quarantined`: the kernel refuses it, and it keeps what it had. `not ours`: headless, ExternalName, another proxy's. */
export interface ServiceState {
  readonly programmed: 'yes' | 'waiting' | 'quarantined' | 'not ours'
  /** Why it is not, or what it asks for and does not get, in words. */
  readonly remarks: readonly string[]
}

/** `?service=NAMESPACE/NAME`: one Service whole. */
export interface ServiceDetail {
  readonly apiVersion: 'switchyard/v1'
  readonly kind: 'ServiceDetail'
  readonly time: string
  readonly node: string
  readonly mode: string
  /** `default/web`. */
  readonly service: string
  readonly type: string
  readonly state: ServiceState
  readonly ports: readonly ServicePortDetail[]
}

/** A port in one IP family. */
export interface ServicePortDetail {
  /** `default/web:http`. */
  readonly name: string
  readonly family: IpFamily
  readonly protocol: Protocol
  readonly port: number
  /** Where it answers, and who is served there by which policy. */
  readonly addresses: readonly ServiceAddress[]
  readonly affinitySeconds: number | null
  /** In ipvs mode. */
  readonly scheduler: string | null
  readonly endpoints: readonly EndpointDetail[]
}

export interface ServiceAddress {
  readonly kind: 'cluster IP' | 'external address' | 'load balancer' | 'node port'
  /** `10.96.0.1:80`; a node port as `node:30080`. */
  readonly address: string
  /** Only from these ranges; empty: from everywhere. All others are dropped. */
  readonly sourceRanges: readonly string[]
  /** What becomes of new connections from these ranges, by who makes them. */
  readonly fates: readonly { readonly client: Client; readonly fate: ClientFate }[]
}

/** `untouched`: no rule takes it, and it goes on to where it is addressed. */
export type ClientFate = { readonly to: TrafficPolicy } | 'refused' | 'dropped' | 'untouched'

export interface EndpointDetail {
  /** `10.244.1.11:8080`. */
  readonly endpoint: string
  /** Namespace and name of the pod, from targetRef. */
  readonly pod: string | null
  readonly node: string | null
  readonly local: boolean
  readonly ready: boolean
  readonly serving: boolean
  readonly terminating: boolean
  /** Whether it gets new connections under each policy: null where nothing uses that policy. */
  readonly cluster: EndpointChance | null
  readonly localPolicy: EndpointChance | null
}

/** `share`: 0 to 1, of new connections without affinity; 0 with the reason why not. */
export interface EndpointChance {
  readonly share: number
  readonly reason: string | null
}
