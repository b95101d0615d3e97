// What a Service has in which set, by its fields, in both families; and the names, which the kernel cuts off at 31 characters.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { IpFamily } from '../../../src/model/address.ts'
import type { Protocol, ServiceKey } from '../../../src/model/objects.ts'
import { type SetKind, setKinds, setName, setShape, spareSet } from '../../../src/modes/ipvs/names.ts'
import { outFilterRules, setEntries } from '../../../src/modes/ipvs/set-entries.ts'
import { address, cidr, endpoint, node, type ServiceFields, service, slice } from '../../support/cluster.ts'
import { decisionsOf, everywhere, web } from './support.ts'

const of = (nodeAddresses: readonly string[] = ['10.200.1.2']) => ({
  node,
  nodeAddresses: nodeAddresses.map(address),
  localAddresses: new Set(node.interfaceAddresses),
})
const here = slice({ endpoints: [endpoint('10.244.1.1'), endpoint('10.244.2.1', { nodeName: 'node2' })] })
const there = slice({ endpoints: [endpoint('10.244.2.1', { nodeName: 'node2' })] })

function entriesOf(fields: ServiceFields, slices = slice(), context = of()): readonly string[] {
  const [decision] = decisionsOf([service(fields), slices]).get(web as ServiceKey) ?? []
  assert.ok(decision)
  return setEntries(decision, context)
    .map(({ set, entry }) => `${set} ${entry}`)
    .toSorted()
}

const clusterIP = ['KUBE-CLUSTER-IP 10.96.0.7,tcp:80', 'KUBE-IPVS-IPS 10.96.0.7']
const onPort = (protocol: Protocol = 'TCP') => [{ name: '', protocol, port: 80, nodePort: 30_080 }]
const balancer = {
  type: 'LoadBalancer',
  loadBalancerAddresses: [address('198.51.100.7')],
  externalTrafficPolicy: 'Cluster',
} as const
const balancerEntries = ['KUBE-IPVS-IPS 198.51.100.7', 'KUBE-LOAD-BALANCER 198.51.100.7,tcp:80']

const rows: readonly (readonly [title: string, fields: ServiceFields, extra: readonly string[], slices?: typeof here])[] = [
  ['a cluster IP', {}, []],
  ['an endpoint here, which may reach itself', {}, ['KUBE-LOOP-BACK 10.244.1.1,tcp:8080,10.244.1.1'], here],
  ['an external IP', { externalIPs: [address('192.0.2.7')] }, ['KUBE-EXTERNAL-IP 192.0.2.7,tcp:80', 'KUBE-IPVS-IPS 192.0.2.7']],
  [
    'an external IP with policy Local',
    { externalIPs: [address('192.0.2.7')], externalTrafficPolicy: 'Local' },
    ['KUBE-EXTERNAL-IP-LOCAL 192.0.2.7,tcp:80', 'KUBE-IPVS-IPS 192.0.2.7'],
  ],
  ['a load balancer', balancer, balancerEntries],
  [
    'a load balancer with policy Local, and its health check',
    { ...balancer, externalTrafficPolicy: 'Local', healthCheckNodePort: 32_000 },
    ['KUBE-HEALTH-CHECK-NODE-PORT 32000', ...balancerEntries, 'KUBE-LOAD-BALANCER-LOCAL 198.51.100.7,tcp:80'],
  ],
  [
    'source ranges without the node',
    { ...balancer, loadBalancerSourceRanges: [cidr('203.0.113.0/24'), cidr('203.0.114.9/32')] },
    [
      ...balancerEntries,
      'KUBE-LOAD-BALANCER-FW 198.51.100.7,tcp:80',
      'KUBE-LOAD-BALANCER-SOURCE-CIDR 198.51.100.7,tcp:80,203.0.113.0/24',
      'KUBE-LOAD-BALANCER-SOURCE-CIDR 198.51.100.7,tcp:80,203.0.114.9',
    ],
  ],
  [
    'source ranges with the node',
    { ...balancer, loadBalancerSourceRanges: [cidr('10.200.0.0/16')] },
    [
      ...balancerEntries,
      'KUBE-LOAD-BALANCER-FW 198.51.100.7,tcp:80',
      'KUBE-LOAD-BALANCER-SOURCE-CIDR 198.51.100.7,tcp:80,10.200.0.0/16',
      'KUBE-LOAD-BALANCER-SOURCE-IP 198.51.100.7,tcp:80,198.51.100.7',
    ],
  ],
  [
    'a source range that is everything: no firewall',
    { ...balancer, loadBalancerSourceRanges: [cidr('0.0.0.0/0'), cidr('203.0.113.0/24')] },
    balancerEntries,
  ],
  ['a node port', { type: 'NodePort', ports: onPort() }, ['KUBE-NODE-PORT-TCP 30080']],
  [
    'a node port with policy Local',
    { type: 'NodePort', ports: onPort(), externalTrafficPolicy: 'Local' },
    ['KUBE-NODE-PORT-LOCAL-TCP 30080', 'KUBE-NODE-PORT-TCP 30080'],
  ],
  [
    'policy Local with endpoints on other nodes only',
    { ...everywhere(), externalTrafficPolicy: 'Local' },
    [
      'KUBE-EXTERNAL-IP-LOCAL 192.0.2.7,tcp:80',
      'KUBE-IPVS-IPS 192.0.2.7',
      ...balancerEntries,
      'KUBE-LOAD-BALANCER-LOCAL 198.51.100.7,tcp:80',
      'KUBE-NODE-PORT-LOCAL-TCP 30080',
      'KUBE-NODE-PORT-TCP 30080',
      'SWITCHYARD-NO-LOCAL 10.200.1.2,tcp:30080',
      'SWITCHYARD-NO-LOCAL 192.0.2.7,tcp:80',
      'SWITCHYARD-NO-LOCAL 198.51.100.7,tcp:80',
    ],
    there,
  ],
]

describe('the entries of a Service', () => {
  for (const [title, fields, extra, slices] of rows)
    it(`with ${title}`, () => assert.deepEqual(entriesOf(fields, slices), [...clusterIP, ...extra].toSorted()))

  it('without a cluster IP', () => assert.deepEqual(entriesOf({ clusterIPs: [] }), []))

  const nodePorts: readonly (readonly [Protocol, readonly string[]])[] = [
    ['UDP', ['KUBE-NODE-PORT-UDP 30080']],
    ['SCTP', ['KUBE-NODE-PORT-SCTP-HASH 10.200.1.2,sctp:30080', 'KUBE-NODE-PORT-SCTP-HASH 10.200.7.7,sctp:30080']],
  ]
  for (const [protocol, expected] of nodePorts) {
    it(`at a node port of ${protocol}: a bitmap knows ports alone, and there is none of SCTP`, () => {
      const fields: ServiceFields = { type: 'NodePort', clusterIPs: [], ports: onPort(protocol) }
      assert.deepEqual(entriesOf(fields, slice(), of(['10.200.1.2', '10.200.7.7'])), expected)
    })
  }
})

describe('rules for packets of the node itself', () => {
  const rulesOf = (fields: ServiceFields, facts = node) => {
    const [decision] = decisionsOf([service({ ...balancer, ...fields })]).get(web) ?? []
    assert.ok(decision)
    return outFilterRules(decision.servicePort, facts).map(({ rule }) => rule)
  }
  const drop = (protocol: number) => `-s 198.51.100.7/32 -m ipvs --vproto ${protocol} --vaddr 198.51.100.7 --vport 80 -j DROP`
  const outside = { loadBalancerSourceRanges: [cidr('203.0.113.0/24')] }
  it('drop where it may not enter', () => {
    assert.deepEqual(rulesOf(outside), [drop(6)])
    assert.deepEqual(rulesOf({ ...outside, ports: onPort('UDP') }), [drop(17)])
    assert.deepEqual(rulesOf({ ...outside, ports: onPort('SCTP') }), [drop(132)])
    assert.deepEqual(rulesOf(outside, { ...node, addresses: [] }), [drop(6)], 'an unknown node is let in nowhere')
  })
  it('are not there where it may, or all may', () => {
    assert.deepEqual(rulesOf({ loadBalancerSourceRanges: [cidr('10.200.0.0/16')] }), [])
    assert.deepEqual(rulesOf({ loadBalancerSourceRanges: [cidr('0.0.0.0/0')] }), [])
    assert.deepEqual(rulesOf({}), [])
  })
})

describe('names of sets', () => {
  const cut: readonly (readonly [SetKind, IpFamily, string])[] = [
    ['CLUSTER-IP', 'IPv4', 'KUBE-CLUSTER-IP'],
    ['CLUSTER-IP', 'IPv6', 'KUBE-6-CLUSTER-IP'],
    ['LOAD-BALANCER-SOURCE-CIDR', 'IPv4', 'KUBE-LOAD-BALANCER-SOURCE-CIDR'],
    ['LOAD-BALANCER-SOURCE-CIDR', 'IPv6', 'KUBE-6-LOAD-BALANCER-SOURCE-CID'],
    ['NODE-PORT-LOCAL-SCTP-HASH', 'IPv6', 'KUBE-6-NODE-PORT-LOCAL-SCTP-HAS'],
    ['NO-LOCAL', 'IPv6', 'SWITCHYARD-6-NO-LOCAL'],
  ]
  for (const [kind, family, name] of cut) it(name, () => assert.equal(setName(kind, family), name))
  it('are all different, and fit the kernel', () => {
    const names = (['IPv4', 'IPv6'] as const).flatMap(family => [
      ...setKinds.map(kind => setName(kind, family)),
      spareSet(family),
    ])
    assert.equal(new Set(names).size, names.length)
    for (const name of names) assert.ok(name.length <= 31, name)
  })
  it("go with the family's shape", () => {
    assert.deepEqual(setShape('CLUSTER-IP', 'IPv6'), { type: 'hash:ip,port', options: 'family inet6', maxEntries: 65_536 })
    assert.deepEqual(setShape('NODE-PORT-TCP', 'IPv6'), { type: 'bitmap:port', options: 'range 0-65535', maxEntries: undefined })
  })
})
