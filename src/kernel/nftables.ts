// nft(8), as far as a kube-proxy in nftables mode matters: its tables `ip kube-proxy` and `ip6 kube-proxy`. What it prints, what it is fed; runs nothing.
import type { IpFamily } from '../model/address.ts'
import type { Query, Step } from './plan.ts'

/** All of kube-proxy's is in a table of this name, one for each family. */
const tableName = 'kube-proxy'
const nftFamily: Readonly<Record<IpFamily, string>> = { IPv4: 'ip', IPv6: 'ip6' }

/** `table ip kube-proxy`, as nft names it. */
export function proxyTable(family: IpFamily): string {
  return `table ${nftFamily[family]} ${tableName}`
}

/**
 * Every table of this network namespace with its flowtables, of which few have any; those of iptables-nft are among them. `nft list tables` reads all rules
 * first (nftables 1.0.6, 230,000 rules: 9 s and 500 MB, and all over again whenever a rule changes meanwhile), this reads none: 4 ms.
 */
export const nftTablesQuery: Query = { argv: ['nft', 'list', 'flowtables'] }

export function hasProxyTable(output: string, family: IpFamily): boolean {
  return output.split('\n').some(line => line.trim() === `${proxyTable(family)} {`)
}

/** Without the entries of maps and sets, which may be many. Fails where there is no such table. */
export function proxyTableQuery(family: IpFamily): Query {
  return { argv: ['nft', '--terse', 'list', ...proxyTable(family).split(' ')] }
}

export interface TableSize {
  readonly chains: number
  /** Maps and sets. */
  readonly maps: number
}

export function parseTableSize(output: string): TableSize {
  const count = (pattern: RegExp): number => output.match(pattern)?.length ?? 0
  return { chains: count(/^\tchain /gm), maps: count(/^\t(map|set) /gm) }
}

/** In one stroke: no packet meets half of the table. Connections that it has translated go on, since conntrack knows them. */
export function deleteProxyTable(family: IpFamily): Step {
  const table = proxyTable(family)
  return { why: `delete ${table}`, argv: ['nft', '-f', '-'], input: [{ owner: undefined, lines: [`delete ${table}`] }] }
}
