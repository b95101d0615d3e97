// By which addresses a service port is reached, and by whom: what to say of one connection after another. Pure; policy stays in traffic-policy.ts.
import { type Address, type Cidr, contains, isWholeFamily, ofFamily } from './address.ts'
import { type NodeFacts, primaryAddress, type TrafficSettings } from './node.ts'
import type { ServicePort } from './service-port.ts'
import type { Fate } from './traffic-policy.ts'

/** A pod of the cluster as far as it can be told, this node itself, anybody else. */
export type Client = 'pod' | 'node' | 'outside'
export const clients: readonly Client[] = ['pod', 'node', 'outside']

/** `untouched`: no rule of ours takes the packet, it goes on to where it is addressed. */
export type ClientFates = Readonly<Record<Client, Fate | 'untouched'>>

export type WayIn =
  | { readonly kind: 'cluster IP' | 'external address' | 'load balancer'; readonly address: Address; readonly port: number }
  | { readonly kind: 'node port'; readonly address: undefined; readonly port: number }

export interface NodeContext {
  readonly node: NodeFacts
  readonly settings: TrafficSettings
}

/** In the order cluster IP, external addresses, load balancer addresses, node port. */
export function waysIn(servicePort: ServicePort): readonly WayIn[] {
  const { clusterIP, externalIPs, loadBalancerAddresses, nodePort, port } = servicePort
  const at = (kind: 'cluster IP' | 'external address' | 'load balancer', addresses: readonly Address[]): readonly WayIn[] =>
    addresses.map(address => ({ kind, address, port }))
  return [
    ...at('cluster IP', clusterIP === undefined ? [] : [clusterIP]),
    ...at('external address', externalIPs),
    ...at('load balancer', loadBalancerAddresses),
    ...(nodePort === 0 ? [] : [{ kind: 'node port', address: undefined, port: nodePort } as const]),
  ]
}

/** Who may use this way at all: empty where everybody may. A range that is the whole family lets all in. */
export function sourceRangesOf({ loadBalancerSourceRanges }: ServicePort, { kind }: Pick<WayIn, 'kind'>): readonly Cidr[] {
  return kind !== 'load balancer' || loadBalancerSourceRanges.some(isWholeFamily) ? [] : loadBalancerSourceRanges
}

/** Those whom no source range holds are dropped; of a kind of client that the ranges hold in part, the others count. */
export function behindSourceRanges(
  fates: ClientFates,
  { servicePort, way, context }: { readonly servicePort: ServicePort; readonly way: WayIn; readonly context: NodeContext },
): ClientFates {
  const ranges = sourceRangesOf(servicePort, way)
  if (ranges.length === 0) return fates
  const { node, settings } = context
  const own = primaryAddress(node, servicePort.family)
  const nodeMayEnter = own !== undefined && ranges.some(range => contains(range, own))
  const pods = podRanges(settings, node, servicePort)
  const podsMayEnter = pods.length === 0 || ranges.some(range => pods.some(podRange => overlap(range, podRange)))
  return { ...fates, ...(!nodeMayEnter && { node: 'drop' }), ...(!podsMayEnter && { pod: 'drop' }) }
}

function podRanges({ detectLocal }: TrafficSettings, { podCidrs }: NodeFacts, { family }: ServicePort): readonly Cidr[] {
  return ofFamily(detectLocal.mode === 'ClusterCIDR' ? detectLocal.cidrs : podCidrs, family)
}

function overlap(one: Cidr, other: Cidr): boolean {
  return contains(one, networkAddress(other)) || contains(other, networkAddress(one))
}

function networkAddress(range: Cidr): Address {
  return range.slice(0, range.indexOf('/')) as Address
}
