// The Kubernetes objects that Switchyard follows, reduced to the fields that decide where a packet goes.
// `source/decode.ts` is the only maker of these values: whatever has one of these types was validated there.
// All values are immutable; the same object is never changed, only replaced.
import type { Address, Cidr, IpFamily } from './address.ts'

/** A DNS label or subdomain that was checked: letters, digits, `-` and `.`; safe in a rule's comment and in a chain's hash. */
export type ObjectName = string & { readonly _brand: 'ObjectName' }

/** `namespace/name` of a Service: the key under which a Service, its slices and its share of the kernel's rules are found. */
export type ServiceKey = string & { readonly _brand: 'ServiceKey' }

export type Protocol = 'TCP' | 'UDP' | 'SCTP'
export type TrafficPolicy = 'Cluster' | 'Local'

/** v1 Service. */
export interface Service {
  readonly kind: 'Service'
  readonly namespace: ObjectName
  readonly name: ObjectName
  /** metadata.uid; empty in manifests that have none. Two objects of one name and different uid are different objects. */
  readonly uid: string
  readonly type: 'ClusterIP' | 'NodePort' | 'LoadBalancer' | 'ExternalName'
  /** spec.clusterIP is `None`. */
  readonly headless: boolean
  /** Label `service.kubernetes.io/service-proxy-name`: another proxy's Service, not ours. */
  readonly serviceProxyName: string | undefined
  /** spec.clusterIPs (or clusterIP), at most one a family. */
  readonly clusterIPs: readonly Address[]
  /** spec.ipFamilies, or the families of clusterIPs, or those of the other addresses, or IPv4. Never empty. */
  readonly ipFamilies: readonly IpFamily[]
  readonly externalIPs: readonly Address[]
  /** status.loadBalancer.ingress[].ip whose ipMode is not `Proxy`. */
  readonly loadBalancerAddresses: readonly Address[]
  readonly loadBalancerSourceRanges: readonly Cidr[]
  readonly externalTrafficPolicy: TrafficPolicy
  readonly internalTrafficPolicy: TrafficPolicy
  /** sessionAffinityConfig.clientIP.timeoutSeconds where sessionAffinity is ClientIP, 1 to 86,400 seconds; else undefined. */
  readonly affinityTimeoutSeconds: number | undefined
  /** spec.healthCheckNodePort, 0 where there is none. */
  readonly healthCheckNodePort: number
  readonly ports: readonly ServiceSpecPort[]
  /** metadata.annotations under `switchyard/` and `kube-router.io/`; undefined where there are none. */
  readonly annotations: Readonly<Record<string, string>> | undefined
}

/** v1 Service spec.ports[]; names are unique within a Service. */
export interface ServiceSpecPort {
  /** Empty where the only port has no name. */
  readonly name: string
  readonly protocol: Protocol
  readonly port: number
  /** 0 where there is none. */
  readonly nodePort: number
}

/** discovery.k8s.io/v1 EndpointSlice, of addressType IPv4 or IPv6. */
export interface EndpointSlice {
  readonly kind: 'EndpointSlice'
  readonly namespace: ObjectName
  readonly name: ObjectName
  readonly uid: string
  /** Label `kubernetes.io/service-name`. */
  readonly service: ServiceKey
  readonly family: IpFamily
  readonly ports: readonly EndpointSlicePort[]
  readonly endpoints: readonly SliceEndpoint[]
  /** Annotation `endpoints.kubernetes.io/last-change-trigger-time` in milliseconds since 1970; undefined where absent. */
  readonly lastChangeTriggerTime: number | undefined
}

export interface EndpointSlicePort {
  /** Empty for the unnamed port. */
  readonly name: string
  readonly protocol: Protocol
  readonly port: number
}

export interface SliceEndpoint {
  /** endpoints[].addresses[0]: the API promises that further addresses are interchangeable, and no proxy uses them. */
  readonly address: Address
  /** conditions.ready, true where unset. */
  readonly ready: boolean
  /** conditions.serving; where unset, what ready says. */
  readonly serving: boolean
  readonly terminating: boolean
  readonly nodeName: string | undefined
  /** targetRef.name where its kind is Pod; it is in the slice's namespace. */
  readonly podName: string | undefined
  /** hints.forZones[].name; undefined where there are none. */
  readonly zoneHints: readonly string[] | undefined
  /** hints.forNodes[].name; undefined where there are none. */
  readonly nodeHints: readonly string[] | undefined
}

/** v1 Node. */
export interface Node {
  readonly kind: 'Node'
  readonly name: ObjectName
  readonly uid: string
  /** Label `topology.kubernetes.io/zone`. */
  readonly zone: string | undefined
  /** status.addresses of type InternalIP, then ExternalIP, in the object's order. */
  readonly addresses: readonly Address[]
  /** spec.podCIDRs (or podCIDR). */
  readonly podCidrs: readonly Cidr[]
  /** metadata.deletionTimestamp is set. */
  readonly deleting: boolean
  /** Keys of spec.taints. */
  readonly taints: readonly string[]
}

export type ClusterObject = Service | EndpointSlice | Node
export type ObjectKind = ClusterObject['kind']

export function serviceKey(namespace: string, name: string): ServiceKey {
  return `${namespace}/${name}` as ServiceKey
}
