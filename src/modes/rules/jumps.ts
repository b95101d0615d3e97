// The rules by which the built-in chains lead into ours, by mode: what a mode wants there, and what it takes out that another left.
import type { Table } from '../../kernel/iptables.ts'
import type { SharedRule } from './state.ts'

const newConnections = '-m conntrack --ctstate NEW '

const inBothModes: readonly SharedRule[] = [
  jump('filter', 'FORWARD', 'KUBE-FORWARD', 'kubernetes forwarding rules'),
  jump('nat', 'PREROUTING', 'KUBE-SERVICES', 'kubernetes service portals'),
  jump('nat', 'OUTPUT', 'KUBE-SERVICES', 'kubernetes service portals'),
  jump('nat', 'POSTROUTING', 'KUBE-POSTROUTING', 'kubernetes postrouting rules'),
]

/** In the order in which fresh ones are to stand in each chain. */
export const iptablesJumps: readonly SharedRule[] = [
  jump('filter', 'INPUT', 'KUBE-FIREWALL'),
  jump('filter', 'INPUT', 'KUBE-PROXY-FIREWALL', 'kubernetes load balancer firewall', newConnections),
  jump('filter', 'INPUT', 'KUBE-NODEPORTS', 'kubernetes health check service ports'),
  jump('filter', 'INPUT', 'KUBE-EXTERNAL-SERVICES', 'kubernetes externally-visible service portals', newConnections),
  jump('filter', 'FORWARD', 'KUBE-PROXY-FIREWALL', 'kubernetes load balancer firewall', newConnections),
  ...inBothModes,
  jump('filter', 'FORWARD', 'KUBE-SERVICES', 'kubernetes service portals', newConnections),
  jump('filter', 'FORWARD', 'KUBE-EXTERNAL-SERVICES', 'kubernetes externally-visible service portals', newConnections),
  jump('filter', 'OUTPUT', 'KUBE-FIREWALL'),
  jump('filter', 'OUTPUT', 'KUBE-PROXY-FIREWALL', 'kubernetes load balancer firewall', newConnections),
  jump('filter', 'OUTPUT', 'KUBE-SERVICES', 'kubernetes service portals', newConnections),
]

/** To the chains that guard the addresses on kube-ipvs0: they go with those, not with the mode. */
export const ipvsGuardJumps: readonly SharedRule[] = [
  jump('filter', 'INPUT', 'KUBE-IPVS-FILTER', 'kubernetes ipvs access filter'),
  jump('filter', 'OUTPUT', 'KUBE-IPVS-OUT-FILTER', 'kubernetes ipvs access filter'),
]

/** Before KUBE-IPVS-FILTER, which lets through what is a Service's. */
export const noLocalEndpointsJump: SharedRule = jump(
  'filter',
  'INPUT',
  'SWITCHYARD-NO-LOCAL',
  'services without local endpoints',
  newConnections,
)

const onlyInIpvsMode: readonly SharedRule[] = [
  jump('filter', 'INPUT', 'KUBE-PROXY-FIREWALL', 'kube-proxy firewall rules'),
  jump('filter', 'INPUT', 'KUBE-NODE-PORT', 'kubernetes health check rules'),
  jump('filter', 'FORWARD', 'KUBE-PROXY-FIREWALL', 'kube-proxy firewall rules'),
]

export const ipvsJumps: readonly SharedRule[] = [...ipvsGuardJumps, ...onlyInIpvsMode, ...inBothModes]

/** What iptables mode takes out of the built-in chains: ipvs mode's jumps into chains that mean something else here, or nothing. */
export const unwantedInIptablesMode = onlyInIpvsMode

/** KUBE-FIREWALL stays: kubelet uses it too, and while route_localnet is 1 it guards 127.0.0.0/8. */
export const unwantedInIpvsMode = iptablesJumps.filter(
  ({ rule }) => !rule.endsWith('-j KUBE-FIREWALL') && !inBothModes.some(both => both.rule === rule),
)

function jump(table: Table, chain: string, target: string, note?: string, match = ''): SharedRule {
  const comment = note === undefined ? '' : `-m comment --comment "${note}" `
  return { table, chain, rule: `${match}${comment}-j ${target}` }
}
