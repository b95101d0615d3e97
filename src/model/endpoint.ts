// The endpoints of one service port: what its slices say together, once each, in a stable order.
import { type Address, hostPort } from './address.ts'
import type { EndpointSlice, SliceEndpoint } from './objects.ts'
import type { ServicePort } from './service-port.ts'
import { copyText } from './text.ts'

export interface Endpoint {
  readonly address: Address
  readonly port: number
  /** `address:port`, IPv6 in brackets: the identity of an endpoint, its sort key, and what chain names hash. */
  readonly hostPort: string
  /** On this node. */
  readonly local: boolean
  readonly nodeName: string | undefined
  /** In the namespace of the Service. */
  readonly podName: string | undefined
  readonly ready: boolean
  readonly serving: boolean
  readonly terminating: boolean
  readonly zoneHints: readonly string[] | undefined
  readonly nodeHints: readonly string[] | undefined
}

/**
 * All endpoints of a service port, ready or not, sorted by `address:port` as text (kube-proxy's order).
 * A slice port belongs to the service port when name and protocol are the same, so target ports may differ per slice.
 * An endpoint that stands in several slices counts once: the readiest mention wins, since a moving endpoint may linger in the old slice.
 */
export function endpointsOf(servicePort: ServicePort, slices: readonly EndpointSlice[], nodeName: string): readonly Endpoint[] {
  const found = new Map<string, Endpoint>()
  for (const slice of slices) {
    if (slice.family !== servicePort.family) continue
    for (const { name, protocol, port } of slice.ports) {
      if (name !== servicePort.portName || protocol !== servicePort.protocol) continue
      for (const sliceEndpoint of slice.endpoints) {
        const endpoint = toEndpoint(sliceEndpoint, port, nodeName)
        const other = found.get(endpoint.hostPort)
        if (other === undefined || preference(endpoint) > preference(other)) found.set(endpoint.hostPort, endpoint)
      }
    }
  }
  return [...found.values()].sort((a, b) => (a.hostPort < b.hostPort ? -1 : 1))
}

/** Still answers although its pod is going away: what traffic falls back to where nothing is ready. */
export function isServingTerminating(endpoint: Endpoint): boolean {
  return endpoint.serving && endpoint.terminating
}

function toEndpoint(endpoint: SliceEndpoint, port: number, nodeName: string): Endpoint {
  // Field by field: V8 keeps what is spread in two objects, and there may be a quarter of a million.
  return {
    address: endpoint.address,
    port,
    hostPort: copyText(hostPort(endpoint.address, port)),
    local: endpoint.nodeName === nodeName,
    nodeName: endpoint.nodeName,
    podName: endpoint.podName,
    ready: endpoint.ready,
    serving: endpoint.serving,
    terminating: endpoint.terminating,
    zoneHints: endpoint.zoneHints,
    nodeHints: endpoint.nodeHints,
  }
}

function preference(endpoint: Endpoint): number {
  return (endpoint.ready ? 4 : 0) + (isServingTerminating(endpoint) ? 2 : 0) + (endpoint.local ? 1 : 0)
}
