// Quarantine: a Service that the kernel refuses keeps what the kernel holds for it.
import type { ServerName } from '../../kernel/ipvsadm.ts'
import type { ServiceKey } from '../../model/objects.ts'
import { replaceService } from './claims.ts'
import type { Desired, Observed, Rendered } from './state.ts'

/** What was confirmed for it, or, where nothing is known of an earlier time, what the kernel has of what it wants. */
export function holdService(desired: Desired, observed: Observed, service: ServiceKey): Desired {
  const wanted = desired.services.get(service)
  const held = observed.services.get(service) ?? (wanted === undefined ? undefined : asKernelHasIt(wanted, observed))
  replaceService(desired, service, held)
  for (const name of [...(wanted?.servers.keys() ?? []), ...(held?.servers.keys() ?? [])]) desired.dirty.servers.add(name)
  return desired
}

function asKernelHasIt(wanted: Rendered, { servers, sets, addresses, rules }: Observed): Rendered {
  const names = [...wanted.servers.keys()]
  const outFilter = rules.filter.dispatch.get('KUBE-IPVS-OUT-FILTER')?.rules
  return {
    ...wanted,
    servers: new Map(names.flatMap(name => entryOf(name, servers) ?? [])),
    entries: wanted.entries.filter(({ set, entry }) => sets.get(set)?.entries.has(entry)),
    addresses: wanted.addresses.filter(address => addresses.has(address)),
    outFilter: wanted.outFilter.filter(({ rule }) => outFilter?.has(rule)),
  }
}

function entryOf(
  name: ServerName,
  servers: Observed['servers'],
): [readonly [ServerName, NonNullable<ReturnType<Observed['servers']['get']>>]] | undefined {
  const server = servers.get(name)
  return server === undefined ? undefined : [[name, server]]
}
