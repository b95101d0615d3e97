// Made-up clusters of any size, as the objects of an API server. Cluster addresses are drawn at random from 10.96.0.0/12, as a real
// one does. The same options give the same cluster, in whichever process.
import { type ClusterObject, type EndpointSlice, type Service, type ServiceKey, serviceKey } from '../src/model/objects.ts'
import { decodeObject } from '../src/source/decode.ts'
import { objectId } from '../src/source/source.ts'
import { createStore, type Store } from '../src/source/store.ts'
import type { ApiObject } from '../test/support/apiserver/resources.ts'
import { generator } from './cluster.ts'
import type { ClusterSize } from './figures.ts'

export interface ClusterOptions extends ClusterSize {
  /** Further Services with one endpoint each: the first connection after it changed shows that it did. */
  readonly probes: number
  /** Further Services with so many endpoints each. */
  readonly wide?: readonly number[]
}

export interface BenchService {
  readonly name: string
  readonly namespace: string
  readonly clusterIP: string
  readonly pods: readonly string[]
}

export const servicePort = 80
export const podPort = 8080

/** All pods are here, and all that lead to them. */
export const podRange = '10.244.0.0/16'
export const clusterRange = '10.244.0.0/15'
export const serviceRange = '10.96.0.0/12'

/** An API server cuts slices at 100 endpoints. */
const mostInSlice = 100

/** The sized ones first, then the probes, then the wide ones. */
export function benchServices({ services, endpoints, probes, wide = [] }: ClusterOptions, seed = 1): readonly BenchService[] {
  const random = generator(seed)
  const addresses = new Set<string>()
  while (addresses.size < services + probes + wide.length)
    addresses.add(`10.${96 + random(16)}.${random(256)}.${1 + random(254)}`)
  let pod = 0
  return [...addresses].map((clusterIP, index) => {
    const kind = index < services ? 'service' : index < services + probes ? 'probe' : 'wide'
    const count = kind === 'service' ? endpoints : kind === 'probe' ? 1 : (wide[index - services - probes] ?? 0)
    const pods = Array.from({ length: count }, () => podAddress(pod++))
    return { name: `${kind}-${index}`, namespace: `team-${index % 50}`, clusterIP, pods }
  })
}

/** One pod may serve many Services, so there are always enough. */
export function podAddress(number: number): string {
  const host = 256 + (number % 65_000)
  return `10.244.${host >> 8}.${host & 255}`
}

export const benchNode: ApiObject = {
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'node1', labels: { 'kubernetes.io/hostname': 'node1' } },
  spec: { podCIDR: '10.245.0.0/24', podCIDRs: ['10.245.0.0/24'] },
  status: { addresses: [{ type: 'InternalIP', address: '10.245.0.1' }] },
}

export function objectsOf(service: BenchService): readonly ApiObject[] {
  return [serviceObject(service), ...sliceObjects(service)]
}

/** With what a real one carries and nobody here reads. */
export function serviceObject({ name, namespace, clusterIP }: BenchService): ApiObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace, labels: { app: name, team: namespace } },
    spec: {
      clusterIP,
      clusterIPs: [clusterIP],
      type: 'ClusterIP',
      ipFamilies: ['IPv4'],
      ipFamilyPolicy: 'SingleStack',
      internalTrafficPolicy: 'Cluster',
      sessionAffinity: 'None',
      selector: { app: name },
      ports: [{ name: 'http', protocol: 'TCP', port: servicePort, targetPort: podPort }],
    },
    status: { loadBalancer: {} },
  }
}

export function sliceObjects({ name, namespace, pods }: BenchService): readonly ApiObject[] {
  const starts = Array.from({ length: Math.max(1, Math.ceil(pods.length / mostInSlice)) }, (_, index) => index * mostInSlice)
  return starts.map(start => ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: `${name}-${start}`,
      namespace,
      labels: { 'kubernetes.io/service-name': name, 'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io' },
    },
    addressType: 'IPv4',
    ports: [{ name: 'http', protocol: 'TCP', port: podPort }],
    endpoints: pods.slice(start, start + mostInSlice).map((address, index) => ({
      addresses: [address],
      conditions: { ready: true, serving: true, terminating: false },
      nodeName: `node${1 + ((start + index) % 100)}`,
      targetRef: { kind: 'Pod', namespace, name: `${name}-${address.replaceAll('.', '-')}` },
      zone: 'a',
    })),
  }))
}

/** A cluster for a sync in this process, read as the daemon reads it. */
export class DecodedCluster {
  readonly store: Store = createStore({ nodeName: 'node1' })

  /** Gives what is dirty. Throws where an object is none. */
  put(objects: readonly ApiObject[]): ReadonlySet<ServiceKey> {
    return this.store.apply(objects.map(object => ({ id: idOf(object), object: decoded(object) }))).services
  }

  remove(objects: readonly ApiObject[]): ReadonlySet<ServiceKey> {
    return this.store.apply(objects.map(object => ({ id: idOf(object), object: undefined }))).services
  }
}

export function keyOfService({ namespace, name }: Pick<BenchService, 'namespace' | 'name'>): ServiceKey {
  return serviceKey(namespace, name)
}

function idOf({ kind, metadata: { namespace, name } }: ApiObject) {
  return objectId(kind as ClusterObject['kind'], namespace, name)
}

function decoded(object: ApiObject): Service | EndpointSlice | ClusterObject {
  const result = decodeObject(object)
  if (result.outcome !== 'decoded') throw new Error(`bench: ${result.name} does not decode: ${JSON.stringify(result)}`)
  return result.object
}
