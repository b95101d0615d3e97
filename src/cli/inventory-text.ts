// What a service proxy has on this node → a table for people. Pure.
import { type IpFamily, ipFamilies } from '../model/address.ts'
import { count } from '../model/count.ts'
import type { StandingIpvs } from '../modes/ipvs/standing.ts'
import { isNothing } from '../modes/rules/standing.ts'
import type { Inventory, RulesFound } from '../sync/inventory.ts'
import { type Paint, table } from './table.ts'

export function inventoryText(inventory: Inventory, paint: Paint): string {
  const rows = [...inventory.rules.map(rulesRow), ...ipvsRows(inventory.ipvs), nftablesRow(inventory), parametersRow(inventory)]
  const lines = table([['WHERE', 'WHAT A SERVICE PROXY HAS THERE'], ...rows], paint).split('\n')
  return `${lines.map(line => `  ${line}`).join('\n')}\n`
}

function rulesRow(found: RulesFound): readonly [string, string] {
  return [`iptables ${found.backend}, ${found.family}`, rulesText(found)]
}

function rulesText(found: RulesFound): string {
  const { inForce, chains, rules, canaries } = found
  if (isNothing(found)) return 'nothing'
  const own = inForce === undefined ? 0 : chains[inForce]
  const main =
    inForce === undefined ? [] : [`${inForce} mode: ${count(own + chains.shared, 'chain')} with ${count(rules, 'rule')}`]
  const unhooked = inForce === undefined && chains.shared > 0 ? [`${count(chains.shared, 'chain')} that no packet enters`] : []
  const left = (['iptables', 'ipvs'] as const)
    .filter(mode => mode !== inForce && chains[mode] > 0)
    .map(mode => `left of ${mode} mode: ${count(chains[mode], 'chain')}`)
  const alarm = canaries.length > 0 ? [`KUBE-PROXY-CANARY in ${canaries.join(', ')}`] : []
  return [...main, ...unhooked, ...left, ...alarm].join('; ')
}

function ipvsRows(ipvs: Readonly<Record<IpFamily, StandingIpvs>>): readonly (readonly [string, string])[] {
  const isThere = ({ servers, foreign, addresses, sets, hasLink }: StandingIpvs): boolean =>
    hasLink || servers + foreign + addresses + sets > 0
  if (!ipFamilies.some(family => isThere(ipvs[family]))) return [['IPVS', 'nothing']]
  return ipFamilies.map(family => [`IPVS, ${family}`, ipvsText(ipvs[family])])
}

function ipvsText({ servers, realServers, foreign, addresses, sets, hasLink }: StandingIpvs): string {
  const others = foreign > 0 ? `; ${count(foreign, 'virtual server')} of others` : ''
  if (servers + addresses === 0 && sets > 0) return `${count(sets, 'set')} alone${others}`
  if (servers + addresses + sets === 0) return `${hasLink ? 'kube-ipvs0 without addresses' : 'nothing'}${others}`
  const behind = `${count(servers, 'virtual server')} with ${count(realServers, 'real server')}`
  return `${behind}, ${count(addresses, 'address', 'addresses')} on kube-ipvs0, ${count(sets, 'set')}${others}`
}

function nftablesRow({ nftables }: Inventory): readonly [string, string] {
  const where = 'nftables'
  if ('unknown' in nftables) return [where, `cannot be looked at (${nftables.unknown})`]
  if (nftables.length === 0) return [where, 'nothing']
  const texts = nftables.map(
    ({ family, chains, maps }) =>
      `table ${family === 'IPv4' ? 'ip' : 'ip6'} kube-proxy: ${count(chains, 'chain')}, ${count(maps, 'map')}`,
  )
  return [where, texts.join('; ')]
}

/** Those that are not as the kernel has them by itself. */
function parametersRow({ parameters }: Inventory): readonly [string, string] {
  const set = [...parameters].filter(([name, value]) => value !== (name.endsWith('conn_reuse_mode') ? '1' : '0'))
  return ['kernel parameters', set.length === 0 ? 'none set' : set.map(([name, value]) => `${name}=${value}`).join(', ')]
}
