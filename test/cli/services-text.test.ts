// What `switchyard status services` prints for people.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { serviceDetailText, serviceListText } from '../../src/cli/services-text.ts'
import type {
  ClientFate,
  EndpointDetail,
  ServiceDetail,
  ServiceList,
  ServicePortDetail,
  ServiceSummary,
} from '../../src/explain/services-object.ts'

const about = { apiVersion: 'switchyard/v1', time: '2026-08-02T12:00:00.000Z', node: 'node1', mode: 'ipvs' } as const
const screen = (width = 200) => ({ paint: (_: unknown, text: string) => text, width })
const widest = (text: string): number => Math.max(...text.split('\n').map(line => line.length))

const web: ServiceSummary = {
  service: 'default/web',
  type: 'LoadBalancer',
  addresses: ['10.96.0.10', '192.0.2.10', 'node:30080/TCP'],
  ports: ['80/TCP'],
  endpoints: { total: 3, ready: 2, local: 1 },
  state: { programmed: 'yes', remarks: [] },
}

function list(services: readonly ServiceSummary[], total = services.length): ServiceList {
  return { ...about, kind: 'ServiceList', total, unread: [], services }
}

describe('a list of Services for people', () => {
  it('has a line each', () => {
    const headless: ServiceSummary = {
      ...web,
      service: 'shop/db',
      type: 'ClusterIP',
      addresses: [],
      endpoints: { total: 0, ready: 0, local: 0 },
      state: { programmed: 'not ours', remarks: ['headless: ...'] },
    }
    assert.equal(
      serviceListText(list([web, headless], 7), screen(), 'for "e"'),
      `7 Services for "e", on node node1, mode ipvs

SERVICE      TYPE          ADDRESSES      PORTS   READY  HERE  STATE
default/web  LoadBalancer  10.96.0.10 +2  80/TCP  2/3    1     programmed
shop/db      ClusterIP     -              80/TCP  0/0    0     not ours

and 5 more: --search TEXT finds some of them, --limit N shows up to N
`,
    )
  })

  it('says what stands in the way, and that there is none', () => {
    const held: ServiceSummary = { ...web, state: { programmed: 'quarantined', remarks: ['IPv4: the kernel refuses its rules'] } }
    assert.match(
      serviceListText(list([held]), screen()),
      /^default\/web .* quarantined\n\n! default\/web: IPv4: the kernel refuses/m,
    )
    assert.equal(serviceListText(list([]), screen(), 'for "x"'), 'There is no Service for "x" (on node node1, mode ipvs).\n')
    assert.equal(serviceListText(list([]), screen()), 'There is no Service (on node node1, mode ipvs).\n')
  })

  it('leaves out what a narrow terminal has no room for', () => {
    const long = { ...web, service: 'team-of-the-shop/frontend' }
    const text = serviceListText(list([web, long]), screen(70))
    assert.ok(widest(text) <= 70, text)
    assert.match(text, /^SERVICE +ADDRESSES +PORTS +READY +STATE$/m)
  })
})

const cluster: ClientFate = { to: 'Cluster' }

function endpoint(fields: Partial<EndpointDetail>): EndpointDetail {
  return {
    endpoint: '10.244.1.11:8080',
    pod: 'default/web-1',
    node: 'node1',
    local: true,
    ready: true,
    serving: true,
    terminating: false,
    cluster: { share: 0.5, reason: null },
    localPolicy: { share: 1, reason: null },
    ...fields,
  }
}

const port: ServicePortDetail = {
  name: 'default/web:http',
  family: 'IPv4',
  protocol: 'TCP',
  port: 80,
  addresses: [
    {
      kind: 'load balancer',
      address: '192.0.2.10:80',
      sourceRanges: ['203.0.113.0/24'],
      fates: [
        { client: 'pod', fate: 'dropped' },
        { client: 'node', fate: 'untouched' },
        { client: 'outside', fate: { to: 'Local' } },
      ],
    },
    {
      kind: 'node port',
      address: 'node:30080',
      sourceRanges: [],
      fates: [
        { client: 'pod', fate: cluster },
        { client: 'node', fate: cluster },
        { client: 'outside', fate: 'refused' },
      ],
    },
  ],
  affinitySeconds: 10_800,
  scheduler: 'rr',
  endpoints: [
    endpoint({}),
    endpoint({
      endpoint: '10.244.2.21:8080',
      pod: null,
      node: 'node2',
      local: false,
      localPolicy: { share: 0, reason: 'on node node2, and the policy is Local' },
    }),
    endpoint({
      endpoint: '10.244.1.12:8080',
      ready: false,
      cluster: { share: 0, reason: 'not ready' },
      localPolicy: { share: 0, reason: 'not ready' },
    }),
  ],
}

function detail(fields: Partial<ServiceDetail> = {}): ServiceDetail {
  return {
    ...about,
    kind: 'ServiceDetail',
    service: 'default/web',
    type: 'LoadBalancer',
    state: { programmed: 'waiting', remarks: ['asks for "x"; it gets rr'] },
    ports: [port],
    ...fields,
  }
}

describe('one Service for people', () => {
  it('shows who is served where, and every endpoint with its share or the reason', () => {
    assert.equal(
      serviceDetailText(detail(), screen()),
      `default/web, LoadBalancer: waiting (node node1, mode ipvs)
! asks for "x"; it gets rr


default/web:http, 80/TCP over IPv4, scheduler rr, a client keeps its endpoint for 10800 s
ADDRESS        KIND           FROM PODS    FROM THE NODE  FROM OUTSIDE
192.0.2.10:80  load balancer  dropped      not taken      Local (1)
node:30080     node port      Cluster (2)  Cluster (2)    refused
192.0.2.10:80 is for 203.0.113.0/24 alone, others are dropped

ENDPOINT          POD    NODE          STATE      CLUSTER  LOCAL  WHY NOT
10.244.1.11:8080  web-1  node1 (here)  ready      50 %     100 %
10.244.2.21:8080  -      node2         ready      50 %     -      Local: on node node2
10.244.1.12:8080  web-1  node1 (here)  not ready  -        -      not ready
`,
    )
  })

  it('puts reasons on lines of their own where a terminal is narrow', () => {
    const text = serviceDetailText(detail({ ports: [{ ...port, affinitySeconds: null }] }), screen(80))
    assert.ok(widest(text) <= 80, text)
    assert.match(text, /^10\.244\.2\.21:8080 .* -\n {4}Local: on node node2$/m)
    const narrow = serviceDetailText(detail({ ports: [{ ...port, affinitySeconds: null, scheduler: null }] }), screen(45))
    assert.match(narrow, /^10\.244\.2\.21:8080\n {2}pod +-\n {2}node +node2\n/m)
  })

  it('has no column for a policy that nothing uses', () => {
    const endpoints = port.endpoints.map(each => ({ ...each, localPolicy: null }))
    const text = serviceDetailText(detail({ ports: [{ ...port, endpoints }] }), screen())
    assert.match(text, /^ENDPOINT +POD +NODE +STATE +CLUSTER +WHY NOT$/m)
  })

  it('says where there is nothing', () => {
    const text = serviceDetailText(detail({ ports: [{ ...port, addresses: [], endpoints: [] }] }), screen())
    assert.match(text, /^It has no address here\.\n\nNo EndpointSlice names an endpoint for it\.$/m)
  })

  it('shows no control character of what it was told', () => {
    const hostile = 'a\u001b[2Jb\u009b31m'
    const endpoints = [endpoint({ pod: `default/${hostile}`, node: hostile, cluster: { share: 0, reason: hostile } })]
    const text = serviceDetailText(
      detail({ type: hostile, ports: [{ ...port, name: hostile, scheduler: hostile, endpoints }] }),
      screen(),
    )
    const listed = serviceListText(list([{ ...web, service: hostile, addresses: [hostile] }]), screen(), 'for "x"')
    assert.doesNotMatch((text + listed).replaceAll('\n', ''), /\p{Cc}/u)
  })
})
