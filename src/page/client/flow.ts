// A port of a Service → what its picture says: who reaches which address, under which policy, and which endpoints that gives. Pure.
import type { ClientFate, EndpointDetail, ServicePortDetail } from '../../explain/services-object.ts'

export type Client = 'pod' | 'node' | 'outside'
export type Outcome = 'Cluster' | 'Local' | 'refused' | 'dropped' | 'untouched'

export interface FlowAddress {
  readonly address: string
  readonly kind: string
  readonly sourceRanges: readonly string[]
  /** Each outcome once, with those who meet it. */
  readonly fates: readonly { readonly outcome: Outcome; readonly clients: readonly Client[] }[]
}

export interface FlowEndpoint {
  readonly endpoint: string
  readonly pod: string | null
  readonly node: string | null
  readonly local: boolean
  /** Of new connections under each policy that counts here, where it gets any. */
  readonly shares: readonly { readonly policy: 'Cluster' | 'Local'; readonly share: number }[]
  /** Why not, or not under a policy. */
  readonly reasons: readonly string[]
}

export interface Flow {
  readonly clients: readonly Client[]
  readonly addresses: readonly FlowAddress[]
  readonly outcomes: readonly Outcome[]
  readonly chosen: readonly FlowEndpoint[]
  readonly others: readonly FlowEndpoint[]
}

const clientOrder: readonly Client[] = ['pod', 'node', 'outside']
const outcomeOrder: readonly Outcome[] = ['Cluster', 'Local', 'refused', 'dropped', 'untouched']

export function flowOf({ addresses, endpoints }: ServicePortDetail): Flow {
  const found = addresses.map(({ address, kind, sourceRanges, fates }): FlowAddress => {
    const met = outcomeOrder.map(outcome => ({
      outcome,
      clients: clientOrder.filter(client => fates.some(each => each.client === client && outcomeOf(each.fate) === outcome)),
    }))
    return { address, kind, sourceRanges, fates: met.filter(({ clients }) => clients.length > 0) }
  })
  const used = found.flatMap(({ fates }) => fates)
  const outcomes = outcomeOrder.filter(outcome => used.some(fate => fate.outcome === outcome))
  const all = endpoints.map(each => flowEndpoint(each, outcomes))
  return {
    clients: clientOrder.filter(client => used.some(({ clients }) => clients.includes(client))),
    addresses: found,
    outcomes,
    chosen: all.filter(({ shares }) => shares.length > 0),
    others: all.filter(({ shares }) => shares.length === 0),
  }
}

function outcomeOf(fate: ClientFate): Outcome {
  return typeof fate === 'string' ? fate : fate.to
}

function flowEndpoint(detail: EndpointDetail, outcomes: readonly Outcome[]): FlowEndpoint {
  const { endpoint, pod, node, local, cluster, localPolicy } = detail
  const chances = [
    { policy: 'Cluster', chance: cluster },
    { policy: 'Local', chance: localPolicy },
  ] as const
  const counted = chances.flatMap(({ policy, chance }) =>
    chance === null || !outcomes.includes(policy) ? [] : [{ policy, ...chance }],
  )
  const shares = counted.filter(({ share }) => share > 0).map(({ policy, share }) => ({ policy, share }))
  // Where no policy counts, what either says is all that is known.
  const said =
    counted.length > 0 ? counted : chances.flatMap(({ policy, chance }) => (chance === null ? [] : [{ policy, ...chance }]))
  const not = said.flatMap(({ policy, share, reason }) => (share > 0 || reason === null ? [] : [{ policy, reason }]))
  const same = new Set(not.map(({ reason }) => reason)).size < 2
  const reasons =
    same && shares.length === 0
      ? not.slice(0, 1).map(({ reason }) => reason)
      : not.map(each => `not under ${each.policy}: ${each.reason}`)
  return { endpoint, pod, node, local, shares, reasons }
}
