// Where the kernel sends packets, each place once, and whether that is where the Service wants them: a place may be none of its endpoints, or one that is
// to get no connections, where rules are stale or others'.
import { type Endpoint, isServingTerminating } from '../model/endpoint.ts'
import type { Branch } from '../modes/trace.ts'
import type { PortAt } from './addresses.ts'
import type { EndpointDetail } from './services-object.ts'
import type { TracedCandidate } from './trace-object.ts'
import type { Policy } from './trace-policy.ts'

export interface CandidateFacts {
  readonly at: PortAt | undefined
  readonly policy: Policy | undefined
  /** All that the slices name for the service port, by `hostPort`. */
  readonly endpoints: ReadonlyMap<string, Endpoint>
  readonly details: ReadonlyMap<string, EndpointDetail>
}

/** Each endpoint once: several rules may lead to it. */
export function candidatesOf(branches: readonly Branch[], facts: CandidateFacts): readonly TracedCandidate[] {
  const found = new Map<string, TracedCandidate>()
  for (const { endpoint, probability, weight = null, masquerade } of branches) {
    if (endpoint === undefined) continue
    const before = found.get(endpoint)
    const detail = facts.details.get(endpoint)
    found.set(endpoint, {
      ...{ endpoint, pod: detail?.pod ?? null, node: detail?.node ?? null },
      probability: probability + (before?.probability ?? 0),
      weight: before?.weight ?? weight,
      masquerade: masquerade !== undefined || before?.masquerade === true,
      ...judged(endpoint, facts),
    })
  }
  return [...found.values()]
}

function judged(
  hostPort: string,
  { at, policy, endpoints, details }: CandidateFacts,
): Required<Pick<TracedCandidate, 'wanted' | 'note'>> {
  if (at === undefined || policy === undefined) return { wanted: null, note: null }
  const [endpoint, detail] = [endpoints.get(hostPort), details.get(hostPort)]
  if (endpoint === undefined || detail === undefined) return { wanted: false, note: `no endpoint of ${at.servicePort.name}` }
  const chance = policy.policy === 'Local' ? detail.localPolicy : detail.cluster
  // Where nothing tells pods from others, they are treated as clients outside.
  const isOfLocal = policy.words.includes(' Local') && (detail.localPolicy?.share ?? 0) > 0
  if (chance !== null && chance.share === 0 && !isOfLocal) return { wanted: false, note: chance.reason }
  if (!isServingTerminating(endpoint) || endpoint.ready) return { wanted: true, note: null }
  return { wanted: true, note: `terminating, and none is ready${policy.policy === 'Local' ? ' on this node' : ''}` }
}
