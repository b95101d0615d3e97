// The one place that decides which endpoints get which traffic: ServicePort + endpoints + this node → Decision.
// A mode translates a Decision into kernel state and decides nothing itself.
// Sources: Kubernetes' documentation of traffic policies, terminating endpoints (KEP-1669) and topology hints (KEP-2433, KEP-3015);
// where it is silent, what kube-proxy 1.36 programs (test/golden).
import type { IpFamily } from './address.ts'
import { type Endpoint, endpointsOf, isServingTerminating } from './endpoint.ts'
import type { NodeFacts } from './node.ts'
import type { EndpointSlice, Service, TrafficPolicy } from './objects.ts'
import { isExternallyAccessible, type ServicePort, servicePorts } from './service-port.ts'

/** What happens to a new connection: balanced over the endpoints of a policy, refused with an answer, or dropped in silence. */
export type Fate = { readonly to: TrafficPolicy } | 'reject' | 'drop'

export interface Decision {
  readonly servicePort: ServicePort
  /** How many endpoints the slices name, ready or not. */
  readonly totalEndpoints: number
  /** Who gets traffic under policy Cluster; empty where nothing uses that policy. */
  readonly cluster: readonly Endpoint[]
  /** Who gets traffic under policy Local, all on this node; empty where nothing uses that policy. */
  readonly local: readonly Endpoint[]
  /** The union of both, in order: every endpoint that this node may send a connection to. */
  readonly reachable: readonly Endpoint[]
  /** `address:port` of those that the slices name and that get no new connections from this node: they may still have some. */
  readonly unselected: readonly string[]
  /** Connections to the cluster IP. */
  readonly internal: Fate
  /**
   * Connections from outside to node ports, external and load balancer addresses. Pods and the node itself reach these
   * addresses under policy Cluster, whatever externalTrafficPolicy says: they need not go out to a load balancer and back.
   */
  readonly external: Fate
}

/** One Decision per port of the Service in this family; none where the Service is not ours. */
export function decide(options: {
  readonly service: Service
  readonly slices: readonly EndpointSlice[]
  readonly family: IpFamily
  readonly node: NodeFacts
}): readonly Decision[] {
  const { service, slices, family, node } = options
  return servicePorts(service, family).map(servicePort =>
    decidePort(servicePort, endpointsOf(servicePort, slices, node.name), node),
  )
}

/** Whether any endpoint, here or on another node, can take a connection: without one everything is refused. */
export function hasEndpoints(decision: Decision): boolean {
  return decision.internal !== 'reject' && decision.external !== 'reject'
}

export function decidePort(servicePort: ServicePort, endpoints: readonly Endpoint[], node: NodeFacts): Decision {
  const cluster = usesClusterPolicy(servicePort) ? clusterEndpoints(endpoints, node) : []
  const local = usesLocalPolicy(servicePort) ? localEndpoints(endpoints) : []
  const usableAnywhere = cluster.length > 0 || (usesLocalPolicy(servicePort) && endpoints.some(isUsable))
  const fate = (policy: TrafficPolicy): Fate => {
    if (!usableAnywhere) return 'reject'
    return policy === 'Local' && local.length === 0 ? 'drop' : { to: policy }
  }
  const reachable = union(endpoints, cluster, local)
  return {
    servicePort,
    totalEndpoints: endpoints.length,
    cluster,
    local,
    reachable,
    unselected: reachable.length === endpoints.length ? none : unselected(endpoints, reachable),
    internal: fate(servicePort.internalTrafficPolicy),
    external: fate(servicePort.externalTrafficPolicy),
  }
}

/** Whether any address of the service port is served by that policy: the Decision's list of one that is not is empty. */
export function usesPolicy(servicePort: ServicePort, policy: TrafficPolicy): boolean {
  return policy === 'Cluster' ? usesClusterPolicy(servicePort) : usesLocalPolicy(servicePort)
}

/** External addresses need policy Cluster even under externalTrafficPolicy Local: pods and the node use it. */
function usesClusterPolicy(servicePort: ServicePort): boolean {
  return servicePort.internalTrafficPolicy === 'Cluster' || isExternallyAccessible(servicePort)
}

function usesLocalPolicy(servicePort: ServicePort): boolean {
  return (
    servicePort.internalTrafficPolicy === 'Local' ||
    (servicePort.externalTrafficPolicy === 'Local' && isExternallyAccessible(servicePort))
  )
}

/** Ready endpoints that the topology hints give to this node; where none is ready, those that terminate but still serve, anywhere. */
function clusterEndpoints(endpoints: readonly Endpoint[], node: NodeFacts): readonly Endpoint[] {
  const ready = endpoints.filter(endpoint => endpoint.ready)
  const hinted = hintedEndpoints(ready, node)
  return hinted.length > 0 ? hinted : endpoints.filter(isServingTerminating)
}

function localEndpoints(endpoints: readonly Endpoint[]): readonly Endpoint[] {
  const here = endpoints.filter(endpoint => endpoint.local)
  const ready = here.filter(endpoint => endpoint.ready)
  return ready.length > 0 ? ready : here.filter(isServingTerminating)
}

function union(inOrder: readonly Endpoint[], ...selections: readonly (readonly Endpoint[])[]): readonly Endpoint[] {
  const [only, ...others] = selections.filter(selection => selection.length > 0)
  if (only === undefined || others.length === 0) return only ?? []
  const selected = new Set(selections.flat())
  return inOrder.filter(endpoint => selected.has(endpoint))
}

const none: readonly string[] = Object.freeze([])

function unselected(endpoints: readonly Endpoint[], reachable: readonly Endpoint[]): readonly string[] {
  const selected = new Set(reachable)
  return endpoints.filter(endpoint => !selected.has(endpoint)).map(({ hostPort }) => hostPort)
}

function isUsable(endpoint: Endpoint): boolean {
  return endpoint.ready || isServingTerminating(endpoint)
}

/**
 * Hints are followed only where every ready endpoint has one of that kind and at least one names this node (or its zone):
 * a partial set means that the control plane is still writing, and following it would overload or starve someone.
 * Node hints come before zone hints (trafficDistribution PreferSameNode falls back to the zone).
 */
export function hintsInForce(ready: readonly Endpoint[], node: NodeFacts): 'node' | 'zone' | undefined {
  const follows = (hintsOf: (endpoint: Endpoint) => readonly string[] | undefined, wanted: string): boolean =>
    ready.every(endpoint => hintsOf(endpoint) !== undefined) && ready.some(endpoint => hintsOf(endpoint)?.includes(wanted))
  if (follows(endpoint => endpoint.nodeHints, node.name)) return 'node'
  return node.zone !== undefined && follows(endpoint => endpoint.zoneHints, node.zone) ? 'zone' : undefined
}

function hintedEndpoints(ready: readonly Endpoint[], node: NodeFacts): readonly Endpoint[] {
  const { name, zone } = node
  switch (hintsInForce(ready, node)) {
    case 'node':
      return ready.filter(endpoint => endpoint.nodeHints?.includes(name))
    case 'zone':
      return ready.filter(endpoint => zone !== undefined && endpoint.zoneHints?.includes(zone))
    case undefined:
      return ready
  }
}
