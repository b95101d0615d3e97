import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { UdpRoute } from '../../src/kernel/conntrack.ts'
import type { Address, Cidr, IpFamily } from '../../src/model/address.ts'
import { endpointsOf } from '../../src/model/endpoint.ts'
import { nodeFacts, type TrafficSettings } from '../../src/model/node.ts'
import type { ServiceKey } from '../../src/model/objects.ts'
import { decide } from '../../src/model/traffic-policy.ts'
import {
  becameReachable,
  nodePortTest,
  portsThatLost,
  staleFlows,
  type UdpServicePort,
  udpServicePorts,
} from '../../src/sync/stale-conntrack.ts'
import { clusterOf, decodeAll } from '../support/scenario.ts'

const addresses = ['10.96.0.10', '192.168.100.53', '203.0.113.53'] as Address[]

function port(changes: Partial<UdpServicePort> = {}): UdpServicePort {
  const endpoints = changes.endpoints ?? ['10.244.1.11:5353', '10.244.1.12:5353']
  const takesNewFlows = endpoints.length > 0
  return { name: 'default/dns:dns', addresses, port: 53, nodePort: 30053, endpoints, takesNewFlows, ...changes }
}

/** `10.96.0.10:53 > 10.244.1.11:5353`: what the client sends to, and who answers in truth. IPv4 only. */
function flow(text: string): UdpRoute {
  const [destination = '', destinationPort, replySource = '', replyPort] = text.split(/:| > /)
  return {
    destination: destination as Address,
    destinationPort: Number(destinationPort),
    replySource: replySource as Address,
    replyPort: Number(replyPort),
  }
}

const nodeAddress = '10.200.1.2'
const acceptsNodePorts = (address: Address): boolean => address === nodeAddress || address === '127.0.0.1'
const noEndpoints = port({ endpoints: [] })

interface Row {
  readonly title: string
  readonly flow: string
  readonly current?: readonly UdpServicePort[]
  readonly former?: readonly UdpServicePort[]
  readonly quarantined?: readonly UdpServicePort[]
}

const wrong: readonly Row[] = [
  {
    title: 'to the cluster IP, answered by a pod that is no endpoint',
    flow: '10.96.0.10:53 > 10.244.1.99:5353',
    current: [port()],
  },
  { title: 'to an external IP, the same', flow: '192.168.100.53:53 > 10.244.1.99:5353', current: [port()] },
  { title: 'to a load balancer address, the same', flow: '203.0.113.53:53 > 10.244.1.99:5353', current: [port()] },
  { title: 'to the node port of an address of this node', flow: '10.200.1.2:30053 > 10.244.1.99:5353', current: [port()] },
  { title: 'to the node port on loopback, where that is served', flow: '127.0.0.1:30053 > 10.244.1.99:5353', current: [port()] },
  { title: 'to an endpoint on another port than its own', flow: '10.96.0.10:53 > 10.244.1.11:9999', current: [port()] },
  { title: 'not translated, although there are endpoints', flow: '10.96.0.10:53 > 10.96.0.10:53', current: [port()] },
  { title: 'not translated at the node port', flow: '10.200.1.2:30053 > 10.200.1.2:30053', current: [port()] },
  { title: 'of a Service that lost all endpoints', flow: '10.96.0.10:53 > 10.244.1.11:5353', current: [noEndpoints] },
  { title: 'of a Service that is gone', flow: '10.96.0.10:53 > 10.244.1.11:5353', former: [port()] },
  { title: 'to the node port of a Service that is gone', flow: '10.200.1.2:30053 > 10.244.1.12:5353', former: [port()] },
  {
    title: 'to the node port that a Service had before, although the endpoint is still one',
    flow: '10.200.1.2:30053 > 10.244.1.11:5353',
    current: [port({ nodePort: 30054 })],
    former: [port()],
  },
  {
    title: 'to an address that another Service has now, answered by an endpoint of the former one',
    flow: '10.96.0.10:53 > 10.244.1.11:5353',
    current: [port({ name: 'default/other', endpoints: ['10.244.1.13:5353'] })],
    former: [port()],
  },
]

const right: readonly Row[] = [
  { title: 'to the cluster IP, answered by an endpoint', flow: '10.96.0.10:53 > 10.244.1.11:5353', current: [port()] },
  { title: 'to the node port, answered by an endpoint', flow: '10.200.1.2:30053 > 10.244.1.12:5353', current: [port()] },
  { title: 'to another port of the address', flow: '10.96.0.10:54 > 10.244.1.99:5353', current: [port()] },
  { title: 'of a foreign translation to the same endpoint', flow: '198.51.100.9:53 > 10.244.1.99:5353', current: [port()] },
  {
    title: 'of a foreign translation to a former endpoint',
    flow: '198.51.100.9:53 > 10.244.1.11:5353',
    current: [noEndpoints],
    former: [port()],
  },
  { title: 'to the number of the node port on another host', flow: '10.200.1.3:30053 > 10.200.1.3:30053', current: [port()] },
  { title: 'to that host, translated by it or someone else', flow: '10.200.1.3:30053 > 10.244.1.99:5353', current: [port()] },
  { title: 'straight to a pod', flow: '10.244.1.99:5353 > 10.244.1.99:5353', current: [port()], former: [port()] },
  { title: 'not translated, and there is no endpoint', flow: '10.96.0.10:53 > 10.96.0.10:53', current: [noEndpoints] },
  { title: 'not translated, and the Service is gone', flow: '10.96.0.10:53 > 10.96.0.10:53', former: [port()] },
  {
    title: 'of a gone Service, answered by what was none of its endpoints',
    flow: '10.96.0.10:53 > 10.244.1.99:5353',
    former: [port()],
  },
  {
    title: 'to an endpoint on the host network whose port is the node port: its own address answers',
    flow: '10.200.1.2:30053 > 10.200.1.2:30053',
    current: [port({ endpoints: ['10.200.1.2:30053'] })],
  },
  {
    title: 'the same after the Service is gone: now it goes straight to the host',
    flow: '10.200.1.2:30053 > 10.200.1.2:30053',
    former: [port({ endpoints: ['10.200.1.2:30053'] })],
  },
  {
    title: 'to an address that another Service has now, answered by an endpoint of both',
    flow: '10.96.0.10:53 > 10.244.1.11:5353',
    current: [port({ name: 'default/other' })],
    former: [port()],
  },
  {
    title: 'to an external IP that two Services claim, answered by an endpoint of either',
    flow: '192.168.100.53:53 > 10.244.1.99:5353',
    current: [port(), port({ name: 'default/other', endpoints: ['10.244.1.99:5353'] })],
  },
  {
    title: 'of a Service whose rules the kernel refused',
    flow: '10.96.0.10:53 > 10.244.1.99:5353',
    current: [port()],
    quarantined: [port()],
  },
]

describe('staleFlows', () => {
  const judge = ({ flow: text, current = [], former = [], quarantined = [] }: Row): readonly UdpRoute[] =>
    staleFlows({ flows: [flow(text)], current, former, quarantined, acceptsNodePorts })
  for (const row of wrong) it(`gives a flow ${row.title}`, () => assert.deepEqual(judge(row), [flow(row.flow)]))
  for (const row of right) it(`leaves a flow ${row.title}`, () => assert.deepEqual(judge(row), []))

  it('judges each of many flows by itself', () => {
    const flows = [
      '10.96.0.10:53 > 10.244.1.11:5353',
      '10.96.0.10:53 > 10.244.1.99:5353',
      '10.96.0.10:53 > 10.244.1.12:5353',
    ].map(flow)
    assert.deepEqual(staleFlows({ flows, current: [port()], former: [], quarantined: [], acceptsNodePorts }), [flows[1]])
  })
})

describe('which changes leave stale flows', () => {
  const base = port()
  const rows: readonly {
    title: string
    before: readonly UdpServicePort[]
    after: readonly UdpServicePort[]
    lost: boolean
    reachable: boolean
  }[] = [
    { title: 'nothing changed', before: [base], after: [port()], lost: false, reachable: false },
    {
      title: 'an endpoint came',
      before: [base],
      after: [port({ endpoints: [...base.endpoints, '10.244.1.13:5353'] })],
      lost: false,
      reachable: false,
    },
    {
      title: 'an endpoint went',
      before: [base],
      after: [port({ endpoints: ['10.244.1.11:5353'] })],
      lost: true,
      reachable: false,
    },
    { title: 'the last endpoint went', before: [base], after: [noEndpoints], lost: true, reachable: false },
    { title: 'the first endpoint came', before: [noEndpoints], after: [base], lost: false, reachable: true },
    { title: 'the Service went', before: [base], after: [], lost: true, reachable: false },
    { title: 'a Service without endpoints went', before: [noEndpoints], after: [], lost: false, reachable: false },
    { title: 'a Service came', before: [], after: [base], lost: false, reachable: true },
    { title: 'a Service without endpoints came', before: [], after: [noEndpoints], lost: false, reachable: false },
    { title: 'the node port changed', before: [base], after: [port({ nodePort: 30054 })], lost: true, reachable: true },
    { title: 'the port changed', before: [base], after: [port({ port: 5300 })], lost: true, reachable: true },
    {
      title: 'a load balancer address went',
      before: [base],
      after: [port({ addresses: addresses.slice(0, 2) })],
      lost: true,
      reachable: false,
    },
    {
      title: 'a load balancer address came',
      before: [port({ addresses: addresses.slice(0, 2) })],
      after: [base],
      lost: false,
      reachable: true,
    },
    {
      title: 'the port got another name',
      before: [base],
      after: [port({ name: 'default/dns:other' })],
      lost: true,
      reachable: true,
    },
  ]
  for (const { title, before, after, lost, reachable } of rows) {
    it(`${title}: ${lost ? 'some may go to what is gone' : 'none goes to what is gone'}, ${reachable ? 'some may have gone past it' : 'none went past it'}`, () => {
      assert.deepEqual(portsThatLost(before, after), lost ? before : [])
      assert.equal(becameReachable(before, after), reachable)
    })
  }
})

describe('udpServicePorts', () => {
  const yaml = `
apiVersion: v1
kind: Service
metadata: {name: dns, namespace: default}
spec:
  type: LoadBalancer
  clusterIP: 10.96.0.10
  externalIPs: [192.168.100.53]
  ports:
    - {name: dns, port: 53, targetPort: 5353, nodePort: 30053, protocol: UDP}
    - {name: dns-tcp, port: 53, targetPort: 5353, nodePort: 30053, protocol: TCP}
status: {loadBalancer: {ingress: [{ip: 203.0.113.53}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: dns-1, namespace: default, labels: {kubernetes.io/service-name: dns}}
addressType: IPv4
ports: [{name: dns, port: 5353, protocol: UDP}, {name: dns-tcp, port: 5353, protocol: TCP}]
endpoints:
  - {addresses: [10.244.1.11], conditions: {ready: true}}
  - {addresses: [10.244.1.12], conditions: {ready: false, serving: true, terminating: true}}
  - {addresses: [10.244.1.13], conditions: {ready: false, serving: false, terminating: true}}
  - {addresses: [10.244.1.14], conditions: {ready: false}}
`
  const cluster = clusterOf(decodeAll(yaml))
  const key = 'default/dns' as ServiceKey
  const service = cluster.service(key)
  const slices = cluster.slices(key)

  it('has all addresses of the UDP port, and every endpoint that serves', () => {
    assert.ok(service !== undefined)
    const decisions = decide({ service, slices, family: 'IPv4', node: nodeFacts('node1', undefined, []) })
    assert.deepEqual(
      udpServicePorts(decisions, servicePort => endpointsOf(servicePort, slices, 'node1')),
      [port({ endpoints: ['10.244.1.11:5353', '10.244.1.12:5353'] })],
    )
  })

  it('says where no new flow is taken', () => {
    assert.ok(service !== undefined)
    const decisions = decide({ service, slices: [], family: 'IPv4', node: nodeFacts('node1', undefined, []) })
    assert.deepEqual(
      udpServicePorts(decisions, () => []),
      [noEndpoints],
    )
  })
})

describe('nodePortTest', () => {
  const settings: TrafficSettings = {
    masqueradeAll: false,
    masqueradeMark: 0x4000,
    localhostNodePorts: true,
    nodePortAddresses: 'all',
    detectLocal: { mode: 'NodeCIDR' },
    tcpBeLiberal: false,
    dispatch: 'auto',
    ipvs: { scheduler: 'rr', excludeCidrs: [], strictArp: false, drainDeadlineMs: 900_000, drainGoneDeadlineMs: 120_000 },
  }
  const node = nodeFacts('node1', undefined, ['10.200.1.2', '10.244.1.1', '127.0.0.1', '::1', 'fd00:200:1::2'] as Address[])
  const rows: readonly { changes: Partial<TrafficSettings>; family: IpFamily; accepts: string[]; refuses: string[] }[] = [
    { changes: {}, family: 'IPv4', accepts: ['10.200.1.2', '10.244.1.1', '127.0.0.1', '127.0.0.53'], refuses: ['10.200.1.3'] },
    { changes: { localhostNodePorts: false }, family: 'IPv4', accepts: ['10.200.1.2'], refuses: ['127.0.0.1'] },
    { changes: {}, family: 'IPv6', accepts: ['fd00:200:1::2'], refuses: ['::1', 'fd00:200:1::3'] },
    {
      changes: { nodePortAddresses: ['10.200.0.0/16' as Cidr] },
      family: 'IPv4',
      accepts: ['10.200.1.2'],
      refuses: ['10.244.1.1', '127.0.0.1'],
    },
  ]
  for (const { changes, family, accepts, refuses } of rows) {
    it(`follows the rules' own condition: ${family} ${JSON.stringify(changes)}`, () => {
      const test = nodePortTest({ settings: { ...settings, ...changes }, node, family })
      for (const address of accepts) assert.ok(test(address as Address), address)
      for (const address of refuses) assert.ok(!test(address as Address), address)
    })
  }
})
