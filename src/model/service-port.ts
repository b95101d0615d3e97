// One port of one Service in one IP family: what a mode programs as a unit.
import { type Address, type Cidr, familyOf, type IpFamily, ofFamily } from './address.ts'
import type { Protocol, Service, ServiceKey, TrafficPolicy } from './objects.ts'
import { serviceKey } from './objects.ts'

export interface ServicePort {
  readonly service: ServiceKey
  /** `namespace/name:port`, or `namespace/name` for the unnamed port: kube-proxy's ServicePortName, which chain names hash. */
  readonly name: string
  /** The name alone, as in EndpointSlice ports; empty for the unnamed port. */
  readonly portName: string
  readonly family: IpFamily
  readonly protocol: Protocol
  /** Undefined only for a manifest's Service that no API server gave an address. */
  readonly clusterIP: Address | undefined
  readonly port: number
  /** 0 where there is none. */
  readonly nodePort: number
  readonly externalIPs: readonly Address[]
  readonly loadBalancerAddresses: readonly Address[]
  readonly loadBalancerSourceRanges: readonly Cidr[]
  readonly internalTrafficPolicy: TrafficPolicy
  readonly externalTrafficPolicy: TrafficPolicy
  /** Seconds; undefined where sessionAffinity is None. */
  readonly affinityTimeoutSeconds: number | undefined
  /** 0 where there is none. */
  readonly healthCheckNodePort: number
  /** Annotation `switchyard/ipvs-scheduler`, or kube-router's `kube-router.io/service.scheduler`; any text, undefined where neither is there. */
  readonly ipvsScheduler: string | undefined
}

/** Whether this proxy programs the Service at all: not headless, ExternalName or another proxy's. */
export function isProxied(service: Service): boolean {
  return service.type !== 'ExternalName' && !service.headless && service.serviceProxyName === undefined
}

/** The Service's ports in one family, in the object's order; none where the Service is not ours or has no such family. */
export function servicePorts(service: Service, family: IpFamily): readonly ServicePort[] {
  if (!isProxied(service) || !service.ipFamilies.includes(family)) return []
  const key = serviceKey(service.namespace, service.name)
  const shared = {
    service: key,
    family,
    clusterIP: service.clusterIPs.find(address => familyOf(address) === family),
    externalIPs: ofFamily(service.externalIPs, family),
    loadBalancerAddresses: ofFamily(service.loadBalancerAddresses, family),
    loadBalancerSourceRanges: ofFamily(service.loadBalancerSourceRanges, family),
    internalTrafficPolicy: service.internalTrafficPolicy,
    externalTrafficPolicy: service.externalTrafficPolicy,
    affinityTimeoutSeconds: service.affinityTimeoutSeconds,
    healthCheckNodePort: service.healthCheckNodePort,
    ipvsScheduler:
      service.annotations?.['switchyard/ipvs-scheduler'] ?? service.annotations?.['kube-router.io/service.scheduler'],
  }
  return service.ports.map(({ name, protocol, port, nodePort }) => ({
    ...shared,
    name: name === '' ? key : `${key}:${name}`,
    portName: name,
    protocol,
    port,
    nodePort,
  }))
}

/** Whether most others need this Service to work at all: it is the API server, or the cluster's DNS. Takes all its ports of one family. */
export function othersDependOn(ports: readonly ServicePort[]): boolean {
  return ports.some(
    ({ service, protocol, port }) =>
      service === 'default/kubernetes' || (service.startsWith('kube-system/') && protocol === 'UDP' && port === 53),
  )
}

/** Whether the service port has an address that clients outside the cluster use. */
export function isExternallyAccessible(servicePort: ServicePort): boolean {
  return servicePort.nodePort !== 0 || servicePort.loadBalancerAddresses.length > 0 || servicePort.externalIPs.length > 0
}
