// What news of endpoints means for real servers that drain: an endpoint that left its slices, came back to one, or whose address is another's now.
import type { RealServerName } from '../../kernel/ipvsadm.ts'
import type { ServiceKey } from '../../model/objects.ts'
import type { Desired, Rendered } from './state.ts'

/**
 * To be told before the Service's new state is put into `desired`. Servers of the Service that drain are looked at anew. An endpoint that is new in
 * a Service, and whose address and port drain in another as gone, is another pod: its connections are not those of the old one.
 */
export function noticeEndpoints(
  desired: Desired,
  key: ServiceKey,
  { before, after }: { readonly before: Rendered | undefined; readonly after: Rendered | undefined },
): void {
  if (desired.draining.size === 0) return
  for (const name of before?.servers.keys() ?? []) if (desired.draining.has(name)) desired.dirty.servers.add(name)
  const known = new Set(before?.endpoints)
  for (const endpoint of after?.endpoints ?? []) if (!known.has(endpoint)) endDrainsOf(desired, key, endpoint)
}

function endDrainsOf(desired: Desired, key: ServiceKey, endpoint: RealServerName): void {
  for (const [name, realServers] of desired.draining) {
    const draining = realServers.get(endpoint)
    if (draining?.goneSince === undefined || draining.service === key) continue
    realServers.set(endpoint, { ...draining, over: true })
    desired.dirty.servers.add(name)
  }
}
