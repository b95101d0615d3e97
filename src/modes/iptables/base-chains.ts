// The fixed part: what stands in the kernel even with no Service at all. Depends on settings and node facts alone.

import type { Table } from '../../kernel/iptables.ts'
import type { IpFamily } from '../../model/address.ts'
import { hostCidr } from '../../model/address.ts'
import { type NodeFacts, nodePortDestinations, servesLocalhostNodePorts, type TrafficSettings } from '../../model/node.ts'

export interface FixedChain {
  readonly table: Table
  readonly name: string
  readonly rules: readonly string[]
}

export interface SharedRule {
  readonly table: Table
  readonly chain: string
  readonly rule: string
}

export interface BaseChains {
  /** Chains of ours with exactly these rules. */
  readonly leaves: readonly FixedChain[]
  /** Chains that Services put rules into; `rules` come after all of those. */
  readonly dispatch: readonly FixedChain[]
  /** Rules that must be present, wherever, in chains that others use too; in the order in which fresh ones are to stand. */
  readonly shared: readonly SharedRule[]
}

export function baseChains(settings: TrafficSettings, node: NodeFacts, family: IpFamily): BaseChains {
  const mark = `0x${settings.masqueradeMark.toString(16)}`
  return {
    leaves: [
      { table: 'filter', name: 'KUBE-FORWARD', rules: forwardRules(settings, mark) },
      { table: 'nat', name: 'KUBE-MARK-MASQ', rules: [`-j MARK --set-xmark ${mark}/${mark}`] },
      { table: 'nat', name: 'KUBE-POSTROUTING', rules: postroutingRules(mark) },
    ],
    dispatch: [
      { table: 'filter', name: 'KUBE-EXTERNAL-SERVICES', rules: [] },
      { table: 'filter', name: 'KUBE-NODEPORTS', rules: [] },
      { table: 'filter', name: 'KUBE-PROXY-FIREWALL', rules: [] },
      { table: 'filter', name: 'KUBE-SERVICES', rules: [] },
      { table: 'nat', name: 'KUBE-NODEPORTS', rules: [] },
      { table: 'nat', name: 'KUBE-SERVICES', rules: nodePortJumps(settings, node, family) },
    ],
    shared: [...(servesLocalhostNodePorts(settings, family) ? [localhostGuard] : []), ...jumps],
  }
}

/** Chains that are created where they are missing although others may fill them, so that jumps to them exist. */
export const sharedChainsToCreate: readonly { readonly table: Table; readonly name: string }[] = [
  { table: 'filter', name: 'KUBE-FIREWALL' },
]

/** Masquerade what is marked; the mark is taken off first, so that the packet is not masqueraded again in an overlay. */
function postroutingRules(mark: string): readonly string[] {
  return [
    `-m mark ! --mark ${mark}/${mark} -j RETURN`,
    `-j MARK --set-xmark ${mark}/0x0`,
    '-m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully',
  ]
}

function forwardRules(settings: TrafficSettings, mark: string): readonly string[] {
  return [
    // A packet that conntrack calls INVALID would leave un-NATed and make the other side reset the connection.
    ...(settings.tcpBeLiberal ? [] : ['-m conntrack --ctstate INVALID -j DROP']),
    `-m comment --comment "kubernetes forwarding rules" -m mark --mark ${mark}/${mark} -j ACCEPT`,
    '-m comment --comment "kubernetes forwarding conntrack rule" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
  ]
}

function nodePortJumps(settings: TrafficSettings, node: NodeFacts, family: IpFamily): readonly string[] {
  const note = '-m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain"'
  const destinations = nodePortDestinations(settings, node, family)
  if (destinations !== 'every local address')
    return destinations.map(address => `-d ${hostCidr(address)} ${note} -j KUBE-NODEPORTS`)
  const exceptLoopback = loopbackException(settings, family)
  return [`${exceptLoopback}${note} -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS`]
}

function loopbackException(settings: TrafficSettings, family: IpFamily): string {
  if (family === 'IPv6') return '! -d ::1/128 '
  return settings.localhostNodePorts ? '' : '! -d 127.0.0.0/8 '
}

/** route_localnet lets packets from outside to 127.0.0.0/8 in; kubelet makes the same rule in the same chain. */
const localhostGuard: SharedRule = {
  table: 'filter',
  chain: 'KUBE-FIREWALL',
  rule:
    '! -s 127.0.0.0/8 -d 127.0.0.0/8 -m comment --comment "block incoming localnet connections" ' +
    '-m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP',
}

const newConnections = '-m conntrack --ctstate NEW '

const jumps: readonly SharedRule[] = [
  jump('filter', 'INPUT', 'KUBE-FIREWALL'),
  jump('filter', 'INPUT', 'KUBE-PROXY-FIREWALL', 'kubernetes load balancer firewall', newConnections),
  jump('filter', 'INPUT', 'KUBE-NODEPORTS', 'kubernetes health check service ports'),
  jump('filter', 'INPUT', 'KUBE-EXTERNAL-SERVICES', 'kubernetes externally-visible service portals', newConnections),
  jump('filter', 'FORWARD', 'KUBE-PROXY-FIREWALL', 'kubernetes load balancer firewall', newConnections),
  jump('filter', 'FORWARD', 'KUBE-FORWARD', 'kubernetes forwarding rules'),
  jump('filter', 'FORWARD', 'KUBE-SERVICES', 'kubernetes service portals', newConnections),
  jump('filter', 'FORWARD', 'KUBE-EXTERNAL-SERVICES', 'kubernetes externally-visible service portals', newConnections),
  jump('filter', 'OUTPUT', 'KUBE-FIREWALL'),
  jump('filter', 'OUTPUT', 'KUBE-PROXY-FIREWALL', 'kubernetes load balancer firewall', newConnections),
  jump('filter', 'OUTPUT', 'KUBE-SERVICES', 'kubernetes service portals', newConnections),
  jump('nat', 'PREROUTING', 'KUBE-SERVICES', 'kubernetes service portals'),
  jump('nat', 'OUTPUT', 'KUBE-SERVICES', 'kubernetes service portals'),
  jump('nat', 'POSTROUTING', 'KUBE-POSTROUTING', 'kubernetes postrouting rules'),
]

function jump(table: Table, chain: string, target: string, note?: string, match = ''): SharedRule {
  const comment = note === undefined ? '' : `-m comment --comment "${note}" `
  return { table, chain, rule: `${match}${comment}-j ${target}` }
}
