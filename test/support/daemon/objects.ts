// Objects of a test's cluster, as an API server would return them. Addresses follow from small numbers.

export type Manifest = Readonly<Record<string, unknown>>

export interface WebOptions {
  readonly name: string
  readonly namespace?: string
  /** Decides the cluster IP: 10.96.0.NUMBER, from 256 on 10.96.1.0 and so on. */
  readonly number: number
  /** Endpoints' addresses. */
  readonly endpoints: readonly string[]
  readonly spec?: Manifest
}

/** A Service with one port, `http` 80 → 8080, and its EndpointSlice. */
export function web({ name, namespace = 'default', number, endpoints, spec = {} }: WebOptions): readonly Manifest[] {
  const address = `10.96.${number >> 8}.${number & 255}`
  return [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace },
      spec: { clusterIP: address, ports: [{ name: 'http', port: 80, targetPort: 8080, protocol: 'TCP' }], ...spec },
    },
    slice({ name, namespace, endpoints, addressType: 'IPv4' }),
  ]
}

/** The same with IPv6 addresses: fd00:10:96::NUMBER. */
export function web6(options: WebOptions): readonly Manifest[] {
  const clusterIP = `fd00:10:96::${options.number.toString(16)}`
  const [service] = web({ ...options, spec: { ...options.spec, clusterIP, ipFamilies: ['IPv6'] } })
  const { name, namespace = 'default', endpoints } = options
  return [service ?? {}, slice({ name, namespace, endpoints, addressType: 'IPv6' })]
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

function slice(options: { name: string; namespace: string; endpoints: readonly string[]; addressType: string }): Manifest {
  const { name, namespace, endpoints, addressType } = options
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `${name}-1`, namespace, labels: { 'kubernetes.io/service-name': name } },
    addressType,
    endpoints: endpoints.map(address => ({ addresses: [address], conditions: { ready: true }, nodeName: 'node1' })),
    ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
  }
}
