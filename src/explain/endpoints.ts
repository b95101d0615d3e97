// Why an endpoint gets new connections from this node, or why not: a service port and its endpoints → a detail per endpoint, in their order.
// Pure. Who gets what is taken from the Decision, never thought about again; here are only the words.
import type { Endpoint } from '../model/endpoint.ts'
import { isServingTerminating } from '../model/endpoint.ts'
import type { NodeFacts } from '../model/node.ts'
import type { TrafficPolicy } from '../model/objects.ts'
import type { ServicePort } from '../model/service-port.ts'
import { type Decision, decidePort, hintsInForce, usesPolicy } from '../model/traffic-policy.ts'
import type { EndpointChance, EndpointDetail } from './services-object.ts'

export interface EndpointsQuestion {
  readonly servicePort: ServicePort
  /** All that the slices name, as `endpointsOf` gives them. */
  readonly endpoints: readonly Endpoint[]
  readonly node: NodeFacts
}

/** Shares are those of a client without affinity. */
export function explainEndpoints({ servicePort, endpoints, node }: EndpointsQuestion): readonly EndpointDetail[] {
  const decision = decidePort(servicePort, endpoints, node)
  const chanceUnder = (policy: TrafficPolicy): ((endpoint: Endpoint) => EndpointChance | null) =>
    usesPolicy(servicePort, policy) ? chances({ decision, endpoints, node, policy }) : () => null
  const [cluster, localPolicy] = [chanceUnder('Cluster'), chanceUnder('Local')]
  const [namespace] = servicePort.service.split('/')
  return endpoints.map(endpoint => ({
    endpoint: endpoint.hostPort,
    pod: endpoint.podName === undefined ? null : `${namespace}/${endpoint.podName}`,
    node: endpoint.nodeName ?? null,
    local: endpoint.local,
    ready: endpoint.ready,
    serving: endpoint.serving,
    terminating: endpoint.terminating,
    cluster: cluster(endpoint),
    localPolicy: localPolicy(endpoint),
  }))
}

interface UnderPolicy {
  readonly decision: Decision
  readonly endpoints: readonly Endpoint[]
  readonly node: NodeFacts
  readonly policy: TrafficPolicy
}

function chances({ decision, endpoints, node, policy }: UnderPolicy): (endpoint: Endpoint) => EndpointChance {
  const candidates = policy === 'Cluster' ? decision.cluster : decision.local
  const chosen = new Set(candidates)
  const ready = endpoints.filter(endpoint => endpoint.ready)
  const hints = policy === 'Cluster' ? hintsInForce(ready, node) : undefined
  return endpoint =>
    chosen.has(endpoint)
      ? { share: 1 / candidates.length, reason: null }
      : { share: 0, reason: reasonAgainst(endpoint, { policy, hints }) }
}

function reasonAgainst(
  endpoint: Endpoint,
  { policy, hints }: { readonly policy: TrafficPolicy; readonly hints: 'node' | 'zone' | undefined },
): string {
  if (policy === 'Local' && !endpoint.local) {
    const { nodeName } = endpoint
    return nodeName === undefined ? 'on no known node, and the policy is Local' : `on node ${nodeName}, and the policy is Local`
  }
  if (endpoint.ready) return hints === 'node' ? givenTo('node', endpoint.nodeHints) : givenTo('zone', endpoint.zoneHints)
  if (isServingTerminating(endpoint)) return `terminating, and ready ones exist${policy === 'Local' ? ' on this node' : ''}`
  return endpoint.terminating ? 'terminating and does not serve any more' : 'not ready'
}

function givenTo(kind: 'node' | 'zone', names: readonly string[] = []): string {
  if (names.length === 0) return `hints give it to no ${kind}`
  return `hints give it to ${kind}${names.length > 1 ? 's' : ''} ${names.join(', ')}`
}
