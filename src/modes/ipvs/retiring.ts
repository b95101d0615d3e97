// What is left of ipvs mode when another mode has taken over, ours or kube-proxy's: it keeps its connections until they end or a deadline comes, and
// then goes without a trace. New connections never see it, since the other mode's rules translate them before IPVS does.
// A mode like any other, which wants no Service; with a deadline of 0 it is the part of `switchyard cleanup` that is about IPVS.

import { destroySet, restoreSetsArgv } from '../../kernel/ipset.ts'
import type { IptablesTools } from '../../kernel/iptables.ts'
import { batchArgv, deleteLink, dummyAddressesQuery } from '../../kernel/link.ts'
import { emptyPlan, type Plan, type Step } from '../../kernel/plan.ts'
import { type IpFamily, ofFamily } from '../../model/address.ts'
import type { Change, Mode, RenderInput } from '../mode.ts'
import { chainRoles, ipvsGuardChains } from '../rules/chains.ts'
import { ruleChanges } from '../rules/changes.ts'
import { confirm as confirmRules } from '../rules/confirm.ts'
import { difference as rulesDifference } from '../rules/diff.ts'
import { feed as feedRules } from '../rules/feed.ts'
import { ipvsGuardJumps, noLocalEndpointsJump } from '../rules/jumps.ts'
import type * as rules from '../rules/state.ts'
import { differenceChanges, linkGone, setsGone } from './changes.ts'
import { confirm } from './confirm.ts'
import { difference } from './diff.ts'
import { drainContract } from './drain-contract.ts'
import { feed } from './feed.ts'
import { serviceLink } from './names.ts'
import { parse, queries } from './parse.ts'
import { addressFacts, startOver } from './render.ts'
import type { Desired, Observed } from './state.ts'
import { tracer } from './trace.ts'

export type RetiringIpvsMode = Mode<Desired, Observed>

export interface RetiringOptions {
  readonly family: IpFamily
  readonly tools: IptablesTools
  /** How long connections may go on. */
  readonly deadlineMs: number
}

/** All else is the business of the mode that took over. */
const guardRoles = chainRoles({ dispatch: {}, leaveAlone: (_, name) => !ipvsGuardChains.some(chain => chain === name) })

export function retiringIpvsMode({ family, tools, deadlineMs }: RetiringOptions): RetiringIpvsMode {
  return {
    name: 'retiring ipvs',
    family,
    queries: () => [...queries('everything', { family, tools }), dummyAddressesQuery(family === 'IPv4' ? 'IPv6' : 'IPv4')],
    parse: (outputs, _, aliases) => parse(outputs, { family, aliases, roles: guardRoles }),
    render: (desired, _, input) => wantNothing(desired, { input, family, deadlineMs }),
    diff: change => plan(change, { family, tools }),
    changes: (change, outputs) => changes(change, { family, outputs }),
    confirm: change => confirmRetiring(change, family),
    hold: desired => desired,
    drift: () => [],
    learnAliases: () => new Map(),
    meaning: ({ what }) => what,
    tracer: outputs => tracer(outputs, family),
    // What another mode left takes no new connection.
    fates: () => ({ pod: 'untouched', node: 'untouched', outside: 'untouched' }),
    ruleCounts: () => ({}),
    dependsOnAddresses: (_, node) => ofFamily(node.interfaceAddresses, family),
    draining: drainContract(family),
  }
}

interface Wanting {
  readonly input: RenderInput
  readonly family: IpFamily
  readonly deadlineMs: number
}

function wantNothing(before: Desired | undefined, { input, family, deadlineMs }: Wanting): Desired {
  if (before !== undefined) return before
  const facts = { settings: input.settings.ipvs, ...addressFacts(input, family), retiringMs: deadlineMs }
  return startOver(undefined, { base: () => noRules.base, ...facts })
}

/** The chains that guard the addresses go with the last of these. */
const noRules: rules.Desired = {
  base: { leaves: [], dispatch: [], create: [], shared: [], unwanted: [...ipvsGuardJumps, noLocalEndpointsJump] },
  services: new Map(),
}

/** Whether no connection is left: then sets, guards and the link go as well. */
function isFinished({ servers }: Desired): boolean {
  return servers.size === 0
}

function plan(change: Change<Desired, Observed>, context: { readonly family: IpFamily; readonly tools: IptablesTools }): Plan {
  const { desired, observed } = change
  const found = { ...difference(change, context.family), sets: [], spareIsLeft: false, createLink: false }
  const finished = isFinished(desired)
  const ruleChange = rulesChange(observed)
  const guards = feedRules({ ...ruleChange, difference: rulesDifference(ruleChange), tools: context.tools })
  return feed({
    family: context.family,
    difference: found,
    desired,
    rules: { adding: emptyPlan, removing: finished ? withLastSteps(guards, observed) : emptyPlan },
    takesOver: false,
    whole: change.touched === 'everything',
  })
}

function changes(change: Change<Desired, Observed>, read: { readonly family: IpFamily; readonly outputs: readonly string[] }) {
  const { desired, observed } = change
  const found = { ...difference(change, read.family), sets: [], spareIsLeft: false, createLink: false }
  const going = differenceChanges(found, change)
  if (!isFinished(desired)) return going
  const ruleChange = rulesChange(observed)
  const guards = ruleChanges(rulesDifference(ruleChange), { desired: noRules, save: read.outputs[0] ?? '' })
  return [...going, ...guards, ...setsGone(observed), ...(observed.hasLink && !observed.linkIsShared ? [linkGone] : [])]
}

function rulesChange({ rules: held }: Observed): Change<rules.Desired, rules.Observed> {
  return { observed: held, desired: noRules, touched: 'everything', sweep: true }
}

/** A set can go only when no rule uses it. */
function withLastSteps(guards: Plan, { sets, hasLink, linkIsShared }: Observed): Plan {
  const last: Step[] = []
  const lines = [...sets.keys()].map(destroySet)
  if (lines.length > 0)
    last.push({ why: `destroy ${lines.length} sets`, argv: restoreSetsArgv, input: [{ owner: undefined, lines }] })
  const link = [{ owner: undefined, lines: [deleteLink(serviceLink)] }]
  if (hasLink && !linkIsShared) last.push({ why: `delete ${serviceLink}`, argv: batchArgv, input: link })
  return { ...guards, steps: [...guards.steps, ...last], removed: guards.removed + lines.length }
}

function confirmRetiring(change: Change<Desired, Observed>, family: IpFamily): Observed {
  const { desired, observed } = change
  if (!isFinished(desired)) return { ...confirm(change, family, observed.rules), hasLink: observed.hasLink }
  const rulesNow = confirmRules(rulesChange(observed))
  desired.draining.clear()
  return { ...observed, sets: new Map(), servers: new Map(), addresses: new Set(), hasLink: false, rules: rulesNow }
}
