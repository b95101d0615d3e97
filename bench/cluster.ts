// Made-up clusters of any size, as decoded objects. Cluster addresses are drawn at random from 10.96.0.0/12, as an API server does.
import type { Address } from '../src/model/address.ts'
import { type EndpointSlice, type ObjectName, type Service, type ServiceKey, serviceKey } from '../src/model/objects.ts'
import type { ClusterView } from '../src/sync/decisions.ts'

export interface BenchCluster extends ClusterView {
  readonly keys: readonly ServiceKey[]
  /** Gives the Service's first endpoint another address. */
  changeEndpoint(key: ServiceKey): void
  /** Removes the Service, or puts it back. */
  toggle(key: ServiceKey): void
}

export interface ClusterSize {
  readonly services: number
  /** Of each Service. */
  readonly endpoints: number
}

/** The same seed gives the same cluster. */
export function benchCluster(size: ClusterSize, seed = 1): BenchCluster {
  const random = generator(seed)
  const services = new Map<ServiceKey, Service>()
  const removed = new Map<ServiceKey, Service>()
  const slices = new Map<ServiceKey, readonly EndpointSlice[]>()
  const addresses = new Set<string>()
  while (addresses.size < size.services) addresses.add(`10.${96 + random(16)}.${random(256)}.${1 + random(254)}`)
  let pod = 0
  const nextPod = (): Address => `10.244.${(pod >> 8) & 255}.${pod++ & 255}` as Address
  let index = 0
  for (const clusterIP of addresses) {
    const service = makeService(index++, clusterIP as Address)
    const key = serviceKey(service.namespace, service.name)
    services.set(key, service)
    slices.set(key, [makeSlice(service, Array.from({ length: size.endpoints }, nextPod))])
  }
  return {
    keys: [...services.keys()],
    service: key => services.get(key),
    slices: key => slices.get(key) ?? [],
    services: () => services.values(),
    changeEndpoint: key => {
      const [slice] = slices.get(key) ?? []
      const [first, ...others] = slice?.endpoints ?? []
      if (slice === undefined || first === undefined) return
      slices.set(key, [
        { ...slice, endpoints: [{ ...first, address: `10.245.${random(256)}.${random(256)}` as Address }, ...others] },
      ])
    },
    toggle: key => {
      const [from, to] = services.has(key) ? [services, removed] : [removed, services]
      const service = from.get(key)
      if (service !== undefined) to.set(key, service)
      from.delete(key)
    },
  }
}

function makeService(index: number, clusterIP: Address): Service {
  return {
    kind: 'Service',
    namespace: `team-${index % 50}` as ObjectName,
    name: `service-${index}` as ObjectName,
    uid: `${index}`,
    type: 'ClusterIP',
    headless: false,
    serviceProxyName: undefined,
    clusterIPs: [clusterIP],
    ipFamilies: ['IPv4'],
    externalIPs: [],
    loadBalancerAddresses: [],
    loadBalancerSourceRanges: [],
    externalTrafficPolicy: 'Cluster',
    internalTrafficPolicy: 'Cluster',
    affinityTimeoutSeconds: undefined,
    healthCheckNodePort: 0,
    ports: [{ name: 'http', protocol: 'TCP', port: 80, nodePort: 0 }],
    annotations: undefined,
  }
}

function makeSlice(service: Service, pods: readonly Address[]): EndpointSlice {
  return {
    kind: 'EndpointSlice',
    namespace: service.namespace,
    name: `${service.name}-abcde` as ObjectName,
    uid: service.uid,
    service: serviceKey(service.namespace, service.name),
    family: 'IPv4',
    ports: [{ name: 'http', protocol: 'TCP', port: 8080 }],
    endpoints: pods.map(address => ({
      address,
      ready: true,
      serving: true,
      terminating: false,
      podName: undefined,
      nodeName: 'node1',
      zoneHints: undefined,
      nodeHints: undefined,
    })),
    lastChangeTriggerTime: undefined,
  }
}

/** A linear congruential generator: numbers below `limit`, the same for the same seed. */
export function generator(seed: number): (limit: number) => number {
  let state = seed >>> 0
  return limit => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * limit)
  }
}
