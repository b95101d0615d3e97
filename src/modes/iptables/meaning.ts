// What a difference means for connections, in iptables mode: by the chain, whose name tells the service port, its policy and its endpoint, or by the rule.
import { targetOf } from '../../kernel/iptables.ts'
import type { Endpoint } from '../../model/endpoint.ts'
import type { Decision } from '../../model/traffic-policy.ts'
import type { Decisions, Drift } from '../mode.ts'
import { sharedMeaning, strangerMeaning } from '../rules/meaning.ts'
import { type RulePlace, rulePlace } from '../rules/places.ts'
import { externalWays, internalWay, nameOf } from '../ways.ts'
import { isGroupOf, longestList } from './balancing.ts'
import { rangeOf, rootOf } from './dispatch-chains.ts'
import { clusterPolicyChain, endpointChain, externalChain, firewallChain, localPolicyChain } from './names.ts'

export function iptablesMeaning(drift: Drift, decisions: Decisions): string {
  const place = rulePlace(drift.what)
  const shared = sharedMeaning(drift)
  if (place === undefined || shared !== undefined) return shared ?? drift.what
  if (place.rule === undefined) return chainMeaning(place, drift, decisions)
  if (drift.kind === 'unexpected') return strangerMeaning(place)
  return ruleMeaning(place.rule, place, portOf(drift, decisions, place.rule))
}

/** The service port that a rule is about: its comment begins with the name. */
function portOf({ service }: Drift, decisions: Decisions, rule: string): Decision | undefined {
  const ofService = service === undefined ? [] : (decisions.get(service) ?? [])
  const protocol = / -p (\S+)/.exec(` ${rule}`)?.[1]
  const matches = ({ servicePort: { name, protocol: of } }: Decision): boolean =>
    [`"${name} `, `"${name}"`, `comment ${name} `].some(text => rule.includes(text)) && of.toLowerCase() === protocol
  return ofService.find(matches) ?? ofService[0]
}

const dispatchChains: Readonly<Record<string, string>> = {
  'nat KUBE-SERVICES': 'new connections to every Service stay untranslated: they reach nothing',
  'nat KUBE-NODEPORTS': 'no node port answers',
  'filter KUBE-SERVICES': 'connections to Services without endpoints time out instead of being refused',
  'filter KUBE-EXTERNAL-SERVICES':
    'connections to external addresses and node ports of Services without endpoints are neither refused nor dropped',
  'filter KUBE-NODEPORTS': "health checks of load balancers may be stopped by the node's firewall",
  'filter KUBE-PROXY-FIREWALL': 'loadBalancerSourceRanges are not enforced',
}

function chainMeaning(place: RulePlace, drift: Drift, decisions: Decisions): string {
  const { table, chain, isOrder } = place
  const dispatch = dispatchChains[`${table} ${chain}`] ?? rangeMeaning(rangeOf(chain))
  if (isOrder) {
    const harm =
      table === 'nat' && chain === 'KUBE-SERVICES'
        ? '; where the jump to the node ports is not last, addresses behind it may not answer'
        : ''
    return `the same rules in another order, or one of them twice: connections go where they should${harm}`
  }
  if (drift.kind === 'unexpected') return 'a chain that no Service wants; no rule that one wants leads to it'
  if (dispatch !== undefined) return dispatch
  for (const decision of drift.service === undefined ? [] : (decisions.get(drift.service) ?? [])) {
    const meaning = leafMeaning(chain, { decision, isGone: drift.kind === 'missing' })
    if (meaning !== undefined) return meaning
  }
  return drift.service === undefined ? drift.what : `connections to Service ${drift.service} may go astray`
}

/** Of chains and jumps on the way to several Services. */
function rangeMeaning(range: string | undefined): string | undefined {
  return range && `new connections to Services by ${range} stay untranslated: they reach nothing`
}

function leafMeaning(chain: string, about: { readonly decision: Decision; readonly isGone: boolean }): string | undefined {
  const { decision, isGone } = about
  const { servicePort } = decision
  const name = nameOf(servicePort)
  if (chain === firewallChain(servicePort)) {
    const changed = `loadBalancerSourceRanges of ${name} let in others than they should, or fewer`
    return isGone ? `connections to ${name} at its load balancer addresses are dropped, from whatever range` : changed
  }
  if (chain === externalChain(servicePort)) {
    const ways = externalWays(servicePort)
    const changed = `connections from outside to ${name} (${ways}) may miss their masquerading, or go to other endpoints than the policy says`
    return isGone ? `connections from outside to ${name} (${ways}) stay untranslated: they reach nothing` : changed
  }
  for (const { policy, whole, endpoints } of [
    { policy: 'Cluster', whole: clusterPolicyChain(servicePort), endpoints: decision.cluster },
    { policy: 'Local', whole: localPolicyChain(servicePort), endpoints: decision.local },
  ]) {
    const connections = `new connections to ${name} by policy ${policy}`
    if (chain === whole) return policyMeaning(connections, endpoints, isGone)
    if (isGroupOf(whole, chain)) return groupMeaning(connections, isGone)
  }
  const endpoint = decision.reachable.find(each => endpointChain(servicePort, each) === chain)
  return endpoint && endpointMeaning(endpoint, about)
}

function policyMeaning(connections: string, endpoints: readonly Endpoint[], isGone: boolean): string {
  if (isGone) return `${connections} find none of ${endpoints.length} endpoints: they reach nothing`
  const rest =
    endpoints.length === 1
      ? 'may not reach its one endpoint'
      : `are not spread evenly over its ${endpoints.length} endpoints, or miss some`
  return `${connections} ${rest}; masquerading and session affinity may be wrong`
}

/** Of one of the chains that a long list of endpoints is divided into. */
function groupMeaning(connections: string, isGone: boolean): string {
  return isGone
    ? `${connections} do not reach the endpoints of this group: they go to those of the next groups, and where it is the last one, reach nothing`
    : `${connections} are not spread evenly over the endpoints of this group, or miss some`
}

function endpointMeaning(
  { hostPort }: Endpoint,
  { decision, isGone }: { readonly decision: Decision; readonly isGone: boolean },
): string {
  const { servicePort, cluster, local } = decision
  const count = Math.max(cluster.length, local.length)
  const share = count === 1 ? 'all new connections' : `one in ${count} new connections`
  const fate = isGone ? goneFate(hostPort, decision) : 'goes elsewhere, or misses its masquerading'
  return `${share} to ${nameOf(servicePort)}, that for endpoint ${hostPort}, ${fate}`
}

/**
 * What finds nothing in the endpoint's chain returns to the policy's, and meets the rules of the endpoints that follow it there. Which one is last in a long
 * list depends on whether that is divided.
 */
function goneFate(hostPort: string, { cluster, local }: Decision): string {
  const lists = [cluster, local].filter(endpoints => endpoints.some(each => each.hostPort === hostPort))
  if (lists.some(({ length }) => length > longestList))
    return 'goes to the endpoints whose rules follow, or, where none do, stays untranslated and reaches nothing'
  const lasts = lists.map(endpoints => endpoints.at(-1)?.hostPort === hostPort)
  const untranslated = 'stays untranslated and reaches nothing'
  const onward = 'goes to the endpoints whose rules follow, which get more than their share'
  if (lasts.every(isLast => isLast)) return untranslated
  return lasts.some(isLast => isLast) ? `by one policy ${untranslated}, and by the other ${onward}` : onward
}

/** A rule of ours that is missing. */
function ruleMeaning(rule: string, { table, chain }: RulePlace, decision: Decision | undefined): string {
  if (decision === undefined) {
    const target = targetOf(rule) ?? ''
    if (target === 'KUBE-NODEPORTS') return dispatchChains['nat KUBE-NODEPORTS'] ?? ''
    const network = /^-d (\S+)/.exec(rule)?.[1]
    const range = network === undefined ? rangeOf(target) : rangeOf(target) && `addresses in ${network}`
    return rangeMeaning(range) ?? `${table} ${chain} lacks a rule: ${rule}`
  }
  const { servicePort } = decision
  const name = nameOf(servicePort)
  const at = / -d (\S+?)(?:\/\d+)?(?: |$)/.exec(` ${rule}`)?.[1]
  const port = / --dport (\d+)/.exec(` ${rule}`)?.[1] ?? ''
  const place = at === undefined || rootOf(chain) === 'KUBE-NODEPORTS' ? `node port ${port}` : `${at}:${port}`
  if (rule.includes('health check node port'))
    return `health checks of ${name} at port ${port} may be stopped by the node's firewall`
  if (chain === 'KUBE-PROXY-FIREWALL') return `clients outside of loadBalancerSourceRanges are not dropped at ${place} of ${name}`
  if (/ -j REJECT\b/.test(rule))
    return `connections to ${name} at ${place} time out, or reach the node itself, instead of being refused: it has no endpoints`
  if (rule.endsWith(' -j DROP'))
    return `connections from outside to ${name} at ${place} are not dropped, although no endpoint is on this node`
  if (at === '127.0.0.0') return `connections to ${place} of ${name} at 127.0.0.1 are not counted; they go where they should`
  const from = at === servicePort.clusterIP ? internalWay(servicePort) : place
  return `connections to ${name} at ${from} stay untranslated: they reach nothing`
}
