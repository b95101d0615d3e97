// Quarantine: a Service that the kernel refuses keeps what the kernel holds for it.
import type { ServerName, VirtualServer } from '../../kernel/ipvsadm.ts'
import type { ServiceKey } from '../../model/objects.ts'
import { replaceService } from './claims.ts'
import type { Desired, Observed, Rendered } from './state.ts'
import { draining, withFallback } from './virtual-servers.ts'

/** What was confirmed for it, or, where nothing is known of an earlier time, what the kernel has of what it wants. */
export function holdService(desired: Desired, observed: Observed, service: ServiceKey): Desired {
  const wanted = desired.services.get(service)
  const held = observed.services.get(service) ?? (wanted === undefined ? undefined : asKernelHasIt(wanted, observed))
  replaceService(desired, service, held)
  for (const name of [...(wanted?.servers.keys() ?? []), ...(held?.servers.keys() ?? [])]) desired.dirty.servers.add(name)
  return desired
}

function asKernelHasIt(wanted: Rendered, { servers, sets, addresses, rules }: Observed): Rendered {
  const outFilter = rules.filter.dispatch.get('KUBE-IPVS-OUT-FILTER')?.rules
  return {
    ...wanted,
    servers: new Map([...wanted.servers].flatMap(server => entryOf(server, servers) ?? [])),
    entries: wanted.entries.filter(({ set, entry }) => sets.get(set)?.entries.has(entry)),
    addresses: wanted.addresses.filter(address => addresses.has(address)),
    outFilter: wanted.outFilter.filter(({ rule }) => outFilter?.has(rule)),
  }
}

/** Without what drains there: that is not wanted and goes its own way. */
function entryOf(
  [name, wanted]: readonly [ServerName, VirtualServer],
  servers: Observed['servers'],
): [readonly [ServerName, VirtualServer]] | undefined {
  const server = servers.get(name)
  if (server === undefined) return undefined
  const realServers = new Map([...server.realServers].filter(([, how]) => how !== draining))
  const isFallback = realServers.size < server.realServers.size && server.options === withFallback(wanted.options)
  return [[name, { options: isFallback ? wanted.options : server.options, realServers }]]
}
