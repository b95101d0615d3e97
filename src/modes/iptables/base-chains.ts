// The fixed part: what stands in the kernel even with no Service at all. Depends on settings and node facts alone.

import type { IpFamily } from '../../model/address.ts'
import { hostCidr } from '../../model/address.ts'
import { type NodeFacts, nodePortDestinations, servesLocalhostNodePorts, type TrafficSettings } from '../../model/node.ts'
import { chainRoles, ipvsGuardChains } from '../rules/chains.ts'
import { iptablesJumps, unwantedInIptablesMode } from '../rules/jumps.ts'
import type { BaseChains, SharedRule } from '../rules/state.ts'

/** Our treatment of chains: in these, rules of many Services stand side by side. */
export const iptablesRoles = chainRoles({
  dispatch: {
    nat: ['KUBE-SERVICES', 'KUBE-NODEPORTS'],
    filter: ['KUBE-SERVICES', 'KUBE-EXTERNAL-SERVICES', 'KUBE-NODEPORTS', 'KUBE-PROXY-FIREWALL'],
  },
  hasTrees: true,
  leaveAlone: (_, name) => ipvsGuardChains.some(chain => chain === name),
})

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
    create: [{ table: 'filter', name: 'KUBE-FIREWALL' }],
    shared: [...(servesLocalhostNodePorts(settings, family) ? [localhostGuard] : []), ...iptablesJumps],
    unwanted: unwantedInIptablesMode,
  }
}

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
