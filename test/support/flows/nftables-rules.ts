// What a kube-proxy in nftables mode holds for the golden scenario nodeport, in small: the tables `ip kube-proxy` and `ip6 kube-proxy` with their hooks, maps of
// verdicts, a chain for each Service and endpoint, and the mark that asks for masquerading (KEP-3866).

const service = 'golden/appjs-service-nodeport/tcp/'

interface FamilyRules {
  readonly table: 'ip' | 'ip6'
  readonly nodeAddress: string
  readonly pods: string
  /** Of the one Service, which has no address in the other family. */
  readonly clusterIP?: string
  readonly endpoints: readonly string[]
}

const families: readonly FamilyRules[] = [
  {
    table: 'ip',
    nodeAddress: '10.200.1.2',
    pods: '10.244.0.0/16',
    clusterIP: '10.102.83.10',
    endpoints: ['10.244.1.11', '10.244.2.21'],
  },
  { table: 'ip6', nodeAddress: 'fd00:200:1::2', pods: 'fd00:10:244::/56', endpoints: [] },
]

/** For `nft -f -`. */
export const nftablesRules = families.map(rulesOf).join('')

function rulesOf(family: FamilyRules): string {
  const { table, nodeAddress, clusterIP } = family
  const address = table === 'ip' ? 'ipv4_addr' : 'ipv6_addr'
  const elements = (text: string): string => (clusterIP === undefined ? '' : `elements = { ${text} }`)
  return `table ${table} kube-proxy {
  comment "rules for kube-proxy"
  set cluster-ips { type ${address}; ${elements(`${clusterIP}`)}; }
  set nodeport-ips { type ${address}; elements = { ${nodeAddress} }; }
  map service-ips {
    type ${address} . inet_proto . inet_service : verdict
    ${elements(`${clusterIP} . tcp . 80 : goto service-${service}`)}
  }
  map service-nodeports {
    type inet_proto . inet_service : verdict
    ${elements(`tcp . 30123 : goto external-${service}`)}
  }
  chain mark-for-masquerade {
    meta mark set meta mark or 0x4000
  }
  chain masquerading {
    meta mark & 0x4000 == 0 return
    meta mark set meta mark xor 0x4000
    masquerade fully-random
  }
${clusterIP === undefined ? '' : serviceChains(family)}
  chain services {
    ${table} daddr . meta l4proto . th dport vmap @service-ips
    ${table} daddr @nodeport-ips meta l4proto . th dport vmap @service-nodeports
  }
  chain cluster-ips-check {
    ${table} daddr @cluster-ips reject
  }
  chain nat-prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    jump services
  }
  chain nat-output {
    type nat hook output priority -100; policy accept;
    jump services
  }
  chain nat-postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    jump masquerading
  }
  chain filter-forward {
    type filter hook forward priority -110; policy accept;
    ct state new jump cluster-ips-check
  }
}
`
}

function serviceChains({ table, pods, clusterIP, endpoints }: FamilyRules): string {
  const verdicts = endpoints.map((_, index) => `${index} : goto endpoint-${index}`).join(', ')
  const endpointChains = endpoints.map(
    (endpoint, index) => `  chain endpoint-${index} {
    ${table} saddr ${endpoint} jump mark-for-masquerade
    meta l4proto tcp dnat to ${endpoint}:8080
  }`,
  )
  return `${endpointChains.join('\n')}
  chain service-${service} {
    ${table} daddr ${clusterIP} tcp dport 80 ${table} saddr != ${pods} jump mark-for-masquerade
    numgen random mod ${endpoints.length} vmap { ${verdicts} }
  }
  chain external-${service} {
    jump mark-for-masquerade
    goto service-${service}
  }`
}
