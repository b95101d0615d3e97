// Iptables mode: Decisions as kube-proxy's chains. Pure; see ../mode.ts for who calls what when.
import { chainQuery, type IptablesTools, saveQuery, type Table, tableSection, tables } from '../../kernel/iptables.ts'
import type { Query } from '../../kernel/plan.ts'
import type { IpFamily } from '../../model/address.ts'
import { nodePortDestinations } from '../../model/node.ts'
import type { Extent, Mode } from '../mode.ts'
import { ruleChanges } from '../rules/changes.ts'
import { confirm } from '../rules/confirm.ts'
import { difference, isWrittenWhole } from '../rules/diff.ts'
import { driftOf, learnAliases } from '../rules/drift.ts'
import { feed } from '../rules/feed.ts'
import { parseTables, tablesReading } from '../rules/parse.ts'
import { ruleCounts } from '../rules/rule-counts.ts'
import type { Observed } from '../rules/state.ts'
import { iptablesRoles } from './base-chains.ts'
import { fates } from './fates.ts'
import { holdService } from './hold.ts'
import { iptablesMeaning } from './meaning.ts'
import { nextPacketCounterQueries, packetCounterQueries, parsePacketCounters } from './packet-counters.ts'
import { render } from './render.ts'
import type { Desired } from './state.ts'
import { tracer } from './trace.ts'

export type IptablesMode = Mode<Desired, Observed>

export function iptablesMode(family: IpFamily, tools: IptablesTools): IptablesMode {
  return {
    name: 'iptables',
    family,
    queries: extent => queries(extent, tools),
    parse: (outputs, extent, aliases) => parseTables(sections(outputs, extent), aliases, iptablesRoles),
    reading: (extent, aliases) => (queries(extent, tools).length === 1 ? tablesReading(aliases, iptablesRoles) : undefined),
    render: (desired, scope, input) => render({ desired, scope, input, family }),
    diff: change => {
      if (change.touched === 'everything') keepCommentsOfKernel(change.desired, change.observed)
      return feed({ ...change, difference: difference(change), tools })
    },
    detached: desired => ({ ...desired, services: new Map(desired.services) }),
    changes: (change, [save = '']) => ruleChanges(difference(change), { desired: change.desired, save }),
    confirm,
    hold: holdService,
    drift: driftOf,
    learnAliases,
    meaning: iptablesMeaning,
    tracer,
    fates,
    ruleCounts,
    dependsOnAddresses: (settings, node) => nodePortDestinations(settings, node, family),
    packetCounters: {
      queries: () => packetCounterQueries(tools),
      next: outputs => nextPacketCounterQueries(outputs, tools),
      parse: parsePacketCounters,
    },
  }
}

/** The chains that a packet to any Service walks first; all of filter, which holds only what is refused. */
const baseChainNames: Record<Table, readonly string[]> = {
  nat: ['PREROUTING', 'OUTPUT', 'POSTROUTING', 'KUBE-MARK-MASQ', 'KUBE-POSTROUTING', 'KUBE-SERVICES', 'KUBE-NODEPORTS'],
  filter: [
    ...['INPUT', 'FORWARD', 'OUTPUT', 'KUBE-FIREWALL', 'KUBE-FORWARD', 'KUBE-SERVICES'],
    ...['KUBE-EXTERNAL-SERVICES', 'KUBE-NODEPORTS', 'KUBE-PROXY-FIREWALL'],
  ],
}

/** Single chains are cheap to read on the nft backend only: legacy fetches the whole table for each. */
function queries(extent: Extent, tools: IptablesTools): readonly Query[] {
  if (extent === 'everything' || tools.backend === 'legacy') return [saveQuery(tools)]
  return tables.flatMap(table => baseChainNames[table].map(chain => chainQuery(tools, table, chain)))
}

/** What was printed of each table: from one save, or, in the order of `queries`, from one listing a chain. */
function sections(outputs: readonly string[], extent: Extent): { readonly nat: string; readonly filter: string } {
  const [first = ''] = outputs
  if (extent === 'everything' || outputs.length === 1)
    return { nat: tableSection(first, 'nat'), filter: tableSection(first, 'filter') }
  const split = baseChainNames.nat.length
  return { nat: outputs.slice(0, split).join('\n'), filter: outputs.slice(split).join('\n') }
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
