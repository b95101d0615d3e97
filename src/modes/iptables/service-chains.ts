// One Decision → the rules of its service port, in the exact text that iptables-save prints, so that comparing with the
// kernel is comparing strings. Pure; the order inside each chain is kube-proxy's, the words of the comments too.

import type { Table } from '../../kernel/iptables.ts'
import { type Address, contains, hostCidr, type IpFamily, isWholeFamily } from '../../model/address.ts'
import type { Endpoint } from '../../model/endpoint.ts'
import {
  type LocalPods,
  localPods,
  type NodeFacts,
  primaryAddress,
  servesLocalhostNodePorts,
  type TrafficSettings,
} from '../../model/node.ts'
import { isExternallyAccessible, type ServicePort } from '../../model/service-port.ts'
import { type Decision, type Fate, hasEndpoints } from '../../model/traffic-policy.ts'
import { clusterPolicyChain, endpointChain, externalChain, firewallChain, localPolicyChain } from './names.ts'
import { oneIn } from './probability.ts'

/** A chain of nat that belongs to one service port; `rules` without their `-A CHAIN `. */
export interface LeafChain {
  readonly name: string
  readonly rules: readonly string[]
}

/** A service port's rule in a chain that all Services share. */
export interface DispatchRule {
  readonly table: Table
  readonly chain: string
  readonly rule: string
}

/** What the rules of a service port depend on besides its Decision. */
export interface RuleContext {
  readonly masqueradeAll: boolean
  readonly localPods: LocalPods
  readonly nodeAddress: Address | undefined
  readonly localhostNodePorts: boolean
  /** Whether service and endpoint chains carry comments; kube-proxy drops them in large clusters. */
  readonly comments: boolean
}

export function ruleContext(settings: TrafficSettings, node: NodeFacts, family: IpFamily): Omit<RuleContext, 'comments'> {
  return {
    masqueradeAll: settings.masqueradeAll,
    localPods: localPods(settings, node, family),
    nodeAddress: primaryAddress(node, family),
    localhostNodePorts: servesLocalhostNodePorts(settings, family),
  }
}

/** Leaves first: a chain stands after those that it jumps to. */
export function leafChains(decision: Decision, context: RuleContext): readonly LeafChain[] {
  const { servicePort, cluster, local, reachable } = decision
  const chains: LeafChain[] = reachable.map(endpoint => endpointRules(servicePort, endpoint, context))
  const policyChain = (name: string, endpoints: readonly Endpoint[]): LeafChain => ({
    name,
    rules: [...masqueradeInternal(decision, name, context), ...balancing(servicePort, endpoints, context)],
  })
  if (cluster.length > 0) chains.push(policyChain(clusterPolicyChain(servicePort), cluster))
  if (local.length > 0) chains.push(policyChain(localPolicyChain(servicePort), local))
  if (hasEndpoints(decision) && isExternallyAccessible(servicePort)) {
    chains.push({ name: externalChain(servicePort), rules: externalRules(decision, context) })
    if (hasFirewall(servicePort)) chains.push({ name: firewallChain(servicePort), rules: firewallRules(servicePort, context) })
  }
  return chains
}

/** The rules that lead to those chains, and those that refuse or drop what no endpoint takes. */
export function dispatchRules(decision: Decision, context: RuleContext): readonly DispatchRule[] {
  return [
    ...internalDispatch(decision),
    ...externalAddressDispatch(decision),
    ...nodePortDispatch(decision, context),
    ...healthCheckRules(decision.servicePort),
  ]
}

// --- chains of nat ---

function endpointRules(servicePort: ServicePort, endpoint: Endpoint, context: RuleContext): LeafChain {
  const name = endpointChain(servicePort, endpoint)
  const protocol = protocolOf(servicePort)
  const note = optionalComment(servicePort.name, context)
  const remember = servicePort.affinityTimeoutSeconds === undefined ? [] : [`-m recent --set ${recentList(name, servicePort)}`]
  return {
    name,
    rules: [
      // A pod that reaches itself through its Service would see its own address as source and answer past the NAT.
      rule(`-s ${hostCidr(endpoint.address)}`, ...note, '-j KUBE-MARK-MASQ'),
      rule(`-p ${protocol}`, ...note, ...remember, `-m ${protocol}`, `-j DNAT --to-destination ${endpoint.hostPort}`),
    ],
  }
}

/** What comes to the cluster IP from elsewhere than a pod of this node is masqueraded, or its answers could take another way back. */
function masqueradeInternal({ servicePort, internal }: Decision, chain: string, context: RuleContext): readonly string[] {
  if (servicePort.clusterIP === undefined || chain !== internalChain(servicePort, internal)) return []
  const { source, inInterface } = context.masqueradeAll ? { source: [], inInterface: [] } : notFromLocalPods(context.localPods)
  if (!context.masqueradeAll && context.localPods === undefined) return []
  const note = comment(`${servicePort.name} cluster IP`)
  const destination = `-d ${hostCidr(servicePort.clusterIP)}`
  return [rule(...source, destination, ...inInterface, protocolAndPort(servicePort, servicePort.port, note), '-j KUBE-MARK-MASQ')]
}

/** First those whom the client used before, then one at random: rule i of n takes 1/(n-i) of what comes so far. */
function balancing(servicePort: ServicePort, endpoints: readonly Endpoint[], context: RuleContext): readonly string[] {
  const targets = endpoints.map(endpoint => ({
    chain: endpointChain(servicePort, endpoint),
    note: optionalComment(`${servicePort.name} -> ${endpoint.hostPort}`, context),
  }))
  const seconds = servicePort.affinityTimeoutSeconds
  const sticky = targets.map(({ chain, note }) =>
    rule(...note, `-m recent --rcheck --seconds ${seconds} --reap ${recentList(chain, servicePort)}`, `-j ${chain}`),
  )
  const random = targets.map(({ chain, note }, index) => {
    const left = targets.length - index
    return rule(...note, ...(left === 1 ? [] : [`-m statistic --mode random --probability ${oneIn(left)}`]), `-j ${chain}`)
  })
  return seconds === undefined ? random : [...sticky, ...random]
}

function externalRules(decision: Decision, context: RuleContext): readonly string[] {
  const { servicePort, external } = decision
  const destinations = `for ${servicePort.name} external destinations`
  const toPolicyChain = typeof external === 'string' ? [] : [rule(`-j ${policyChainOf(servicePort, external)}`)]
  if (servicePort.externalTrafficPolicy === 'Cluster') {
    return [rule(comment(`masquerade traffic ${destinations}`), '-j KUBE-MARK-MASQ'), ...toPolicyChain]
  }
  const cluster = `-j ${clusterPolicyChain(servicePort)}`
  const fromNode = '-m addrtype --src-type LOCAL'
  return [
    // Pods and the node reach external addresses as if they went out and came back in: policy Cluster, no matter which policy is set.
    ...fromLocalPods(context.localPods).map(match => rule(match, comment(`pod traffic ${destinations}`), cluster)),
    rule(comment(`masquerade LOCAL traffic ${destinations}`), fromNode, '-j KUBE-MARK-MASQ'),
    rule(comment(`route LOCAL traffic ${destinations}`), fromNode, cluster),
    ...toPolicyChain,
  ]
}

function firewallRules(servicePort: ServicePort, { nodeAddress }: RuleContext): readonly string[] {
  const note = comment(`${servicePort.name} loadbalancer IP`)
  const accept = `-j ${externalChain(servicePort)}`
  const allow = (source: string): string => rule(source, note, accept)
  const ranges = servicePort.loadBalancerSourceRanges
  // Where this node may come in, so may packets that it sends to the address while the address is its own: their source is the address itself.
  const nodeIsAllowed = nodeAddress !== undefined && ranges.some(range => contains(range, nodeAddress))
  return [
    ...ranges.map(range => allow(isWholeFamily(range) ? '' : `-s ${range}`)),
    ...(nodeIsAllowed ? servicePort.loadBalancerAddresses.map(address => allow(`-s ${hostCidr(address)}`)) : []),
    comment(`other traffic to ${servicePort.name} will be dropped by KUBE-PROXY-FIREWALL`),
  ]
}

// --- rules in the shared chains ---

function internalDispatch({ servicePort, internal }: Decision): readonly DispatchRule[] {
  const { clusterIP } = servicePort
  if (clusterIP === undefined) return []
  const chain = internalChain(servicePort, internal)
  return chain === undefined
    ? [refusal('KUBE-SERVICES', internal, servicePort, { address: clusterIP })]
    : [toAddress(servicePort, clusterIP, 'cluster IP', chain)]
}

function externalAddressDispatch(decision: Decision): readonly DispatchRule[] {
  const { servicePort, external } = decision
  const rules: DispatchRule[] = []
  const reachable = hasEndpoints(decision)
  const firewall = hasFirewall(servicePort)
  for (const address of servicePort.externalIPs) {
    if (reachable) rules.push(toAddress(servicePort, address, 'external IP', externalChain(servicePort)))
  }
  for (const address of servicePort.loadBalancerAddresses) {
    if (!reachable) break
    const chain = firewall ? firewallChain(servicePort) : externalChain(servicePort)
    rules.push(toAddress(servicePort, address, 'loadbalancer IP', chain))
    if (firewall) rules.push(firewallDrop(servicePort, address))
  }
  if (typeof external === 'string') {
    // One address may be in both lists, and a rule that stands twice reads back as a chain that somebody changed.
    for (const address of new Set([...servicePort.externalIPs, ...servicePort.loadBalancerAddresses])) {
      rules.push(refusal('KUBE-EXTERNAL-SERVICES', external, servicePort, { address }))
    }
  }
  return rules
}

function nodePortDispatch(decision: Decision, context: RuleContext): readonly DispatchRule[] {
  const { servicePort, external } = decision
  if (servicePort.nodePort === 0) return []
  const rules: DispatchRule[] = []
  if (hasEndpoints(decision)) {
    const match = protocolAndPort(servicePort, servicePort.nodePort, comment(servicePort.name))
    const jump = `-j ${externalChain(servicePort)}`
    // The packet counter of this rule tells who still uses node ports on 127.0.0.1.
    if (context.localhostNodePorts) rules.push(nat('KUBE-NODEPORTS', rule('-d 127.0.0.0/8', match, jump)))
    rules.push(nat('KUBE-NODEPORTS', rule(match, jump)))
  }
  if (typeof external === 'string') rules.push(refusal('KUBE-EXTERNAL-SERVICES', external, servicePort, 'node port'))
  return rules
}

function healthCheckRules(servicePort: ServicePort): readonly DispatchRule[] {
  if (servicePort.healthCheckNodePort === 0) return []
  const note = comment(`${servicePort.name} health check node port`)
  return [filter('KUBE-NODEPORTS', rule('-p tcp', note, `-m tcp --dport ${servicePort.healthCheckNodePort}`, '-j ACCEPT'))]
}

function toAddress(servicePort: ServicePort, address: Address, what: string, chain: string): DispatchRule {
  const match = protocolAndPort(servicePort, servicePort.port, comment(`${servicePort.name} ${what}`))
  return nat('KUBE-SERVICES', rule(`-d ${hostCidr(address)}`, match, `-j ${chain}`))
}

function firewallDrop(servicePort: ServicePort, address: Address): DispatchRule {
  const note = comment(`${servicePort.name} traffic not accepted by ${firewallChain(servicePort)}`)
  return filter(
    'KUBE-PROXY-FIREWALL',
    rule(`-d ${hostCidr(address)}`, protocolAndPort(servicePort, servicePort.port, note), '-j DROP'),
  )
}

/** In the filter table, since nat cannot refuse: reached only by packets that no rule of nat translated. */
function refusal(
  chain: string,
  fate: Fate,
  servicePort: ServicePort,
  to: { readonly address: Address } | 'node port',
): DispatchRule {
  const [why, target] =
    fate === 'reject'
      ? ['has no endpoints', '-j REJECT --reject-with icmp-port-unreachable']
      : ['has no local endpoints', '-j DROP']
  const ofFamily = servicePort.family === 'IPv6' ? target.replace('icmp-', 'icmp6-') : target
  const note = comment(`${servicePort.name} ${why}`)
  if (to === 'node port') {
    const protocol = protocolOf(servicePort)
    const local = '-m addrtype --dst-type LOCAL'
    return filter(chain, rule(`-p ${protocol}`, note, local, `-m ${protocol} --dport ${servicePort.nodePort}`, ofFamily))
  }
  return filter(chain, rule(`-d ${hostCidr(to.address)}`, protocolAndPort(servicePort, servicePort.port, note), ofFamily))
}

// --- words ---

function internalChain(servicePort: ServicePort, internal: Fate): string | undefined {
  return typeof internal === 'string' ? undefined : policyChainOf(servicePort, internal)
}

function policyChainOf(servicePort: ServicePort, fate: Exclude<Fate, string>): string {
  return fate.to === 'Local' ? localPolicyChain(servicePort) : clusterPolicyChain(servicePort)
}

function hasFirewall(servicePort: ServicePort): boolean {
  return servicePort.loadBalancerAddresses.length > 0 && servicePort.loadBalancerSourceRanges.length > 0
}

function fromLocalPods(pods: LocalPods): readonly string[] {
  if (pods === undefined) return []
  return ['source' in pods ? `-s ${pods.source}` : `-i ${pods.interface}`]
}

/** Split, because iptables-save prints the source before the destination and the interface after it. */
function notFromLocalPods(pods: LocalPods): { readonly source: readonly string[]; readonly inInterface: readonly string[] } {
  if (pods === undefined) return { source: [], inInterface: [] }
  return 'source' in pods
    ? { source: [`! -s ${pods.source}`], inInterface: [] }
    : { source: [], inInterface: [`! -i ${pods.interface}`] }
}

function protocolAndPort(servicePort: ServicePort, port: number, note: string): string {
  const protocol = protocolOf(servicePort)
  return `-p ${protocol} ${note} -m ${protocol} --dport ${port}`
}

function recentList(chain: string, { family }: ServicePort): string {
  const mask = family === 'IPv6' ? 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff' : '255.255.255.255'
  return `--name ${chain} --mask ${mask} --rsource`
}

function protocolOf(servicePort: ServicePort): string {
  return servicePort.protocol.toLowerCase()
}

function optionalComment(text: string, context: RuleContext): readonly string[] {
  return context.comments ? [comment(text)] : []
}

function comment(text: string): string {
  return `-m comment --comment "${text}"`
}

function rule(...parts: readonly string[]): string {
  return parts.filter(part => part !== '').join(' ')
}

function nat(chain: string, text: string): DispatchRule {
  return { table: 'nat', chain, rule: text }
}

function filter(chain: string, text: string): DispatchRule {
  return { table: 'filter', chain, rule: text }
}
