// All that a service proxy left on this node, whoever it was: rules by IP family and iptables backend, IPVS, kube-proxy's nftables tables, kernel
// parameters. Looks only; what cannot be looked at is said, and is no error.
import { CommandError, type Exec } from '../kernel/exec.ts'
import { interfaceAddresses } from '../kernel/interfaces.ts'
import { saveSetsQuery } from '../kernel/ipset.ts'
import { type Backend, saveQuery, toolsOf } from '../kernel/iptables.ts'
import { saveServersQuery } from '../kernel/ipvsadm.ts'
import { dummyAddressesQuery, dummyLinksQuery } from '../kernel/link.ts'
import { lookingExec } from '../kernel/looking-exec.ts'
import { hasProxyTable, nftTablesQuery, parseTableSize, proxyTableQuery, type TableSize } from '../kernel/nftables.ts'
import type { Query } from '../kernel/plan.ts'
import { usableBackends } from '../kernel/probe.ts'
import type { Sysctl } from '../kernel/sysctl.ts'
import { type IpFamily, ipFamilies } from '../model/address.ts'
import { serviceLink } from '../modes/ipvs/names.ts'
import { type StandingIpvs, standingIpvs } from '../modes/ipvs/standing.ts'
import { forwarding, routeLocalnet } from '../modes/kernel-parameters.ts'
import { type StandingRules, standingRules } from '../modes/rules/standing.ts'
import { ipvsModeSysctls } from './ipvs-duties.ts'

export interface RulesFound extends StandingRules {
  readonly family: IpFamily
  readonly backend: Backend
  /** What iptables-save printed. */
  readonly save: string
}

export interface Inventory {
  /** Of each family and backend that can be read here. */
  readonly rules: readonly RulesFound[]
  readonly ipvs: Readonly<Record<IpFamily, StandingIpvs>>
  /** The tables that are there, or why nobody can tell. */
  readonly nftables: readonly NftTable[] | { readonly unknown: string }
  /** By name; those that this kernel does not have are absent. */
  readonly parameters: ReadonlyMap<string, string>
}

export interface NftTable extends TableSize {
  readonly family: IpFamily
}

const parameterNames: readonly string[] = [routeLocalnet, forwarding.IPv4, ...ipvsModeSysctls]

/** Throws CommandError where the rules of a usable iptables backend cannot be read. */
export async function takeInventory({ exec, sysctl }: { readonly exec: Exec; readonly sysctl: Sysctl }): Promise<Inventory> {
  const looking = lookingExec(exec)
  const [rules, ipvs, nftables, parameters] = await Promise.all([
    readRules(exec),
    readIpvs(looking),
    readNftables(looking),
    readParameters(sysctl),
  ])
  return { rules, ipvs, nftables, parameters }
}

async function readRules(exec: Exec): Promise<readonly RulesFound[]> {
  const backends = await usableBackends(exec)
  const places = ipFamilies.flatMap(family => backends[family].map(backend => ({ family, backend })))
  return Promise.all(
    places.map(async ({ family, backend }) => {
      const { stdout: save } = await exec(saveQuery(toolsOf(family, backend)))
      return { family, backend, save, ...standingRules(save) }
    }),
  )
}

async function readIpvs(exec: Exec): Promise<Inventory['ipvs']> {
  const read = (query: Query): Promise<string> => outputOf(query, exec)
  const [sets, servers, links] = await Promise.all([saveSetsQuery, saveServersQuery, dummyLinksQuery].map(read))
  const local = interfaceAddresses(serviceLink)
  const ofFamily = async (family: IpFamily): Promise<StandingIpvs> => {
    const addresses = await read(dummyAddressesQuery(family))
    return standingIpvs({ sets: sets ?? '', servers: servers ?? '', links: links ?? '', addresses }, { family, local })
  }
  return { IPv4: await ofFamily('IPv4'), IPv6: await ofFamily('IPv6') }
}

/** Empty where the tool is missing or the kernel has no such thing: then a service proxy left nothing there. */
function outputOf(query: Query, exec: Exec): Promise<string> {
  return exec(query).then(
    ({ stdout }) => stdout,
    (error: unknown) => {
      if (error instanceof CommandError) return ''
      throw error
    },
  )
}

async function readNftables(exec: Exec): Promise<Inventory['nftables']> {
  try {
    const { stdout } = await exec(nftTablesQuery)
    const families = ipFamilies.filter(family => hasProxyTable(stdout, family))
    return await Promise.all(
      families.map(async family => ({ family, ...parseTableSize((await exec(proxyTableQuery(family))).stdout) })),
    )
  } catch (error) {
    if (error instanceof CommandError) return { unknown: error.message }
    throw error
  }
}

async function readParameters(sysctl: Sysctl): Promise<ReadonlyMap<string, string>> {
  const read = await Promise.all(parameterNames.map(async name => [name, await sysctl.read(name)] as const))
  return new Map(read.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const])))
}
