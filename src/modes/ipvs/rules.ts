// The rules around the sets as the machinery of `../rules` takes them: what is wanted, and the steps from what the kernel holds to that.
import type { IptablesTools } from '../../kernel/iptables.ts'
import { emptyPlan, type Plan } from '../../kernel/plan.ts'
import type { IpFamily } from '../../model/address.ts'
import type { Change } from '../mode.ts'
import { isServiceChain } from '../rules/chains.ts'
import { confirm } from '../rules/confirm.ts'
import { difference } from '../rules/diff.ts'
import { feed } from '../rules/feed.ts'
import type * as rules from '../rules/state.ts'
import { type SetKind, setName } from './names.ts'
import type { Desired, Observed } from './state.ts'

type IsUsed = (kind: SetKind) => boolean

export function rulesWanted(desired: Desired, family: IpFamily): rules.Desired {
  return rulesWhere(isUsedIn(desired.sets, family), desired)
}

function isUsedIn(sets: Desired['sets'], family: IpFamily): IsUsed {
  return kind => (sets.get(setName(kind, family))?.size ?? 0) > 0
}

function rulesWhere(isUsed: IsUsed, { base, outFilter }: Desired): rules.Desired {
  return { base: base(isUsed), services: outFilter }
}

export interface RulePlans {
  /** Before virtual servers are added: the rules of all sets that have, or had, entries; whatever else stands stays. */
  readonly adding: Plan
  /** After virtual servers were removed: without those of sets that are empty now, and without what nobody wants. */
  readonly removing: Plan
  readonly observed: rules.Observed
}

/** All rules are compared each time: there are few. */
export function planRules(
  { desired, observed, touched, sweep }: Change<Desired, Observed>,
  { family, tools }: { readonly family: IpFamily; readonly tools: IptablesTools },
): RulePlans {
  const wanted = isUsedIn(desired.sets, family)
  const held: IsUsed = kind => (observed.sets.get(setName(kind, family))?.entries.size ?? 0) > 0
  const go = (now: rules.Observed, isUsed: IsUsed, mayRemove: boolean): { plan: Plan; after: rules.Observed } => {
    const target = rulesWhere(isUsed, desired)
    const change = { observed: now, desired: target, touched: 'everything', sweep: mayRemove } as const
    const plan = feed({ desired: target, observed: now, difference: difference(change), tools })
    return { plan, after: plan.steps.length === 0 ? now : confirm(change) }
  }
  const adding = go(observed.rules, kind => wanted(kind) || held(kind), false)
  // A trial of a few Services looks at no leftovers, which may not be swept.
  if (!sweep && touched !== 'everything') return { adding: adding.plan, removing: emptyPlan, observed: adding.after }
  const removing = go(adding.after, wanted, sweep)
  return { adding: adding.plan, removing: removing.plan, observed: removing.after }
}

/** Whether iptables mode's rules are there, ours or kube-proxy's: until they go, they translate packets before IPVS sees them. */
export function hasServiceChains({ rules }: Observed): boolean {
  for (const name of rules.nat.leaves.keys()) if (isServiceChain('nat', name)) return true
  return false
}
