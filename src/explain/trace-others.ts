// Endpoints of the service port that get nothing of this packet's kind, with the reason.
import type { Endpoint } from '../model/endpoint.ts'
import { type Traced, whoIs } from './trace.ts'
import type { TracedOther } from './trace-object.ts'
import { isFenced } from './trace-policy.ts'

export function othersOf(traced: Traced): readonly TracedOther[] {
  const got = new Set(traced.candidates.map(({ endpoint }) => endpoint))
  return traced.endpoints
    .filter(({ hostPort }) => !got.has(hostPort))
    .map(endpoint => ({ ...whoIs(endpoint.hostPort, traced), reason: reasonAgainst(endpoint, traced) }))
}

function reasonAgainst(endpoint: Endpoint, { at, policy, endpoints, inspection, from, shares }: Traced): string {
  if (at === undefined || policy === undefined) return ''
  const { decision } = at
  const selected = policy.policy === 'Local' ? decision.local : decision.cluster
  if (selected.some(({ hostPort }) => hostPort === endpoint.hostPort)) {
    if (isFenced(at, from.address)) return 'the sender is in no source range'
    return shares.endpoints > 0 ? 'is to get connections, and the kernel sends it none' : 'none comes this far: see above'
  }
  const others = endpoints.filter(each => policy.policy === 'Cluster' || each.local)
  if (policy.policy === 'Local' && !endpoint.local) return `on another node, and ${policy.field} is Local`
  if (endpoint.terminating && endpoint.serving && others.some(({ ready }) => ready)) return 'terminating, while others are ready'
  if (endpoint.terminating) return endpoint.serving ? 'terminating' : 'terminating, and does not serve any more'
  if (!endpoint.ready) return 'not ready'
  const { zone, name } = inspection.node
  if (endpoint.nodeHints !== undefined && !endpoint.nodeHints.includes(name))
    return `hinted for node ${endpoint.nodeHints.join(', ')}`
  if (endpoint.zoneHints !== undefined && (zone === undefined || !endpoint.zoneHints.includes(zone)))
    return `hinted for zone ${endpoint.zoneHints.join(', ')}; this node is in ${zone ?? 'no known zone'}`
  return 'others come first'
}
