// Which chains are ours, and how a mode treats each of them. Names as kube-proxy makes them, in all modes: whichever ran before, its
// leftovers are known.
import type { Table } from '../../kernel/iptables.ts'

/**
 * How a mode treats a chain:
 * `leaf`: ours alone, its rules in an order that matters;
 * `dispatch`: ours alone, a set of rules of many Services, of which only the last may be fixed;
 * `shared`: others write there too, we only want some rules present (the built-in chains, and KUBE-FIREWALL, kubelet's);
 * `foreign`: never touched.
 */
export type ChainKind = 'leaf' | 'dispatch' | 'shared' | 'foreign'

export type ChainRoles = (table: Table, name: string) => ChainKind

type Names = Readonly<Partial<Record<Table, readonly string[]>>>

/** kube-proxy's own alarm against flushes, in mangle too; we do without, and sweep one that was left behind. */
export const canaryChain = 'KUBE-PROXY-CANARY'

const fixedChains: Record<Table, readonly string[]> = {
  nat: [
    ...['KUBE-SERVICES', 'KUBE-NODEPORTS', 'KUBE-MARK-MASQ', 'KUBE-POSTROUTING', canaryChain],
    ...['KUBE-NODE-PORT', 'KUBE-LOAD-BALANCER'],
  ],
  filter: [
    ...['KUBE-SERVICES', 'KUBE-EXTERNAL-SERVICES', 'KUBE-NODEPORTS', 'KUBE-PROXY-FIREWALL', 'KUBE-FORWARD', canaryChain],
    ...['KUBE-NODE-PORT', 'KUBE-SOURCE-RANGES-FIREWALL', 'KUBE-IPVS-FILTER', 'KUBE-IPVS-OUT-FILTER', 'SWITCHYARD-NO-LOCAL'],
  ],
}
const sharedChains: Record<Table, readonly string[]> = {
  nat: ['PREROUTING', 'OUTPUT', 'POSTROUTING'],
  filter: ['INPUT', 'FORWARD', 'OUTPUT', 'KUBE-FIREWALL'],
}
/** `KUBE-SVC-TCOU7JCQXEZGVUNU`, and `KUBE-SVC-TCOU7JCQXEZGVUNU-07` for a part of its endpoints: see iptables/balancing.ts. */
const serviceChainName = /^KUBE-((SVC|SVL|EXT|FW|SEP)-[A-Z2-7]{16}|(SVC|SVL)-[A-Z2-7]{16}-\d\d)$/
/** `KUBE-SVC-10.96.0.0-12`, `KUBE-SVC-NET6-ABCDEFGHIJ-108`, `KUBE-SVC-NP-TCP-29952-30207`: see iptables/dispatch-chains.ts. */
const treeChainName = /^KUBE-SVC-(\d+\.\d+\.\d+\.\d+-\d+|NET6-[A-Z2-7]{10}-\d+|NP-(TCP|UDP|SCTP)-\d+-\d+|OTHER)$/

/** Chains of ipvs mode's that guard the addresses on kube-ipvs0 for as long as these are there, whichever mode runs. */
export const ipvsGuardChains = ['KUBE-IPVS-FILTER', 'KUBE-IPVS-OUT-FILTER', 'SWITCHYARD-NO-LOCAL'] as const

/** All chains of ours are `leaf`, but for those in `dispatch` and those that `leaveAlone` says to be somebody else's business. */
export function chainRoles(mode: {
  readonly dispatch: Names
  /** Whether the chains between KUBE-SERVICES and the Services' own are dispatch chains too. */
  readonly hasTrees?: boolean
  readonly leaveAlone?: (table: Table, name: string) => boolean
}): ChainRoles {
  return (table, name) => {
    if (sharedChains[table].includes(name)) return 'shared'
    if (!isServiceProxyChain(table, name) || mode.leaveAlone?.(table, name) === true) return 'foreign'
    return mode.dispatch[table]?.includes(name) || (mode.hasTrees === true && isTreeChain(table, name)) ? 'dispatch' : 'leaf'
  }
}

/** Made by a service proxy, in whichever mode. Not KUBE-FIREWALL, which kubelet makes too. */
export function isServiceProxyChain(table: Table, name: string): boolean {
  return fixedChains[table].includes(name) || isServiceChain(table, name)
}

/** Which mode alone has a chain; `shared`: all modes have it, each with other rules. */
export type ModeOfChain = 'iptables' | 'ipvs' | 'shared'

const chainsOfOneMode: Readonly<Record<'iptables' | 'ipvs', Names>> = {
  iptables: { nat: ['KUBE-NODEPORTS'], filter: ['KUBE-SERVICES', 'KUBE-EXTERNAL-SERVICES', 'KUBE-NODEPORTS'] },
  ipvs: {
    nat: ['KUBE-NODE-PORT', 'KUBE-LOAD-BALANCER'],
    filter: ['KUBE-NODE-PORT', 'KUBE-SOURCE-RANGES-FIREWALL', ...ipvsGuardChains],
  },
}

/** Of a chain that a service proxy makes. */
export function modeOfChain(table: Table, name: string): ModeOfChain {
  if (isServiceChain(table, name)) return 'iptables'
  return (['iptables', 'ipvs'] as const).find(mode => chainsOfOneMode[mode][table]?.includes(name)) ?? 'shared'
}

/** A chain or a set of Switchyard's own, which a kube-proxy neither uses nor removes. */
export function isSwitchyards(name: string): boolean {
  return name.startsWith('SWITCHYARD-')
}

/** A chain of nat that only iptables mode makes, for one service port or to find it. */
export function isServiceChain(table: Table, name: string): boolean {
  return table === 'nat' && (serviceChainName.test(name) || treeChainName.test(name))
}

/** A chain of nat between KUBE-SERVICES or KUBE-NODEPORTS and the chains of service ports. */
export function isTreeChain(table: Table, name: string): boolean {
  return table === 'nat' && treeChainName.test(name)
}

const entryChains: Record<Table, readonly string[]> = {
  nat: ['KUBE-SERVICES', 'KUBE-NODEPORTS', 'KUBE-POSTROUTING'],
  filter: [
    ...['KUBE-SERVICES', 'KUBE-EXTERNAL-SERVICES', 'KUBE-NODEPORTS', 'KUBE-PROXY-FIREWALL', 'KUBE-FORWARD', 'KUBE-FIREWALL'],
    ...['KUBE-NODE-PORT', ...ipvsGuardChains],
  ],
}

/** Chains that the built-in ones jump to by our own rules; a jump from there to any other chain of ours is somebody else's. */
export function isEntryChain(table: Table, name: string): boolean {
  return entryChains[table].includes(name)
}
