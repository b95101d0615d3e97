// What a daemon could tell the page: a cluster of many Services, some of them in trouble.
import type {
  EndpointDetail,
  ServiceDetail,
  ServiceList,
  ServicePortDetail,
  ServiceSummary,
} from '../../../src/explain/services-object.ts'
import type { TraceObject } from '../../../src/explain/trace-object.ts'
import type { FamilyStatus, Status } from '../../../src/server/status-object.ts'

const ago = (seconds: number): string => new Date(Date.now() - seconds * 1000).toISOString()
const stamp = { apiVersion: 'switchyard/v1', node: 'node1', mode: 'iptables' } as const

export function family(name: 'IPv4' | 'IPv6', more: Partial<FamilyStatus> = {}): FamilyStatus {
  return {
    family: name,
    ready: true,
    lastFullSync: ago(17),
    lastPartialSync: ago(2),
    waitingSince: null,
    services: 10_000,
    quarantined: [],
    remarks: [],
    failures: 0,
    lastFailure: null,
    drains: [],
    driftRepaired: 3,
    ...more,
  }
}

export function status(more: Partial<Status> = {}): Status {
  return {
    apiVersion: 'switchyard/v1',
    kind: 'Status',
    version: '0.1.0',
    node: 'node1',
    mode: 'iptables',
    iptablesBackend: 'nft',
    startedAt: ago(11_520),
    time: ago(0),
    ready: true,
    missing: [],
    families: [family('IPv4'), family('IPv6', { services: 120, driftRepaired: 0 })],
    source: {
      description: 'API server https://10.0.0.10:6443',
      complete: true,
      unreadable: false,
      unread: [],
      objects: { services: 10_000, endpointSlices: 10_120, endpoints: 50_240 },
      watches: ['services', 'endpointslices', 'nodes'].map(resource => ({
        resource,
        synced: true,
        lastContact: ago(1),
        failure: null,
      })),
    },
    ...more,
  }
}

/** Not ready, with all that can be wrong. */
export function troubledStatus(): Status {
  const drain = {
    server: '-t 10.96.0.17:80',
    realServer: '10.244.1.7:8080',
    service: 'shop/cart',
    since: ago(95),
    goneSince: null,
    until: ago(-700),
    connections: 12,
    retiring: false,
  }
  return status({
    mode: 'ipvs',
    ready: false,
    missing: ['watch of endpointslices: silent for 6 min 2 s'],
    parameters: [{ name: 'net.ipv4.ip_forward', is: '0', expected: '1', meaning: 'pods do not reach Services' }],
    notInForce: [
      { field: null, inFile: null, inForce: null, reason: 'config.yaml:3: mode: "x" is not allowed' },
      { field: 'ipvs.scheduler', inFile: '"mh"', inForce: '"rr"', reason: 'no module ip_vs_mh' },
    ],
    families: [
      family('IPv4', {
        ready: false,
        waitingSince: ago(64),
        quarantined: [
          {
            service: 'shop/cart',
            reason: 'iptables-restore: line 14: RULE_APPEND failed (Invalid argument): rule in chain KUBE-SVC-X',
          },
        ],
        remarks: [
          {
            service: 'shop/search',
            reason: 'SchedulerUnavailable',
            message: 'asks for scheduler mh, which this kernel does not have; it gets rr',
          },
        ],
        failures: 3,
        lastFailure: 'iptables-restore: Another app is currently holding the xtables lock',
        drains: [drain, { ...drain, realServer: '10.244.1.8:8080', goneSince: ago(30), connections: null }],
      }),
      family('IPv6'),
    ],
  })
}

/** A name of 253 characters, and others that would harm a careless page. No API server takes them; a page need not rely on that. */
export const hostile = {
  long: `default/${'a-very-long-name.'.repeat(20)}`.slice(0, 253),
  markup: 'default/<img src=x onerror="document.title=`harmed`">',
  turned: 'default/\u202egnitseretni\u0007\u0000',
}

export function summary(service: string, number: number, more: Partial<ServiceSummary> = {}): ServiceSummary {
  return {
    service,
    type: 'ClusterIP',
    addresses: [`10.96.${number >> 8}.${number & 255}:80`],
    ports: ['80/TCP'],
    endpoints: { total: 5, ready: 5, local: 1 },
    state: { programmed: 'yes', remarks: [] },
    ...more,
  }
}

const web = summary('default/web', 10, {
  type: 'LoadBalancer',
  addresses: ['10.96.0.10:80', '192.0.2.80:80', 'node:30080/TCP', '[fd00:96::10]:80'],
  endpoints: { total: 6, ready: 3, local: 1 },
})

const first: readonly ServiceSummary[] = [
  web,
  summary('default/headless', 0, {
    addresses: [],
    state: { programmed: 'not ours', remarks: [] },
    endpoints: { total: 3, ready: 3, local: 0 },
  }),
  summary('shop/cart', 17, {
    state: { programmed: 'quarantined', remarks: ['the kernel refuses its rules: RULE_APPEND failed'] },
  }),
  summary('shop/search', 18, {
    ports: ['80/TCP', '443/TCP', '9090/TCP', '53/UDP'],
    state: { programmed: 'yes', remarks: ['asks for scheduler mh'] },
  }),
  summary('shop/empty', 19, { endpoints: { total: 2, ready: 0, local: 0 }, state: { programmed: 'waiting', remarks: [] } }),
  ...Object.values(hostile).map((name, index) => summary(name, 30 + index)),
]

const many: readonly ServiceSummary[] = Array.from({ length: 10_000 - first.length }, (_, number) =>
  summary(`team-${number % 40}/service-${String(number).padStart(5, '0')}`, 256 + number),
)

export function services({ search, limit }: { readonly search: string; readonly limit: number }): ServiceList {
  const found = [...first, ...many].filter(each => [each.service, ...each.addresses].some(text => text.includes(search)))
  return { ...stamp, kind: 'ServiceList', time: ago(0), total: found.length, unread: [], services: found.slice(0, limit) }
}

function endpoint(number: number, more: Partial<EndpointDetail> = {}): EndpointDetail {
  return {
    endpoint: `10.244.${number}.11:8080`,
    pod: `default/web-6d4cf56db6-${'xk2pq'.slice(number % 5)}${number}`,
    node: `node${number}`,
    local: number === 1,
    ready: true,
    serving: true,
    terminating: false,
    cluster: { share: 1 / 3, reason: null },
    localPolicy: number === 1 ? { share: 1, reason: null } : { share: 0, reason: 'on another node' },
    ...more,
  }
}

const never = (reason: string) => ({ cluster: { share: 0, reason }, localPolicy: { share: 0, reason } })

export const webPort: ServicePortDetail = {
  name: 'default/web:http',
  family: 'IPv4',
  protocol: 'TCP',
  port: 80,
  addresses: [
    { kind: 'cluster IP', address: '10.96.0.10:80', sourceRanges: [], fates: everyone({ to: 'Cluster' }) },
    {
      kind: 'load balancer',
      address: '192.0.2.80:80',
      sourceRanges: ['198.51.100.0/24'],
      fates: [
        { client: 'pod', fate: { to: 'Cluster' } },
        { client: 'node', fate: { to: 'Cluster' } },
        { client: 'outside', fate: { to: 'Local' } },
      ],
    },
    {
      kind: 'node port',
      address: 'node:30080',
      sourceRanges: [],
      fates: [
        { client: 'pod', fate: { to: 'Cluster' } },
        { client: 'node', fate: { to: 'Cluster' } },
        { client: 'outside', fate: { to: 'Local' } },
      ],
    },
  ],
  affinitySeconds: null,
  scheduler: null,
  endpoints: [
    endpoint(1),
    endpoint(2),
    endpoint(3),
    endpoint(4, { ready: false, serving: false, ...never('not ready') }),
    endpoint(5, { ready: false, terminating: true, ...never('terminating, and there are ready endpoints') }),
    endpoint(6, { ...never('hinted to zone b, this node is in zone a') }),
  ],
}

function everyone(fate: ServicePortDetail['addresses'][number]['fates'][number]['fate']) {
  return (['pod', 'node', 'outside'] as const).map(client => ({ client, fate }))
}

export function detail(service: string, more: Partial<ServiceDetail> = {}): ServiceDetail {
  const refusedPort: ServicePortDetail = {
    ...webPort,
    name: 'default/web:admin',
    port: 9090,
    addresses: [
      { kind: 'cluster IP', address: '10.96.0.10:9090', sourceRanges: [], fates: everyone('refused') },
      {
        kind: 'load balancer',
        address: '192.0.2.80:9090',
        sourceRanges: [],
        fates: [...everyone('refused').slice(0, 2), { client: 'outside', fate: 'dropped' }],
      },
    ],
    endpoints: [],
  }
  return {
    ...stamp,
    kind: 'ServiceDetail',
    time: ago(0),
    service,
    type: 'LoadBalancer',
    state: { programmed: 'yes', remarks: [] },
    ports: [webPort, refusedPort],
    ...more,
  }
}

export const trace: TraceObject = {
  ...stamp,
  kind: 'Trace',
  readAt: '2026-08-02T12:00:00Z',
  time: ago(0),
  from: { given: 'outside', address: '198.51.100.7', kind: 'outside' },
  to: { given: '192.0.2.80:80/TCP', family: 'IPv4', address: '192.0.2.80', port: 80, protocol: 'TCP' },
  service: {
    service: 'default/web',
    port: 'default/web:http',
    type: 'LoadBalancer',
    addressKind: 'load balancer',
    policy: 'externalTrafficPolicy: Local',
  },
  verdict: 'endpoints',
  outcome: 'answered',
  shares: { endpoints: 1, refused: 0, dropped: 0, untouched: 0 },
  summary: ['It goes to 10.244.1.11:8080, the only endpoint on this node, and keeps its source.'],
  decidedBy: {
    where: 'nat chain KUBE-SVL-37TN7LEU2TT6OVN3',
    what: '-m comment --comment "default/web:http -> 10.244.1.11:8080" -j KUBE-SEP-EWMCPSKHEAOPZCPF',
  },
  candidates: [
    {
      endpoint: '10.244.1.11:8080',
      pod: 'default/web-6d4cf56db6-xk2pq',
      node: 'node1',
      probability: 1,
      weight: null,
      masquerade: false,
    },
  ],
  others: [
    {
      endpoint: '10.244.2.11:8080',
      pod: 'default/web-6d4cf56db6-k2pq2',
      node: 'node2',
      reason: 'on another node, and externalTrafficPolicy is Local',
    },
    { endpoint: '10.244.4.11:8080', pod: 'default/web-6d4cf56db6-pq4', node: 'node4', reason: 'not ready' },
  ],
  masquerade: { applies: 'never', reason: 'it goes to an endpoint on this node' },
  path: [
    { where: 'nat chain PREROUTING', what: '-m comment --comment "kubernetes service portals" -j KUBE-SERVICES' },
    {
      where: 'nat chain KUBE-SERVICES',
      what: '-d 192.0.2.80/32 -p tcp -m comment --comment "default/web:http loadbalancer IP" -m tcp --dport 80 -j KUBE-EXT-37TN7LEU2TT6OVN3',
    },
    { where: 'nat chain KUBE-EXT-37TN7LEU2TT6OVN3', what: '-j KUBE-SVL-37TN7LEU2TT6OVN3' },
  ],
  drifts: [],
  unsure: [],
}
