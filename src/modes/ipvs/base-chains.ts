// The fixed rules around the sets, in the text that iptables-save prints: kube-proxy's, in its order. A rule about a set stands only while the
// set has entries, as there.
import type { IpFamily } from '../../model/address.ts'
import { type LocalPods, localPods, type NodeFacts, type TrafficSettings } from '../../model/node.ts'
import { chainRoles } from '../rules/chains.ts'
import { ipvsJumps, noLocalEndpointsJump, unwantedInIpvsMode } from '../rules/jumps.ts'
import { comment, rule } from '../rules/rule-text.ts'
import type { BaseChains, FixedChain } from '../rules/state.ts'
import { nodePortKind, type SetKind, setName } from './names.ts'

/** Our treatment of chains: only this one has rules of many Services. */
export const ipvsRoles = chainRoles({ dispatch: { filter: ['KUBE-IPVS-OUT-FILTER'] } })

export interface BaseInput {
  readonly settings: TrafficSettings
  readonly node: NodeFacts
  readonly family: IpFamily
  /** Whether a set has entries. */
  readonly isUsed: (kind: SetKind) => boolean
}

/** The words of rules about one family's sets. */
interface Words {
  readonly family: IpFamily
  readonly settings: TrafficSettings
  readonly pods: LocalPods
  readonly isUsed: (kind: SetKind) => boolean
  /** The rules, as long as the set has entries. */
  readonly about: (kind: SetKind, ...rules: readonly string[]) => readonly string[]
  readonly inSet: (kind: SetKind, match?: string) => string
}

export function baseChains({ settings, node, family, isUsed }: BaseInput): BaseChains {
  const inSet: Words['inSet'] = (kind, match = 'dst,dst') => `-m set --match-set ${setName(kind, family)} ${match}`
  const about: Words['about'] = (kind, ...rules) => (isUsed(kind) ? rules : [])
  const words: Words = { family, settings, pods: localPods(settings, node, family), isUsed, about, inSet }
  return {
    leaves: [...natChains(words), ...filterChains(words)],
    dispatch: [{ table: 'filter', name: 'KUBE-IPVS-OUT-FILTER', rules: [] }],
    create: [],
    shared: isUsed('NO-LOCAL') ? [...ipvsJumps, noLocalEndpointsJump] : ipvsJumps,
    unwanted: isUsed('NO-LOCAL') ? unwantedInIpvsMode : [...unwantedInIpvsMode, noLocalEndpointsJump],
  }
}

function natChains(words: Words): readonly FixedChain[] {
  const mark = markOf(words.settings)
  return [
    { table: 'nat', name: 'KUBE-MARK-MASQ', rules: [`-j MARK --set-xmark ${mark}/${mark}`] },
    { table: 'nat', name: 'KUBE-LOAD-BALANCER', rules: loadBalancerRules(words) },
    { table: 'nat', name: 'KUBE-NODE-PORT', rules: nodePortRules(words) },
    { table: 'nat', name: 'KUBE-POSTROUTING', rules: postroutingRules(words, mark) },
    { table: 'nat', name: 'KUBE-SERVICES', rules: serviceRules(words) },
  ]
}

function serviceRules(words: Words): readonly string[] {
  const { family, about, inSet } = words
  const portal = comment('Kubernetes service lb portal')
  const atNodeOnly = comment('node to services without local endpoints')
  return [
    `-s ${family === 'IPv4' ? '127.0.0.0/8' : '::1/128'} -j RETURN`,
    // The endpoint is on another node, and an answer to an address that only this node thinks is its own would never come back.
    ...about('NO-LOCAL', rule(atNodeOnly, inSet('NO-LOCAL'), '-m addrtype --src-type LOCAL -j KUBE-MARK-MASQ')),
    ...about('LOAD-BALANCER', rule(portal, inSet('LOAD-BALANCER'), '-j KUBE-LOAD-BALANCER')),
    ...about('CLUSTER-IP', masqueradeInternal(words)),
    ...externalRules(words),
    '-m addrtype --dst-type LOCAL -j KUBE-NODE-PORT',
    // Other rules of this table could send packets elsewhere.
    ...about('CLUSTER-IP', `${inSet('CLUSTER-IP')} -j ACCEPT`),
    ...about('LOAD-BALANCER', `${inSet('LOAD-BALANCER')} -j ACCEPT`),
  ]
}

/** What comes to a cluster IP from elsewhere than a pod is masqueraded; where pods cannot be told, what has a service address as its source. */
function masqueradeInternal({ settings, pods, inSet }: Words): string {
  const note = comment('Kubernetes service cluster ip + port for masquerade purpose')
  if (settings.masqueradeAll) return rule(note, inSet('CLUSTER-IP'), '-j KUBE-MARK-MASQ')
  if (pods === undefined) return rule(note, inSet('CLUSTER-IP', 'src,dst'), '-j KUBE-MARK-MASQ')
  return rule(notFromPods(pods), note, inSet('CLUSTER-IP'), '-j KUBE-MARK-MASQ')
}

function notFromPods(pods: NonNullable<LocalPods>): string {
  return 'source' in pods ? `! -s ${pods.source}` : `! -i ${pods.interface}`
}

function externalRules({ about, inSet }: Words): readonly string[] {
  const cluster = comment('Kubernetes service external ip + port for masquerade and filter purpose')
  const local = comment('Kubernetes service external ip + port with externalTrafficPolicy=local')
  const accept = (note: string, kind: SetKind): readonly string[] => [
    rule(note, inSet(kind), '-m physdev ! --physdev-is-in -m addrtype ! --src-type LOCAL -j ACCEPT'),
    rule(note, inSet(kind), '-m addrtype --dst-type LOCAL -j ACCEPT'),
  ]
  return [
    ...about('EXTERNAL-IP', rule(cluster, inSet('EXTERNAL-IP'), '-j KUBE-MARK-MASQ'), ...accept(cluster, 'EXTERNAL-IP')),
    ...about('EXTERNAL-IP-LOCAL', ...accept(local, 'EXTERNAL-IP-LOCAL')),
  ]
}

function nodePortRules({ about, inSet }: Words): readonly string[] {
  return (['TCP', 'UDP', 'SCTP'] as const).flatMap(protocol => {
    const [local, all] = [nodePortKind(protocol, 'local'), nodePortKind(protocol, 'all')]
    const match = protocol === 'SCTP' ? 'dst,dst' : 'dst'
    const hash = protocol === 'SCTP' ? " with type 'hash ip:port'" : ''
    const ofProtocol = `-p ${protocol.toLowerCase()}`
    const note = (purpose: string): string => comment(`Kubernetes nodeport ${protocol} port ${purpose}${hash}`)
    return [
      ...about(local, rule(ofProtocol, note('with externalTrafficPolicy=local'), inSet(local, match), '-j RETURN')),
      ...about(all, rule(ofProtocol, note('for masquerade purpose'), inSet(all, match), '-j KUBE-MARK-MASQ')),
    ]
  })
}

function loadBalancerRules({ about, inSet }: Words): readonly string[] {
  const local = comment('Kubernetes service load balancer ip + port with externalTrafficPolicy=local')
  return [...about('LOAD-BALANCER-LOCAL', rule(local, inSet('LOAD-BALANCER-LOCAL'), '-j RETURN')), '-j KUBE-MARK-MASQ']
}

/** Masquerade a pod that reaches itself, and what is marked; the mark is taken off, so that it is not masqueraded again in an overlay. */
function postroutingRules({ about, inSet }: Words, mark: string): readonly string[] {
  const hairpin = comment('Kubernetes endpoints dst ip:port, source ip for solving hairpin purpose')
  return [
    ...about('LOOP-BACK', rule(hairpin, inSet('LOOP-BACK', 'dst,dst,src'), '-j MASQUERADE')),
    `-m mark ! --mark ${mark}/${mark} -j RETURN`,
    `-j MARK --set-xmark ${mark}/0x0`,
    '-m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully',
  ]
}

function filterChains(words: Words): readonly FixedChain[] {
  const { about, inSet, settings, isUsed } = words
  const mark = markOf(settings)
  const firewall = comment('Kubernetes service load balancer ip + port for load balancer with sourceRange')
  const healthChecks = comment('Kubernetes health check node port')
  const filter = (name: string, rules: readonly string[]): FixedChain => ({ table: 'filter', name, rules })
  return [
    filter('KUBE-FORWARD', [
      `-m comment --comment "kubernetes forwarding rules" -m mark --mark ${mark}/${mark} -j ACCEPT`,
      '-m comment --comment "kubernetes forwarding conntrack rule" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
    ]),
    filter('KUBE-NODE-PORT', [rule(healthChecks, inSet('HEALTH-CHECK-NODE-PORT', 'dst'), '-j ACCEPT')]),
    filter('KUBE-SOURCE-RANGES-FIREWALL', sourceRangeRules(words)),
    filter('KUBE-PROXY-FIREWALL', [
      ...about('LOAD-BALANCER-FW', rule(firewall, inSet('LOAD-BALANCER-FW'), '-j KUBE-SOURCE-RANGES-FIREWALL')),
    ]),
    filter('KUBE-IPVS-FILTER', accessRules(words)),
    ...(isUsed('NO-LOCAL') ? [filter('SWITCHYARD-NO-LOCAL', noLocalRules(words))] : []),
  ]
}

function sourceRangeRules({ about, inSet }: Words): readonly string[] {
  const allow = (what: string, kind: SetKind): readonly string[] =>
    about(
      kind,
      rule(
        comment(`Kubernetes service load balancer ip + port + source ${what} for packet filter purpose`),
        inSet(kind, 'dst,dst,src'),
        '-j RETURN',
      ),
    )
  return [...allow('cidr', 'LOAD-BALANCER-SOURCE-CIDR'), ...allow('IP', 'LOAD-BALANCER-SOURCE-IP'), '-j DROP']
}

/** The node takes all packets to service addresses for its own: only ports of Services may be reached there, not the node's listeners. */
function accessRules({ family, inSet }: Words): readonly string[] {
  const services = ['LOAD-BALANCER', 'CLUSTER-IP', 'EXTERNAL-IP', 'EXTERNAL-IP-LOCAL'] as const
  const answer = family === 'IPv6' ? 'icmp6-port-unreachable' : 'icmp-port-unreachable'
  return [
    ...services.map(kind => `${inSet(kind)} -j RETURN`),
    `${inSet('HEALTH-CHECK-NODE-PORT', 'dst')} -j RETURN`,
    `-m conntrack --ctstate NEW ${inSet('IPVS-IPS', 'dst')} -j REJECT --reject-with ${answer}`,
  ]
}

/**
 * externalTrafficPolicy Local with no endpoint here: pods and the node reach those of other nodes, what comes from outside is dropped, so that
 * a load balancer tries another node. The endpoint's answer would not come back by this node.
 */
function noLocalRules({ pods, inSet }: Words): readonly string[] {
  const outside = pods === undefined ? '' : notFromPods(pods)
  const note = comment('no local endpoints')
  return [rule(outside, note, inSet('NO-LOCAL'), '-m addrtype ! --src-type LOCAL -j DROP')]
}

function markOf({ masqueradeMark }: TrafficSettings): string {
  return `0x${masqueradeMark.toString(16)}`
}
