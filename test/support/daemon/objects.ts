// Objects of a test's cluster, as an API server would return them. Addresses follow from small numbers.

export type Manifest = Readonly<Record<string, unknown>>

export interface WebOptions {
  readonly name: string
  readonly namespace?: string
  /** Decides the cluster IP: 10.96.0.NUMBER, from 256 on 10.96.1.0 and so on. */
  readonly number: number
  /** Endpoints' addresses. */
  readonly endpoints: readonly string[]
  /** Addresses of endpoints that are there and not ready. */
  readonly notReady?: readonly string[]
  readonly annotations?: Readonly<Record<string, string>>
  /** A load balancer's address, as its controller has noted it in the status. */
  readonly loadBalancer?: string
  readonly spec?: Manifest
}

const usualPort = { name: 'http', port: 80, targetPort: 8080, protocol: 'TCP' }

/** A Service with one port, `http` 80 → 8080, and its EndpointSlice. */
export function web({ name, namespace = 'default', number, spec = {}, ...rest }: WebOptions): readonly Manifest[] {
  const { endpoints, notReady = [], annotations, loadBalancer } = rest
  const address = `10.96.${number >> 8}.${number & 255}`
  return [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace, ...(annotations && { annotations }) },
      spec: { clusterIP: address, ports: [usualPort], ...spec },
      ...(loadBalancer !== undefined && { status: { loadBalancer: { ingress: [{ ip: loadBalancer }] } } }),
    },
    slice({ name, namespace, endpoints, notReady, addressType: 'IPv4', ports: portsOf(spec) }),
  ]
}

interface PortOfService {
  readonly name: string
  readonly targetPort: number
  readonly protocol: string
}

function portsOf(spec: Manifest): readonly Manifest[] {
  const ports = (spec['ports'] ?? [usualPort]) as readonly PortOfService[]
  return ports.map(({ name, targetPort: port, protocol }) => ({ name, port, protocol }))
}

/** The same with IPv6 addresses: fd00:10:96::NUMBER. */
export function web6(options: WebOptions): readonly Manifest[] {
  const clusterIP = `fd00:10:96::${options.number.toString(16)}`
  const [service] = web({ ...options, spec: { ...options.spec, clusterIP, ipFamilies: ['IPv6'] } })
  const { name, namespace = 'default', endpoints, notReady = [] } = options
  return [service ?? {}, slice({ name, namespace, endpoints, notReady, addressType: 'IPv6', ports: portsOf(options.spec ?? {}) })]
}

/** As many Services as asked for, each with as many endpoints, all addresses different: web-0 ... */
export function manyWebs(services: number, endpointsEach: number): readonly Manifest[] {
  const endpoints = (index: number): readonly string[] =>
    Array.from({ length: endpointsEach }, (_, endpoint) => podAddress(index * endpointsEach + endpoint))
  return Array.from({ length: services }, (_, index) =>
    web({ name: `web-${index}`, number: index + 10, endpoints: endpoints(index) }),
  ).flat()
}

/** The pod address with this number, from 0 on. */
export function podAddress(number: number): string {
  return `10.244.${number >> 8}.${number & 255}`
}

interface SliceOptions {
  readonly name: string
  readonly namespace: string
  readonly endpoints: readonly string[]
  readonly notReady: readonly string[]
  readonly addressType: string
  readonly ports: readonly Manifest[]
}

function slice({ name, namespace, endpoints, notReady, addressType, ports }: SliceOptions): Manifest {
  const endpoint = (address: string, ready: boolean): Manifest => ({
    addresses: [address],
    conditions: { ready },
    nodeName: 'node1',
  })
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `${name}-1`, namespace, labels: { 'kubernetes.io/service-name': name } },
    addressType,
    endpoints: [...endpoints.map(address => endpoint(address, true)), ...notReady.map(address => endpoint(address, false))],
    ports,
  }
}
