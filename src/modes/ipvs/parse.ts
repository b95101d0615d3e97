// What the tools printed → Observed.

import { parseSets, saveSetsQuery } from '../../kernel/ipset.ts'
import { type IptablesTools, saveQuery, tableSection } from '../../kernel/iptables.ts'
import { isServerOf, parseServers, saveServersQuery } from '../../kernel/ipvsadm.ts'
import { dummyAddressesQuery, dummyLinksQuery, hasLink, parseAddresses } from '../../kernel/link.ts'
import type { Query } from '../../kernel/plan.ts'
import type { IpFamily } from '../../model/address.ts'
import type { Aliases, Extent } from '../mode.ts'
import type { ChainRoles } from '../rules/chains.ts'
import { parseTables } from '../rules/parse.ts'
import { type SetName, serviceLink, setKinds, setName, spareSet } from './names.ts'
import type { Observed } from './state.ts'

/** The rules are few and stand for the base: all that is about sets as wholes, and nothing of single Services. */
export function queries(extent: Extent, { family, tools }: { family: IpFamily; tools: IptablesTools }): readonly Query[] {
  if (extent === 'base') return [saveQuery(tools)]
  return [saveQuery(tools), saveSetsQuery, saveServersQuery, dummyLinksQuery, dummyAddressesQuery(family)]
}

export function parse(
  [save = '', sets = '', servers = '', links = '', addresses = '', others = '']: readonly string[],
  { family, aliases, roles }: { family: IpFamily; aliases: Aliases; roles: ChainRoles },
): Observed {
  const names: ReadonlySet<string> = new Set([...setKinds.map(kind => setName(kind, family)), spareSet(family)])
  return {
    // Of our names, so they are SetNames.
    sets: parseSets(sets, name => names.has(name)) as Observed['sets'] & Map<SetName, never>,
    servers: new Map([...parseServers(servers)].filter(([name]) => isServerOf(family, name))),
    addresses: parseAddresses(addresses, serviceLink),
    hasLink: hasLink(links, serviceLink),
    linkIsShared: parseAddresses(others, serviceLink).size > 0,
    rules: parseTables({ nat: tableSection(save, 'nat'), filter: tableSection(save, 'filter') }, aliases, roles),
    services: new Map(),
  }
}
