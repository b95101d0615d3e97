// Pods by name, as far as EndpointSlices name them: a proxy hears of no others.
import type { Address, IpFamily } from '../model/address.ts'
import type { ServiceKey } from '../model/objects.ts'
import type { ClusterView } from '../sync/decisions.ts'

export interface KnownPod {
  readonly namespace: string
  readonly name: string
  readonly address: Address
  readonly nodeName: string | undefined
  /** Of the slice that names it. */
  readonly ports: readonly number[]
}

/** Without a namespace: in `default`, else in the only one that has such a pod. */
export function findPod(
  wanted: { readonly name: string; readonly namespace: string | undefined; readonly family: IpFamily },
  cluster: ClusterView,
): KnownPod | { readonly problem: string } {
  const { name, namespace, family } = wanted
  const found = new Map([...podsNamed(name, cluster)].map(pod => [`${pod.namespace} ${pod.family}`, pod]))
  const pods = [...found.values()]
  const inNamespace = pods.filter(pod => pod.namespace === (namespace ?? pod.namespace))
  const namespaces = [...new Set(inNamespace.map(pod => pod.namespace))].sort()
  const chosen = namespaces.length > 1 && namespaces.includes('default') ? 'default' : namespaces[0]
  if (namespaces.length > 1 && chosen !== 'default')
    return { problem: `there is a pod ${name} in each of ${namespaces.join(', ')}: write pod/NAMESPACE/${name}` }
  if (chosen === undefined) {
    const where = namespace === undefined ? '' : ` in namespace ${namespace}`
    const elsewhere = pods[0] === undefined ? '' : ` (there is one in ${pods.map(pod => pod.namespace).join(', ')})`
    const why = 'a proxy knows only the pods that EndpointSlices name'
    return { problem: `no EndpointSlice names a pod ${name}${where}${elsewhere}; ${why}: write its address instead` }
  }
  const pod = inNamespace.find(each => each.namespace === chosen && each.family === family)
  return pod ?? { problem: `pod ${chosen}/${name} has no ${family} address in any EndpointSlice` }
}

export interface PodAt {
  readonly namespace: string
  /** Undefined where no slice says which pod it is. */
  readonly name: string | undefined
  readonly nodeName: string | undefined
}

/** Whose address that is; undefined where no slice names it. */
export function podAt(address: Address, cluster: ClusterView): PodAt | undefined {
  let unnamed: PodAt | undefined
  for (const service of cluster.services()) {
    for (const { namespace, endpoints } of cluster.slices(`${service.namespace}/${service.name}` as ServiceKey)) {
      const found = endpoints.find(each => each.address === address)
      if (found?.podName !== undefined) return { namespace, name: found.podName, nodeName: found.nodeName }
      if (found !== undefined) unnamed ??= { namespace, name: undefined, nodeName: found.nodeName }
    }
  }
  return unnamed
}

function* podsNamed(name: string, cluster: ClusterView): Iterable<KnownPod & { readonly family: IpFamily }> {
  for (const service of cluster.services()) {
    for (const slice of cluster.slices(`${service.namespace}/${service.name}` as ServiceKey)) {
      for (const { podName, address, nodeName } of slice.endpoints) {
        if (podName !== name) continue
        const ports = slice.ports.map(({ port }) => port)
        yield { namespace: slice.namespace, name, address, nodeName, ports, family: slice.family }
      }
    }
  }
}
