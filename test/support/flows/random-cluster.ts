// A cluster that changes at random around one Service that is always there: what a churn test writes.
// The same seed gives the same sequence of clusters. Pure but for its own state.
import { stringify } from 'yaml'
import type { PodPlan } from '../lab/network-plan.ts'

/** Numbers from 0 up to, not including, 1; the same for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Where the Service in the middle is reached. */
export const steady = { ipv4: '10.96.100.1', ipv6: 'fd00:10:96::100:1', port: 80, nodePort: 31_000 } as const

const mostNeighbours = 40

interface Neighbour {
  readonly index: number
  readonly service: object
  readonly slices: readonly object[]
}

export class RandomCluster {
  readonly #random: () => number
  readonly #pods: readonly PodPlan[]
  readonly #neighbours = new Map<number, Neighbour>()
  #steadyPods: readonly PodPlan[]

  constructor({ seed, pods }: { seed: number; pods: readonly PodPlan[] }) {
    this.#random = seededRandom(seed)
    this.#pods = pods
    this.#steadyPods = pods
  }

  /** The names of the steady Service's endpoints now; never none. */
  get endpoints(): readonly string[] {
    return this.#steadyPods.map(pod => pod.name)
  }

  /** A handful of changes: neighbours that come, go and change, and now and then other endpoints for the steady Service. */
  change(): void {
    for (let left = this.#below(4); left >= 0; left--) {
      const index = this.#below(mostNeighbours)
      if (this.#random() < 0.3) this.#neighbours.delete(index)
      else this.#neighbours.set(index, this.#neighbour(index))
    }
    if (this.#random() < 0.5) this.#steadyPods = this.#someOf(this.#pods)
  }

  toYaml(): string {
    const neighbours = [...this.#neighbours.values()].flatMap(({ service, slices }) => [service, ...slices])
    return [...steadyObjects(this.#steadyPods), ...neighbours].map(object => stringify(object)).join('---\n')
  }

  #neighbour(index: number): Neighbour {
    const name = `neighbour-${index}`
    const type = this.#oneOf(['ClusterIP', 'NodePort', 'LoadBalancer'] as const)
    const protocol = this.#oneOf(['TCP', 'TCP', 'UDP'] as const)
    const external = type === 'ClusterIP' ? {} : { externalTrafficPolicy: this.#oneOf(['Cluster', 'Local'] as const) }
    const port = {
      name: 'web',
      port: 80 + this.#below(3),
      protocol,
      targetPort: 8080,
      ...(type === 'ClusterIP' ? {} : { nodePort: 31_100 + index }),
    }
    const service = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name },
      spec: {
        type,
        clusterIP: `10.96.101.${index + 1}`,
        clusterIPs: [`10.96.101.${index + 1}`, `fd00:10:96::101:${index + 1}`],
        ipFamilies: ['IPv4', 'IPv6'],
        internalTrafficPolicy: this.#oneOf(['Cluster', 'Cluster', 'Local'] as const),
        sessionAffinity: this.#oneOf(['None', 'None', 'ClientIP'] as const),
        ...external,
        ...(type === 'LoadBalancer' && this.#random() < 0.5 ? { loadBalancerSourceRanges: ['203.0.113.0/24'] } : {}),
        ports: [port],
      },
      ...(type === 'LoadBalancer'
        ? { status: { loadBalancer: { ingress: [{ ip: `192.168.100.${index + 1}`, ipMode: 'VIP' }] } } }
        : {}),
    }
    const endpoints = Array.from({ length: this.#below(5) }, () => ({ node: 1 + this.#below(9), host: 100 + this.#below(100) }))
    const slice = (family: 'IPv4' | 'IPv6', address: (place: (typeof endpoints)[number]) => string) =>
      sliceOf({
        service: name,
        family,
        port: { name: 'web', protocol, port: 8080 },
        endpoints: endpoints.map(place => ({
          addresses: [address(place)],
          nodeName: `node${place.node}`,
          conditions: { ready: this.#random() < 0.8 },
        })),
      })
    const slices = [
      slice('IPv4', ({ node, host }) => `10.244.${node}.${host}`),
      slice('IPv6', ({ node, host }) => `fd00:10:244:${node}::${host}`),
    ]
    return { index, service, slices }
  }

  #someOf<T>(all: readonly T[]): readonly T[] {
    const chosen = all.filter(() => this.#random() < 0.5)
    return chosen.length === 0 ? [this.#oneOf(all)] : chosen
  }

  #oneOf<T>(all: readonly T[]): T {
    return all[this.#below(all.length)] as T
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit)
  }
}

function steadyObjects(pods: readonly PodPlan[]): readonly object[] {
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'steady' },
    spec: {
      type: 'NodePort',
      clusterIP: steady.ipv4,
      clusterIPs: [steady.ipv4, steady.ipv6],
      ipFamilies: ['IPv4', 'IPv6'],
      ports: [{ name: 'http', port: steady.port, protocol: 'TCP', targetPort: 8080, nodePort: steady.nodePort }],
    },
  }
  const slice = (family: 'IPv4' | 'IPv6') =>
    sliceOf({
      service: 'steady',
      family,
      port: { name: 'http', protocol: 'TCP', port: 8080 },
      endpoints: pods.map(pod => ({
        addresses: [family === 'IPv4' ? pod.ipv4 : pod.ipv6],
        nodeName: pod.node,
        conditions: { ready: true },
      })),
    })
  return [service, slice('IPv4'), slice('IPv6')]
}

function sliceOf(options: { service: string; family: 'IPv4' | 'IPv6'; port: object; endpoints: readonly object[] }): object {
  const { service, family, port, endpoints } = options
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `${service}-${family.toLowerCase()}`, labels: { 'kubernetes.io/service-name': service } },
    addressType: family,
    endpoints,
    ports: [port],
  }
}
