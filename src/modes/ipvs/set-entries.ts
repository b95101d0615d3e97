// One Decision → the entries that its service port has in the sets, and its rules in KUBE-IPVS-OUT-FILTER. Pure.
import { type Address, type Cidr, contains, hostCidr, isWholeFamily } from '../../model/address.ts'
import { type NodeFacts, primaryAddress } from '../../model/node.ts'
import type { ServicePort } from '../../model/service-port.ts'
import type { Decision } from '../../model/traffic-policy.ts'
import type { DispatchRule } from '../rules/state.ts'
import { nodePortKind, type SetKind, type SetName, setName } from './names.ts'
import { externalAddresses, lacksLocalEndpoints } from './virtual-servers.ts'

export interface SetEntry {
  readonly set: SetName
  readonly entry: string
}

export interface EntryContext {
  readonly node: NodeFacts
  readonly nodeAddresses: readonly Address[]
  readonly localAddresses: ReadonlySet<Address>
}

export function setEntries(decision: Decision, context: EntryContext): readonly SetEntry[] {
  const { servicePort } = decision
  const { clusterIP, family, healthCheckNodePort, port } = servicePort
  const entries: (readonly [kind: SetKind, entry: string])[] = [
    ...hairpinEntries(decision),
    ...(clusterIP === undefined ? [] : [['CLUSTER-IP', ipPort(servicePort, clusterIP, port)] as const]),
    ...externalAddressEntries(servicePort),
    ...loadBalancerEntries(servicePort),
    ...sourceRangeEntries(servicePort, context.node),
    ...nodePortEntries(servicePort, context),
    ...(healthCheckNodePort === 0 ? [] : [['HEALTH-CHECK-NODE-PORT', String(healthCheckNodePort)] as const]),
    ...(lacksLocalEndpoints(decision) ? noLocalEntries(servicePort, context) : []),
    ...serviceAddresses(servicePort, context).map(address => ['IPVS-IPS', address] as const),
  ]
  return entries.map(([kind, entry]) => ({ set: setName(kind, family), entry }))
}

/**
 * What kube-ipvs0 carries. Not an external address that the node has anyway (a bare node's own, a virtual one of keepalived): it would be shut for
 * all that is no Service's, SSH and kubelet too.
 */
export function serviceAddresses(
  servicePort: ServicePort,
  { localAddresses }: Pick<EntryContext, 'localAddresses'>,
): readonly Address[] {
  const { clusterIP } = servicePort
  const external = externalAddresses(servicePort).filter(address => !localAddresses.has(address))
  return [...(clusterIP === undefined ? [] : [clusterIP]), ...external]
}

type Entries = readonly (readonly [kind: SetKind, entry: string])[]

/** `10.96.0.1,tcp:443`. */
function ipPort({ protocol }: ServicePort, address: Address, port: number): string {
  return `${address},${protocol.toLowerCase()}:${port}`
}

/** A pod of this node that reaches itself would see its own address as source and answer past the translation. */
function hairpinEntries({ servicePort, reachable }: Decision): Entries {
  return reachable
    .filter(({ local }) => local)
    .map(({ address, port }) => ['LOOP-BACK', `${ipPort(servicePort, address, port)},${address}`])
}

function externalAddressEntries(servicePort: ServicePort): Entries {
  const kind = servicePort.externalTrafficPolicy === 'Local' ? 'EXTERNAL-IP-LOCAL' : 'EXTERNAL-IP'
  return servicePort.externalIPs.map(address => [kind, ipPort(servicePort, address, servicePort.port)])
}

function loadBalancerEntries(servicePort: ServicePort): Entries {
  const local = servicePort.externalTrafficPolicy === 'Local'
  return servicePort.loadBalancerAddresses.flatMap((address): Entries => {
    const entry = ipPort(servicePort, address, servicePort.port)
    return [['LOAD-BALANCER', entry], ...(local ? [['LOAD-BALANCER-LOCAL', entry] as const] : [])]
  })
}

/** A range that is the whole family lets all in: then there is no firewall (and such an entry no set would take). */
function firewallRanges({ loadBalancerSourceRanges }: ServicePort): readonly Cidr[] {
  return loadBalancerSourceRanges.some(isWholeFamily) ? [] : loadBalancerSourceRanges
}

function sourceRangeEntries(servicePort: ServicePort, node: NodeFacts): Entries {
  const ranges = firewallRanges(servicePort)
  if (ranges.length === 0) return []
  const nodeMayEnter = isNodeAllowed(servicePort, node)
  return servicePort.loadBalancerAddresses.flatMap((address): Entries => {
    const entry = ipPort(servicePort, address, servicePort.port)
    return [
      ...ranges.map(range => ['LOAD-BALANCER-SOURCE-CIDR', `${entry},${asSetPrints(range)}`] as const),
      // Packets that the node sends to an address that it has itself come from that address.
      ...(nodeMayEnter ? [['LOAD-BALANCER-SOURCE-IP', `${entry},${address}`] as const] : []),
      ['LOAD-BALANCER-FW', entry],
    ]
  })
}

/** ipset leaves the length of a single address out. */
function asSetPrints(range: Cidr): string {
  const [address = ''] = range.split('/')
  return range === hostCidr(address as Address) ? address : range
}

function isNodeAllowed(servicePort: ServicePort, node: NodeFacts): boolean {
  const address = primaryAddress(node, servicePort.family)
  return address !== undefined && firewallRanges(servicePort).some(range => contains(range, address))
}

/** A bitmap knows ports alone; SCTP has none, so there each address is an entry. */
function nodePortEntries(servicePort: ServicePort, { nodeAddresses }: EntryContext): Entries {
  const { nodePort, protocol, externalTrafficPolicy } = servicePort
  if (nodePort === 0) return []
  const kinds = externalTrafficPolicy === 'Local' ? (['local', 'all'] as const) : (['all'] as const)
  const entries = protocol === 'SCTP' ? nodeAddresses.map(address => ipPort(servicePort, address, nodePort)) : [String(nodePort)]
  return kinds.flatMap(which => entries.map(entry => [nodePortKind(protocol, which), entry] as const))
}

function noLocalEntries(servicePort: ServicePort, { nodeAddresses }: EntryContext): Entries {
  const { nodePort, port } = servicePort
  const atNode = nodePort === 0 ? [] : nodeAddresses.map(address => ipPort(servicePort, address, nodePort))
  const atAddresses = externalAddresses(servicePort).map(address => ipPort(servicePort, address, port))
  return [...atNode, ...atAddresses].map(entry => ['NO-LOCAL', entry])
}

const protocolNumbers = { TCP: 6, UDP: 17, SCTP: 132 } as const

/** Packets of the node itself never pass INPUT, where source ranges are looked at: where it may not enter, they are dropped on their way out. */
export function outFilterRules(servicePort: ServicePort, node: NodeFacts): readonly DispatchRule[] {
  if (firewallRanges(servicePort).length === 0 || isNodeAllowed(servicePort, node)) return []
  return servicePort.loadBalancerAddresses.map(address => {
    const server = `-m ipvs --vproto ${protocolNumbers[servicePort.protocol]} --vaddr ${address} --vport ${servicePort.port}`
    return { table: 'filter', chain: 'KUBE-IPVS-OUT-FILTER', rule: `-s ${hostCidr(address)} ${server} -j DROP` }
  })
}
