// One Decision → the rules of its service port, in the exact text that iptables-save prints, so that comparing with the
// kernel is comparing strings. Pure; the order inside each chain is kube-proxy's, the words of the comments too.

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
import { type Decision, hasEndpoints } from '../../model/traffic-policy.ts'
import { comment, protocolAndPort, protocolOf, rule } from '../rules/rule-text.ts'
import type { LeafChain } from '../rules/state.ts'
import { balance, longestList } from './balancing.ts'
import {
  clusterPolicyChain,
  endpointChain,
  externalChain,
  firewallChain,
  internalChain,
  localPolicyChain,
  policyChainOf,
} from './names.ts'

/** What the rules of a service port depend on besides its Decision. */
export interface RuleContext {
  readonly masqueradeAll: boolean
  readonly localPods: LocalPods
  readonly nodeAddress: Address | undefined
  readonly localhostNodePorts: boolean
  /** Whether service and endpoint chains carry comments; kube-proxy drops them in large clusters. */
  readonly comments: boolean
  /** Endpoints; more are divided into several chains. */
  readonly longestList: number
}

export function ruleContext(settings: TrafficSettings, node: NodeFacts, family: IpFamily): Omit<RuleContext, 'comments'> {
  return {
    masqueradeAll: settings.masqueradeAll,
    localPods: localPods(settings, node, family),
    nodeAddress: primaryAddress(node, family),
    localhostNodePorts: servesLocalhostNodePorts(settings, family),
    longestList: settings.dispatch === 'linear' ? Number.POSITIVE_INFINITY : longestList,
  }
}

/** Leaves first: a chain stands after those that it jumps to. */
export function leafChains(decision: Decision, context: RuleContext): readonly LeafChain[] {
  const { servicePort, cluster, local, reachable } = decision
  const chains: LeafChain[] = reachable.map(endpoint => endpointRules(servicePort, endpoint, context))
  if (cluster.length > 0) chains.push(...policyChains(clusterPolicyChain(servicePort), cluster, { decision, context }))
  if (local.length > 0) chains.push(...policyChains(localPolicyChain(servicePort), local, { decision, context }))
  if (hasEndpoints(decision) && isExternallyAccessible(servicePort)) {
    chains.push({ name: externalChain(servicePort), rules: externalRules(decision, context) })
    if (hasFirewall(servicePort)) chains.push({ name: firewallChain(servicePort), rules: firewallRules(servicePort, context) })
  }
  return chains
}

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
  const { clusterIP } = servicePort
  if (clusterIP === undefined || chain !== internalChain(servicePort, internal)) return []
  if (!context.masqueradeAll && context.localPods === undefined) return []
  const { source, inInterface } = notFromLocalPods(context.masqueradeAll ? undefined : context.localPods)
  const note = comment(`${servicePort.name} cluster IP`)
  const destination = `-d ${hostCidr(clusterIP)}`
  return [rule(...source, destination, ...inInterface, protocolAndPort(servicePort, servicePort.port, note), '-j KUBE-MARK-MASQ')]
}

/** First those whom the client used before, then one at random. */
function policyChains(
  name: string,
  endpoints: readonly Endpoint[],
  { decision, context }: { readonly decision: Decision; readonly context: RuleContext },
): readonly LeafChain[] {
  const { servicePort } = decision
  const targets = endpoints.map(endpoint => ({
    chain: endpointChain(servicePort, endpoint),
    note: optionalComment(`${servicePort.name} -> ${endpoint.hostPort}`, context),
  }))
  const seconds = servicePort.affinityTimeoutSeconds
  const known =
    seconds === undefined
      ? []
      : targets.map(({ chain, note }) =>
          rule(...note, `-m recent --rcheck --seconds ${seconds} --reap ${recentList(chain, servicePort)}`, `-j ${chain}`),
        )
  const groupNote = (size: number) => optionalComment(`${servicePort.name} -> ${size} of ${targets.length} endpoints`, context)
  const { rules, groups } = balance(targets, { chain: name, most: context.longestList, groupNote })
  return [...groups, { name, rules: [...masqueradeInternal(decision, name, context), ...known, ...rules] }]
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

function recentList(chain: string, { family }: ServicePort): string {
  const mask = family === 'IPv6' ? 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff' : '255.255.255.255'
  return `--name ${chain} --mask ${mask} --rsource`
}

function optionalComment(text: string, context: RuleContext): readonly string[] {
  return context.comments ? [comment(text)] : []
}

/** Whether load balancer traffic passes source ranges first. */
export function hasFirewall(servicePort: ServicePort): boolean {
  return servicePort.loadBalancerAddresses.length > 0 && servicePort.loadBalancerSourceRanges.length > 0
}
