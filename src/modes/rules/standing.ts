// What of a service proxy's stands in one iptables backend, by mode: for reports, and to know who would miss what. Takes the text of iptables-save. Pure.
import { parseSave, type SavedChain, type Table, tableSection } from '../../kernel/iptables.ts'
import { canaryChain, isServiceProxyChain, type ModeOfChain, modeOfChain } from './chains.ts'

export type RulesMode = 'iptables' | 'ipvs'

export interface StandingRules {
  /** Whose rules take packets: the mode that nat KUBE-SERVICES is written for; undefined where there is none. */
  readonly inForce: RulesMode | undefined
  /** Chains by the mode that alone has them, and those that all modes have. */
  readonly chains: Readonly<Record<ModeOfChain, number>>
  /** Rules in all of them. */
  readonly rules: number
  /** Tables in which kube-proxy's alarm chain is. */
  readonly canaries: readonly string[]
}

const allTables = ['nat', 'filter', 'mangle'] as const

export function standingRules(save: string): StandingRules {
  const chains = { iptables: 0, ipvs: 0, shared: 0 }
  const canaries: string[] = []
  let rules = 0
  for (const table of allTables) {
    for (const chain of parseSave(tableSection(save, table as Table))) {
      if (chain.name === canaryChain) canaries.push(table)
      else if (table !== 'mangle' && isServiceProxyChain(table, chain.name)) {
        chains[modeOfChain(table, chain.name)]++
        rules += chain.rules.length
      }
    }
  }
  return { inForce: modeInForce(parseSave(tableSection(save, 'nat'))), chains, rules, canaries }
}

export function isNothing({ chains, canaries }: StandingRules): boolean {
  return chains.iptables + chains.ipvs + chains.shared + canaries.length === 0
}

/** Both modes call their dispatch chain the same; that of ipvs mode asks sets. A chain without a jump into it takes no packet. */
function modeInForce(nat: readonly SavedChain[]): RulesMode | undefined {
  const dispatch = nat.find(({ name }) => name === 'KUBE-SERVICES')
  const isHooked = nat.some(({ name, rules }) => name === 'PREROUTING' && rules.some(rule => rule.endsWith('-j KUBE-SERVICES')))
  if (dispatch === undefined || !isHooked) return undefined
  return dispatch.rules.some(rule => /--match-set KUBE-(6-)?CLUSTER-IP /.test(rule)) || hasOnlyIpvsRules(dispatch)
    ? 'ipvs'
    : 'iptables'
}

/** Ipvs mode without a single cluster IP. */
function hasOnlyIpvsRules({ rules }: SavedChain): boolean {
  return rules.some(rule => rule.endsWith('-j KUBE-NODE-PORT') || rule.endsWith('-j KUBE-LOAD-BALANCER'))
}
