// What has to go when a kube-proxy takes this node back: what it neither uses nor ever removes. Takes an Inventory, gives plans; changes nothing.
// Invariant: what takes packets stays until the kernel shows that kube-proxy has programmed its own. So where kube-proxy runs in another mode than
// the one that stands, it takes two runs: one before kube-proxy starts, one after it has synced.
import { destroySet, restoreSetsArgv } from '../kernel/ipset.ts'
import { toolsOf } from '../kernel/iptables.ts'
import { emptyPlan, type Plan } from '../kernel/plan.ts'
import { hasKubeletHint } from '../kernel/probe.ts'
import type { IpFamily } from '../model/address.ts'
import { ipFamilies } from '../model/address.ts'
import { routeLocalnet } from '../modes/kernel-parameters.ts'
import { isSwitchyards, modeOfChain } from '../modes/rules/chains.ts'
import { unwantedInIptablesMode, unwantedInIpvsMode } from '../modes/rules/jumps.ts'
import { type RetireInput, retire } from '../modes/rules/retire.ts'
import type { Inventory, RulesFound } from './inventory.ts'
import type { Removal } from './left-behind.ts'

export const proxyModes = ['iptables', 'ipvs', 'nftables'] as const
export type ProxyMode = (typeof proxyModes)[number]

export interface WayBack {
  readonly removals: readonly Removal[]
  /** IPVS keeps its connections and goes when it has none: kube-proxy in another mode has taken over. */
  readonly retireIpvs: readonly IpFamily[]
  /** Families in which what stands has to carry the traffic until kube-proxy in the other mode has synced. */
  readonly waiting: readonly IpFamily[]
}

/** Whose rules take packets now. Undefined where there are none. */
export function standingMode(inventory: Inventory): ProxyMode | undefined {
  const modes = ipFamilies.map(family => standingIn(inventory, family))
  return modes.find(mode => mode !== undefined)
}

/** Both carry traffic: kube-proxy has taken over by its tables, or they are an earlier one's that could not be removed. The kernel does not tell. */
export function standTwice({ nftables, rules }: Inventory): boolean {
  return !('unknown' in nftables) && nftables.length > 0 && rules.some(({ inForce }) => inForce !== undefined)
}

/** Switchyard has no nftables mode, and a takeover leaves no such table: where it is, a kube-proxy has made it since. */
function standingIn({ nftables, rules }: Inventory, family: IpFamily): ProxyMode | undefined {
  if (!('unknown' in nftables) && nftables.some(table => table.family === family)) return 'nftables'
  return rules.find(found => found.family === family && found.inForce !== undefined)?.inForce
}

export function wayBack(inventory: Inventory, to: ProxyMode): WayBack {
  const standing = (family: IpFamily): ProxyMode | undefined => standingIn(inventory, family)
  const rules = inventory.rules.map(found => {
    const hasTakenOver = standing(found.family) === to
    return { what: whatOf(found), plan: retire({ ...common(found, inventory), ...(hasTakenOver ? leftByChange(to) : ownAlone) }) }
  })
  const sets = ownSets(inventory)
  const hasIpvs = (family: IpFamily): boolean => inventory.ipvs[family].hasLink || inventory.ipvs[family].sets > 0
  return {
    removals: [...rules, { what: 'sets of Switchyard', plan: sets }].filter(({ plan }) => plan.steps.length > 0),
    retireIpvs: to === 'ipvs' ? [] : ipFamilies.filter(family => standing(family) === to && hasIpvs(family)),
    waiting: ipFamilies.filter(family => standing(family) !== undefined && standing(family) !== to),
  }
}

function whatOf({ family, backend }: RulesFound): string {
  return `${family}, ${backend} backend`
}

function common(found: RulesFound, { parameters }: Inventory): Pick<RetireInput, 'save' | 'tools' | 'keepFirewall'> {
  const { save, family, backend } = found
  return { save, tools: toolsOf(family, backend), keepFirewall: hasKubeletHint(save) || parameters.get(routeLocalnet) === '1' }
}

type Choice = Required<Pick<RetireInput, 'goes'>> & Pick<RetireInput, 'jumps'>

const ownAlone: Choice = { goes: (_, chain) => isSwitchyards(chain) }

/** Of the mode before, what a kube-proxy in this one keeps for ever. */
function leftByChange(to: ProxyMode): Choice {
  if (to === 'nftables') return { goes: () => true }
  const [other, jumps] =
    to === 'iptables' ? (['ipvs', unwantedInIptablesMode] as const) : (['iptables', unwantedInIpvsMode] as const)
  // The guards of kube-ipvs0 go with it, when its connections are over.
  const isGuard = (chain: string): boolean => chain.startsWith('KUBE-IPVS-')
  return { goes: (table, chain) => isSwitchyards(chain) || (modeOfChain(table, chain) === other && !isGuard(chain)), jumps }
}

/** After the rules that use them. */
function ownSets({ ipvs }: Inventory): Plan {
  const lines = ipFamilies.flatMap(family => ipvs[family].ownSets.map(destroySet))
  if (lines.length === 0) return emptyPlan
  const step = { why: `destroy ${lines.length} sets`, argv: restoreSetsArgv, input: [{ owner: undefined, lines }] }
  return { ...emptyPlan, steps: [step], removed: lines.length }
}
