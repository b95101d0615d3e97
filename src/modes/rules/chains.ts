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

/** KUBE-PROXY-CANARY is kube-proxy's own alarm against flushes; we do without, and sweep one that was left behind. */
const fixedChains: Record<Table, readonly string[]> = {
  nat: [
    ...['KUBE-SERVICES', 'KUBE-NODEPORTS', 'KUBE-MARK-MASQ', 'KUBE-POSTROUTING', 'KUBE-PROXY-CANARY'],
    ...['KUBE-NODE-PORT', 'KUBE-LOAD-BALANCER'],
  ],
  filter: [
    ...['KUBE-SERVICES', 'KUBE-EXTERNAL-SERVICES', 'KUBE-NODEPORTS', 'KUBE-PROXY-FIREWALL', 'KUBE-FORWARD', 'KUBE-PROXY-CANARY'],
    ...['KUBE-NODE-PORT', 'KUBE-SOURCE-RANGES-FIREWALL', 'KUBE-IPVS-FILTER', 'KUBE-IPVS-OUT-FILTER', 'SWITCHYARD-NO-LOCAL'],
  ],
}
const sharedChains: Record<Table, readonly string[]> = {
  nat: ['PREROUTING', 'OUTPUT', 'POSTROUTING'],
  filter: ['INPUT', 'FORWARD', 'OUTPUT', 'KUBE-FIREWALL'],
}
const serviceChainName = /^KUBE-(SVC|SVL|EXT|FW|SEP)-[A-Z2-7]{16}$/

/** Chains of ipvs mode's that guard the addresses on kube-ipvs0 for as long as these are there, whichever mode runs. */
export const ipvsGuardChains = ['KUBE-IPVS-FILTER', 'KUBE-IPVS-OUT-FILTER', 'SWITCHYARD-NO-LOCAL'] as const

/** All chains of ours are `leaf`, but for those in `dispatch` and those that `leaveAlone` says to be somebody else's business. */
export function chainRoles(mode: {
  readonly dispatch: Names
  readonly leaveAlone?: (table: Table, name: string) => boolean
}): ChainRoles {
  return (table, name) => {
    if (sharedChains[table].includes(name)) return 'shared'
    if (!isOurs(table, name) || mode.leaveAlone?.(table, name) === true) return 'foreign'
    return mode.dispatch[table]?.includes(name) ? 'dispatch' : 'leaf'
  }
}

function isOurs(table: Table, name: string): boolean {
  return fixedChains[table].includes(name) || isServiceChain(table, name)
}

/** A chain of nat that belongs to one service port of iptables mode. */
export function isServiceChain(table: Table, name: string): boolean {
  return table === 'nat' && serviceChainName.test(name)
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
