// Endpoints of the service port that get nothing of this packet's kind, with the reason.
import type { EndpointDetail } from './services-object.ts'
import type { Traced } from './trace.ts'
import type { TracedOther } from './trace-object.ts'
import { isFenced } from './trace-policy.ts'

export function othersOf(traced: Traced): readonly TracedOther[] {
  const { at, candidates, details } = traced
  if (at === undefined) return []
  const got = new Set(candidates.map(({ endpoint }) => endpoint))
  return [...details.values()]
    .filter(({ endpoint }) => !got.has(endpoint))
    .map(detail => {
      const { endpoint, pod, node } = detail
      return { endpoint, pod, node, reason: reasonAgainst(detail, traced) }
    })
}

function reasonAgainst({ cluster, localPolicy }: EndpointDetail, { at, policy, from, shares }: Traced): string {
  const chance = policy?.policy === 'Local' ? localPolicy : cluster
  if (chance?.reason !== undefined && chance.reason !== null) return chance.reason
  if (at !== undefined && isFenced(at, from.address)) return 'the sender is in no source range'
  return shares.endpoints > 0 ? 'is to get connections, and the kernel sends it none' : 'none comes this far: see above'
}
