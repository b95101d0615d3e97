// What a kube-proxy leaves that nobody would ever remove, once this node is programmed by us: its tables of nftables, its chains in the other iptables
// backend, its alarm chain. Takes an Inventory, gives plans; changes nothing.
import { type Backend, toolsOf } from '../kernel/iptables.ts'
import { deleteProxyTable, proxyTable } from '../kernel/nftables.ts'
import { emptyPlan, joinPlans, type Plan } from '../kernel/plan.ts'
import { hasKubeletHint } from '../kernel/probe.ts'
import { count } from '../model/count.ts'
import { routeLocalnet } from '../modes/kernel-parameters.ts'
import { retire, retireCanary } from '../modes/rules/retire.ts'
import { isNothing } from '../modes/rules/standing.ts'
import type { Inventory, RulesFound } from './inventory.ts'

export interface Removal {
  /** For people: `IPv4, legacy backend: 20 chains`. */
  readonly what: string
  readonly plan: Plan
}

/** @param backend the one that Switchyard's own rules are in. */
export function leftBehind(inventory: Inventory, backend: Backend): readonly Removal[] {
  return [...inventory.rules.flatMap(found => ofRules(found, inventory, backend)), ...nftRemovals(inventory)]
}

/** nat hooks of equal priority run in the order in which they came, latest first, and the first that translates a packet has the say. */
export function nftRemovals({ nftables }: Pick<Inventory, 'nftables'>): readonly Removal[] {
  if ('unknown' in nftables) return []
  return nftables.map(({ family, chains }) => ({
    what: `${proxyTable(family)} of nftables: ${count(chains, 'chain')}`,
    plan: { ...emptyPlan, steps: [deleteProxyTable(family)], removed: chains },
  }))
}

function ofRules(found: RulesFound, inventory: Inventory, backend: Backend): readonly Removal[] {
  if (isNothing(found)) return []
  const tools = toolsOf(found.family, found.backend)
  const where = `${found.family}, ${found.backend} backend`
  if (found.backend === backend) {
    // Those of nat and filter go with the sync, as everything there that is nobody's.
    const plan = retireCanary(found.save, tools)
    return plan.steps.length === 0 ? [] : [{ what: `${where}: KUBE-PROXY-CANARY of mangle`, plan }]
  }
  const keepFirewall = hasKubeletHint(found.save) || needsGuard(found, inventory, backend)
  const plan = joinPlans(retire({ save: found.save, tools, keepFirewall }), retireCanary(found.save, tools))
  return [{ what: `${where}: ${count(plan.removed, 'chain')}`, plan }]
}

/** While packets to 127.0.0.0/8 may come in from outside, the rule that drops them stays, in one backend or the other. */
function needsGuard({ family }: RulesFound, { rules, parameters }: Inventory, backend: Backend): boolean {
  if (family !== 'IPv4' || parameters.get(routeLocalnet) !== '1') return false
  const own = rules.find(each => each.family === family && each.backend === backend)
  return own?.save.includes('"block incoming localnet connections"') !== true
}
