// What a decision and a rule need to know of this node and of the operator's settings, as plain data.
import { type Address, type Cidr, contains, type IpFamily, isLoopback, isWholeFamily, ofFamily } from './address.ts'
import type { IpvsScheduler } from './ipvs-scheduler.ts'
import type { Node } from './objects.ts'

/** This node, as its Node object and its kernel say. */
export interface NodeFacts {
  readonly name: string
  /** Undefined while the Node object is unknown or has no zone label. */
  readonly zone: string | undefined
  /** The Node object's addresses: the first of a family is that family's primary one. */
  readonly addresses: readonly Address[]
  readonly podCidrs: readonly Cidr[]
  /** What the kernel's interfaces carry, loopback included. */
  readonly interfaceAddresses: readonly Address[]
}

/** How traffic of this node's own pods is told from other traffic (KubeProxyConfiguration detectLocalMode). */
export type DetectLocal =
  | { readonly mode: 'ClusterCIDR'; readonly cidrs: readonly Cidr[] }
  | { readonly mode: 'NodeCIDR' }
  | { readonly mode: 'BridgeInterface'; readonly interfaceName: string }
  | { readonly mode: 'InterfaceNamePrefix'; readonly prefix: string }

/** The operator's settings that every mode's rules depend on, decoded and validated by `config/`. */
export interface TrafficSettings {
  /** iptables.masqueradeAll. */
  readonly masqueradeAll: boolean
  /** iptables.masqueradeBit as a mask: bit 14 is 0x4000. */
  readonly masqueradeMark: number
  /** iptables.localhostNodePorts. */
  readonly localhostNodePorts: boolean
  /** nodePortAddresses: `all` where the list is empty. */
  readonly nodePortAddresses: 'all' | 'primary' | readonly Cidr[]
  readonly detectLocal: DetectLocal
  /** conntrack.tcpBeLiberal: the kernel accepts out-of-window packets, so dropping what it calls INVALID is not needed. */
  readonly tcpBeLiberal: boolean
  readonly dispatch: DispatchSetting
  readonly ipvs: IpvsTrafficSettings
}

/** switchyard.conf dispatch: rules of all Services in one chain, or in a tree of chains; `auto`: by their number. Only iptables mode asks. */
export type DispatchSetting = 'auto' | 'linear' | 'bucketed'

/** What only ipvs mode asks. */
export interface IpvsTrafficSettings {
  /** ipvs.scheduler: of every virtual server whose Service names none. */
  readonly scheduler: IpvsScheduler
  /** ipvs.excludeCIDRs: virtual servers in these ranges are never removed. */
  readonly excludeCidrs: readonly Cidr[]
  /** ipvs.strictARP. */
  readonly strictArp: boolean
  /** switchyard.conf drain.deadline: how long a real server at weight 0 may keep its connections. Fits a timer. */
  readonly drainDeadlineMs: number
  /** switchyard.conf drain.goneDeadline: the same once its endpoint is in no EndpointSlice. Fits a timer. */
  readonly drainGoneDeadlineMs: number
}

/** What tells a local pod's packet in one family: its source, the interface it came in by (`+` at the end: any with this prefix), or nothing. */
export type LocalPods = { readonly source: Cidr } | { readonly interface: string } | undefined

/** Which destination addresses accept node ports in one family: every address of the node, or just these. */
export type NodePortDestinations = 'every local address' | readonly Address[]

/** Facts from the Node object (undefined while it is unknown) and the kernel's addresses. */
export function nodeFacts(name: string, node: Node | undefined, interfaceAddresses: readonly Address[]): NodeFacts {
  return {
    name,
    zone: node?.zone,
    addresses: node?.addresses ?? [],
    podCidrs: node?.podCidrs ?? [],
    interfaceAddresses,
  }
}

export function primaryAddress(node: NodeFacts, family: IpFamily): Address | undefined {
  return ofFamily(node.addresses, family)[0]
}

/** A range that is the whole family tells nothing apart, so it counts as no range (as in kube-proxy). */
export function localPods(settings: TrafficSettings, node: NodeFacts, family: IpFamily): LocalPods {
  const detect = settings.detectLocal
  switch (detect.mode) {
    case 'BridgeInterface':
      return { interface: detect.interfaceName }
    case 'InterfaceNamePrefix':
      return { interface: `${detect.prefix}+` }
    case 'ClusterCIDR':
    case 'NodeCIDR': {
      const ranges = detect.mode === 'ClusterCIDR' ? detect.cidrs : node.podCidrs
      const range = ofFamily(ranges, family)[0]
      return range === undefined || isWholeFamily(range) ? undefined : { source: range }
    }
  }
}

/**
 * KubeProxyConfiguration nodePortAddresses for one family. A list without a range of this family, or with one that is the whole family,
 * means every address, as in kube-proxy; loopback is left out where node ports cannot work there (IPv6, or localhostNodePorts off).
 */
export function nodePortDestinations(settings: TrafficSettings, node: NodeFacts, family: IpFamily): NodePortDestinations {
  if (settings.nodePortAddresses === 'all') return 'every local address'
  if (settings.nodePortAddresses === 'primary') {
    const primary = primaryAddress(node, family)
    return primary === undefined ? [] : [primary]
  }
  const ranges = ofFamily(settings.nodePortAddresses, family)
  if (ranges.length === 0 || ranges.some(isWholeFamily)) return 'every local address'
  const loopbackWorks = family === 'IPv4' && settings.localhostNodePorts
  const selected = ofFamily(node.interfaceAddresses, family).filter(
    address => ranges.some(range => contains(range, address)) && (loopbackWorks || !isLoopback(address)),
  )
  return [...new Set(selected)].sort()
}

/** Where node ports answer, each address by itself, but for loopback: there only rules of iptables serve them. */
export function outerNodePortAddresses(settings: TrafficSettings, node: NodeFacts, family: IpFamily): readonly Address[] {
  const destinations = nodePortDestinations(settings, node, family)
  const addresses = destinations === 'every local address' ? ofFamily(node.interfaceAddresses, family) : destinations
  return addresses.filter(address => !isLoopback(address))
}

/** Whether node ports answer on 127.0.0.1, which needs the guard rule of KUBE-FIREWALL and net.ipv4.conf.all.route_localnet. */
export function servesLocalhostNodePorts(settings: TrafficSettings, family: IpFamily): boolean {
  if (family !== 'IPv4' || !settings.localhostNodePorts || settings.nodePortAddresses === 'primary') return false
  if (settings.nodePortAddresses === 'all') return true
  const ranges = ofFamily(settings.nodePortAddresses, 'IPv4')
  return ranges.length === 0 || ranges.some(range => range.startsWith('127.') || contains(range, '127.0.0.1' as Address))
}
