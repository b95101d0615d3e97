// Kernel settings of a lab's namespaces, as data: what a kubelet and a network plugin would have set on a node, and no
// delays of the kernel's own that would make a test slow or a refusal silent.

export type NamespaceRole = 'node' | 'network' | 'host'

/** Every key lies under /proc/sys/net. One that this kernel does not have is left out silently. */
export function sysctlsFor(role: NamespaceRole): Readonly<Record<string, string>> {
  return {
    ...everywhere,
    ...(role === 'host' ? {} : forwarding),
    ...(role === 'node' ? bridgedTrafficMeetsIptables : noBridgeFilter),
  }
}

/** One shell script that writes the settings of one namespace. */
export function sysctlScript(settings: Readonly<Record<string, string>>): string {
  return Object.entries(settings)
    .map(([key, value]) => `[ ! -e /proc/sys/net/${key} ] || echo ${value} > /proc/sys/net/${key}`)
    .join('\n')
}

const everywhere = {
  // No duplicate address detection, so that addresses work at once. `default` counts for links that are made later.
  'ipv6/conf/all/accept_dad': '0',
  'ipv6/conf/default/accept_dad': '0',
  'ipv6/conf/default/accept_ra': '0',
  // The kernel limits how often it says "unreachable" to a peer and at all. UDP asks once, so each answer counts. The masks
  // name the types that are limited: none (IPv6 takes no empty list, so there it is type 0, which does not exist).
  'ipv4/icmp_ratemask': '0',
  'ipv6/icmp/ratemask': '0',
  // A reply may come by another way than the request went.
  'ipv4/conf/all/rp_filter': '0',
  'ipv4/conf/default/rp_filter': '0',
  // No router of the lab tells anyone a shorter way past itself.
  'ipv4/conf/all/accept_redirects': '0',
  'ipv4/conf/default/accept_redirects': '0',
  'ipv6/conf/default/accept_redirects': '0',
  'ipv4/conf/all/send_redirects': '0',
  'ipv4/conf/default/send_redirects': '0',
} as const

const forwarding = {
  'ipv4/ip_forward': '1',
  'ipv6/conf/all/forwarding': '1',
  'ipv6/conf/default/forwarding': '1',
} as const

/** Pods of one node share a network: without this the reply of one to the other would not meet the address translation. */
const bridgedTrafficMeetsIptables = {
  'bridge/bridge-nf-call-iptables': '1',
  'bridge/bridge-nf-call-ip6tables': '1',
} as const

const noBridgeFilter = {
  'bridge/bridge-nf-call-iptables': '0',
  'bridge/bridge-nf-call-ip6tables': '0',
} as const
