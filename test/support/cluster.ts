// Clusters made by hand or at random, as decoded objects: builders whose defaults are the plainest thing that works, and fast-check arbitraries.
// Takes what a test is about, fills in the rest. Random values keep what the decoder promises (unique ports, one cluster IP a family).
import fc from 'fast-check'
import { type Address, type Cidr, type IpFamily, parseAddress, parseCidr } from '../../src/model/address.ts'
import type { NodeFacts, TrafficSettings } from '../../src/model/node.ts'
import type {
  ClusterObject,
  EndpointSlice,
  ObjectName,
  Protocol,
  Service,
  ServiceKey,
  ServiceSpecPort,
  SliceEndpoint,
} from '../../src/model/objects.ts'
import { serviceKey } from '../../src/model/objects.ts'
import { type ObjectChange, objectId } from '../../src/source/source.ts'

// --- by hand ---

export function address(text: string): Address {
  const parsed = parseAddress(text)
  if (parsed === undefined) throw new TypeError(`not an address: ${text}`)
  return parsed
}

export function cidr(text: string): Cidr {
  const parsed = parseCidr(text)
  if (parsed === undefined) throw new TypeError(`not a CIDR: ${text}`)
  return parsed
}

export const node: NodeFacts = {
  name: 'node1',
  zone: 'zone-a',
  addresses: ['10.200.1.2', 'fd00:200:1::2'].map(address),
  podCidrs: ['10.244.1.0/24', 'fd00:10:244:1::/64'].map(cidr),
  interfaceAddresses: ['127.0.0.1', '::1', '10.200.1.2', 'fd00:200:1::2'].map(address),
}

/** KubeProxyConfiguration's defaults, with a cluster CIDR. */
export const settings: TrafficSettings = {
  masqueradeAll: false,
  masqueradeMark: 0x4000,
  localhostNodePorts: true,
  nodePortAddresses: 'all',
  detectLocal: { mode: 'ClusterCIDR', cidrs: ['10.244.0.0/16', 'fd00:10:244::/56'].map(cidr) },
  tcpBeLiberal: false,
  dispatch: 'auto',
  ipvs: { scheduler: 'rr', excludeCidrs: [], strictArp: false, drainDeadlineMs: 900_000, drainGoneDeadlineMs: 120_000 },
}

export type ServiceFields = Partial<Omit<Service, 'name' | 'namespace'>> & { readonly name?: string; readonly namespace?: string }

/** `default/web`: TCP 80 on 10.96.0.7. */
export function service({ name = 'web', namespace = 'default', ...fields }: ServiceFields = {}): Service {
  return {
    kind: 'Service',
    uid: '',
    type: 'ClusterIP',
    headless: false,
    serviceProxyName: undefined,
    clusterIPs: [address('10.96.0.7')],
    ipFamilies: ['IPv4'],
    externalIPs: [],
    loadBalancerAddresses: [],
    loadBalancerSourceRanges: [],
    externalTrafficPolicy: 'Cluster',
    internalTrafficPolicy: 'Cluster',
    affinityTimeoutSeconds: undefined,
    healthCheckNodePort: 0,
    ports: [{ name: '', protocol: 'TCP', port: 80, nodePort: 0 }],
    annotations: undefined,
    ...fields,
    name: name as ObjectName,
    namespace: namespace as ObjectName,
  }
}

export type SliceFields = Partial<Omit<EndpointSlice, 'name' | 'service' | 'endpoints'>> & {
  readonly name?: string
  /** Of namespace `default` where it has no slash. */
  readonly service?: string
  readonly endpoints?: readonly SliceEndpoint[]
}

/** `default/web-abc` of `default/web`: IPv4, TCP 8080. */
export function slice({ name = 'web-abc', service: owner = 'web', ...fields }: SliceFields = {}): EndpointSlice {
  const [namespace, serviceName] = owner.includes('/') ? owner.split('/') : ['default', owner]
  return {
    kind: 'EndpointSlice',
    uid: '',
    family: 'IPv4',
    ports: [{ name: '', protocol: 'TCP', port: 8080 }],
    endpoints: [],
    lastChangeTriggerTime: undefined,
    ...fields,
    namespace: namespace as ObjectName,
    name: name as ObjectName,
    service: serviceKey(namespace ?? '', serviceName ?? ''),
  }
}

/** Ready, on this node. */
export function endpoint(text: string, fields: Partial<SliceEndpoint> = {}): SliceEndpoint {
  return {
    address: address(text),
    ready: true,
    serving: true,
    terminating: false,
    nodeName: 'node1',
    podName: undefined,
    zoneHints: undefined,
    nodeHints: undefined,
    ...fields,
  }
}

export function keyOf(object: Service | EndpointSlice): ServiceKey {
  return object.kind === 'Service' ? serviceKey(object.namespace, object.name) : object.service
}

export function put(object: ClusterObject): ObjectChange {
  return { id: objectId(object.kind, object.kind === 'Node' ? undefined : object.namespace, object.name), object }
}

export function gone(object: ClusterObject): ObjectChange {
  return { id: put(object).id, object: undefined }
}

// --- at random ---

/** One Service with its slices; `service` undefined: only slices are there. */
export interface Bundle {
  readonly service: Service | undefined
  readonly slices: readonly EndpointSlice[]
}

export function objectsOf({ service: owner, slices }: Bundle): readonly ClusterObject[] {
  return owner === undefined ? slices : [owner, ...slices]
}

const protocols: readonly Protocol[] = ['TCP', 'UDP', 'SCTP']
const families: readonly (readonly IpFamily[])[] = [['IPv4'], ['IPv6'], ['IPv4', 'IPv6'], ['IPv6', 'IPv4']]
const policy = fc.constantFrom('Cluster' as const, 'Local' as const)
const sourceRanges: readonly Cidr[] = ['203.0.113.0/24', '10.200.1.0/24', '0.0.0.0/0', '2001:db8::/32', 'fd00:200:1::/64'].map(
  cidr,
)

/** The Service number `index` (0 to 99) of a cluster; its addresses and node ports depend on the index, so that no two Services share one. */
export function arbitraryBundle(index: number): fc.Arbitrary<Bundle> {
  return arbitraryService(index).chain(owner =>
    fc.record({
      service: fc.option(fc.constant(owner), { nil: undefined, freq: 12 }),
      slices: fc.tuple(...owner.ipFamilies.flatMap(family => [0, 1].map(number => arbitrarySlice(owner, family, number)))),
    }),
  )
}

function arbitraryService(index: number): fc.Arbitrary<Service> {
  const external = [address(`198.51.100.${index + 1}`), address(`2001:db8:1::${index + 1}`)]
  const shared = [address(`192.0.2.${index + 1}`), address(`2001:db8:2::${index + 1}`)]
  return fc
    .record({
      type: fc.constantFrom('ClusterIP' as const, 'NodePort' as const, 'LoadBalancer' as const, 'LoadBalancer' as const),
      headless: mostlyFalse,
      serviceProxyName: fc
        .option(fc.constant('other'), { nil: undefined, freq: 2 })
        .map(name => (index % 7 === 3 ? name : undefined)),
      ipFamilies: fc.constantFrom(...families),
      withoutClusterIP: mostlyFalse,
      externalIPs: fc.subarray([...external, ...shared]),
      loadBalancerAddresses: fc.subarray(shared),
      loadBalancerSourceRanges: fc.oneof(fc.constant([]), fc.subarray([...sourceRanges])),
      externalTrafficPolicy: policy,
      internalTrafficPolicy: policy,
      affinityTimeoutSeconds: fc.option(fc.constantFrom(1, 3600, 86_400), { nil: undefined }),
      ports: fc.uniqueArray(fc.tuple(fc.constantFrom(...protocols), fc.constantFrom(53, 80, 8443)), {
        minLength: 1,
        maxLength: 3,
        selector: ([protocol, port]) => `${protocol} ${port}`,
      }),
      withNodePorts: fc.boolean(),
    })
    .map(({ type, ipFamilies, withoutClusterIP, ports, withNodePorts, loadBalancerAddresses, ...fields }) => {
      const isLoadBalancer = type === 'LoadBalancer'
      const healthChecked = isLoadBalancer && fields.externalTrafficPolicy === 'Local'
      return service({
        ...fields,
        name: `service-${index}`,
        namespace: `team-${index % 3}`,
        uid: `${index}`,
        type,
        ipFamilies,
        clusterIPs: withoutClusterIP
          ? []
          : ipFamilies.map(family => address(family === 'IPv4' ? `10.96.0.${index + 1}` : `fd00:10:96::${index + 1}`)),
        loadBalancerAddresses: isLoadBalancer ? loadBalancerAddresses : [],
        loadBalancerSourceRanges: isLoadBalancer ? fields.loadBalancerSourceRanges : [],
        healthCheckNodePort: healthChecked ? 32_000 + index : 0,
        ports: ports.map(([protocol, port], number): ServiceSpecPort => {
          const name = ports.length === 1 ? '' : `port-${number}`
          return { name, protocol, port, nodePort: type !== 'ClusterIP' && withNodePorts ? 30_000 + 10 * index + number : 0 }
        }),
      })
    })
}

const mostlyFalse = fc.nat(9).map(number => number === 0)

function arbitrarySlice(owner: Service, family: IpFamily, number: number): fc.Arbitrary<EndpointSlice> {
  const pods = [1, 2, 3, 4, 5].map(pod => address(family === 'IPv4' ? `10.244.1.${pod}` : `fd00:10:244:1::${pod}`))
  return fc
    .record({
      endpoints: fc.uniqueArray(arbitraryEndpoint(pods), { maxLength: 4, selector: ({ address }) => address }),
      targetPorts: fc.array(fc.constantFrom(8080, 9090), { minLength: owner.ports.length, maxLength: owner.ports.length }),
      namedPorts: fc.subarray([...owner.ports.keys()], { minLength: owner.ports.length - 1 }),
    })
    .map(({ endpoints, targetPorts, namedPorts }) =>
      slice({
        name: `${owner.name}-${family.toLowerCase()}-${number}`,
        service: keyOf(owner),
        family,
        endpoints,
        ports: owner.ports
          .map(({ name, protocol }, index) => ({ name, protocol, port: targetPorts[index] ?? 8080 }))
          .filter((_, index) => namedPorts.includes(index)),
      }),
    )
}

const conditions = [
  { ready: true, serving: true, terminating: false },
  { ready: true, serving: true, terminating: false },
  { ready: true, serving: true, terminating: true },
  { ready: false, serving: true, terminating: true },
  { ready: false, serving: false, terminating: true },
  { ready: false, serving: false, terminating: false },
]

function arbitraryEndpoint(pods: readonly Address[]): fc.Arbitrary<SliceEndpoint> {
  return fc
    .record({
      address: fc.constantFrom(...pods),
      condition: fc.constantFrom(...conditions),
      nodeName: fc.constantFrom('node1', 'node2', undefined),
      podName: fc.constantFrom('web-1', 'web-2', undefined),
      zoneHints: fc.constantFrom(undefined, ['zone-a'], ['zone-b'], ['zone-a', 'zone-b']),
      nodeHints: fc.constantFrom(undefined, undefined, ['node1'], ['node2']),
    })
    .map(({ condition, ...fields }) => ({ ...condition, ...fields }))
}

/** Clusters of up to `size` Services, each with its slices. */
export function arbitraryCluster(size: number): fc.Arbitrary<readonly Bundle[]> {
  return fc.tuple(...Array.from({ length: size }, (_, index) => arbitraryBundle(index)))
}

export const arbitrarySettings: fc.Arbitrary<TrafficSettings> = fc.record({
  masqueradeAll: fc.boolean(),
  masqueradeMark: fc.constantFrom(0x4000, 0x1, 0x20000, 0x80000000),
  localhostNodePorts: fc.boolean(),
  nodePortAddresses: fc.oneof(
    fc.constantFrom('all' as const, 'primary' as const),
    fc.subarray(['127.0.0.0/8', '10.200.0.0/16', '192.168.0.0/16', 'fd00:200::/32', '::1/128', '0.0.0.0/0'].map(cidr), {
      minLength: 1,
    }),
  ),
  detectLocal: fc.constantFrom<TrafficSettings['detectLocal']>(
    settings.detectLocal,
    { mode: 'ClusterCIDR', cidrs: [] },
    { mode: 'ClusterCIDR', cidrs: [cidr('0.0.0.0/0')] },
    { mode: 'NodeCIDR' },
    { mode: 'BridgeInterface', interfaceName: 'cni0' },
    { mode: 'InterfaceNamePrefix', prefix: 'veth' },
  ),
  tcpBeLiberal: fc.boolean(),
  dispatch: fc.constantFrom('auto', 'linear', 'bucketed'),
  ipvs: fc.record({
    scheduler: fc.constantFrom('rr' as const, 'wrr' as const, 'lc' as const, 'sh' as const, 'mh' as const, 'dh' as const),
    excludeCidrs: fc.constant([]),
    strictArp: fc.boolean(),
    drainDeadlineMs: fc.constantFrom(0, 900_000),
    drainGoneDeadlineMs: fc.constantFrom(0, 120_000),
  }),
})

export const arbitraryNode: fc.Arbitrary<NodeFacts> = fc
  .record({ known: fc.boolean(), zone: fc.constantFrom('zone-a', 'zone-b', undefined) })
  .map(({ known, zone }) => (known ? { ...node, zone } : { ...node, zone: undefined, addresses: [], podCidrs: [] }))
