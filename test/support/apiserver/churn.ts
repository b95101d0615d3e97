// Random changes of a cluster that neither grows nor shrinks for long: Services and slices are added, changed, deleted and
// recreated under their names. The same seed gives the same changes.
import { seededRandom } from './random.ts'
import type { ApiObject } from './resources.ts'

export interface ChurnOptions {
  readonly changes: number
  readonly seed: number
  /** How many names of Services there are; about two thirds exist at a time. Each has up to three slices. */
  readonly services?: number
}

/** What changes are made to. */
export interface Changeable {
  put(object: ApiObject): unknown
  remove(object: ApiObject): unknown
}

export function churn(cluster: Changeable, { changes, seed, services = 500 }: ChurnOptions): void {
  const random = seededRandom(seed)
  const pick = (count: number) => Math.floor(random() * count)
  for (let change = 0; change < changes; change += 1) {
    const name = `churn-${pick(services)}`
    const object = random() < 0.4 ? service(name, pick) : endpointSlice(name, pick)
    const what = random()
    if (what < 0.25) cluster.remove(object)
    else cluster.put(object)
    if (what > 0.95) {
      cluster.remove(object)
      cluster.put(object)
    }
  }
}

function service(name: string, pick: (count: number) => number): ApiObject {
  const ports = Array.from({ length: 1 + pick(3) }, (_, index) => ({
    name: `p${index}`,
    protocol: 'TCP',
    port: 1 + pick(65_535),
  }))
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'churn', labels: pick(50) === 0 ? { 'service.kubernetes.io/service-proxy-name': 'other' } : {} },
    // One port in a hundred is none: such objects exist, and their last good version must stay.
    spec: { clusterIP: address(96, pick), ports: pick(100) === 0 ? [{ port: 70_000 }] : ports },
  }
}

function endpointSlice(service: string, pick: (count: number) => number): ApiObject {
  const endpoints = Array.from({ length: pick(20) }, () => ({
    addresses: [address(244, pick)],
    conditions: { ready: pick(5) > 0, serving: true, terminating: false },
    nodeName: `node-${pick(10)}`,
    zone: 'a',
  }))
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `${service}-${pick(3)}`, namespace: 'churn', labels: { 'kubernetes.io/service-name': service } },
    addressType: 'IPv4',
    ports: [{ name: 'p0', protocol: 'TCP', port: 8080 }],
    endpoints,
  }
}

function address(second: number, pick: (count: number) => number): string {
  return `10.${second}.${pick(256)}.${1 + pick(254)}`
}
