// Iptables mode: Decisions as kube-proxy's chains. Pure; see ../mode.ts for who calls what when.
import { chainQuery, type IptablesTools, saveQuery } from '../../kernel/iptables.ts'
import type { Query } from '../../kernel/plan.ts'
import type { IpFamily } from '../../model/address.ts'
import type { Extent, Mode } from '../mode.ts'
import { confirm } from './confirm.ts'
import { difference, isWrittenWhole } from './diff.ts'
import { driftOf, learnAliases } from './drift.ts'
import { feed } from './feed.ts'
import { holdService } from './hold.ts'
import { parseTables } from './parse.ts'
import { render } from './render.ts'
import type { Desired, Observed } from './state.ts'

export type IptablesMode = Mode<Desired, Observed>

export function iptablesMode(family: IpFamily, tools: IptablesTools): IptablesMode {
  return {
    name: 'iptables',
    family,
    queries: extent => queries(extent, tools),
    parse: (outputs, _extent, aliases) => parseTables({ nat: outputs.slice(1).join('\n'), filter: outputs[0] ?? '' }, aliases),
    render: (desired, scope, input) => render({ desired, scope, input, family }),
    diff: change => {
      if (change.touched === 'everything') keepCommentsOfKernel(change.desired, change.observed)
      return feed({ ...change, difference: difference(change), tools })
    },
    confirm,
    hold: holdService,
    drift: driftOf,
    learnAliases,
  }
}

/** The nat chains that a packet to any Service walks first. */
const baseNatChains = [
  'PREROUTING',
  'OUTPUT',
  'POSTROUTING',
  'KUBE-MARK-MASQ',
  'KUBE-POSTROUTING',
  'KUBE-SERVICES',
  'KUBE-NODEPORTS',
]

/** The filter table is small: it holds only what is refused. */
function queries(extent: Extent, tools: IptablesTools): readonly Query[] {
  const nat = extent === 'everything' ? [saveQuery(tools, 'nat')] : baseNatChains.map(chain => chainQuery(tools, 'nat', chain))
  return [saveQuery(tools, 'filter'), ...nat]
}

/**
 * After a restart near the border of 1,000 endpoints the kernel may hold a Service's chains with comments where we would
 * leave them out, or the reverse. That is the same rule, so it is no reason to write it.
 */
function keepCommentsOfKernel(desired: Desired, observed: Observed): void {
  for (const [key, rendered] of desired.services) {
    const [anyChain] = rendered.leaves.keys()
    if (anyChain === undefined || !observed.nat.leaves.has(anyChain)) continue
    const other = isWrittenWhole(observed, rendered) ? undefined : rendered.otherComments?.()
    if (other !== undefined && isWrittenWhole(observed, other)) desired.services.set(key, other)
  }
}
