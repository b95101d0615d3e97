// What rules need to know of the node: its facts, whose pods are local, where node ports answer.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { IpFamily } from '../../src/model/address.ts'
import {
  type LocalPods,
  localPods,
  type NodeFacts,
  type NodePortDestinations,
  nodeFacts,
  nodePortDestinations,
  primaryAddress,
  servesLocalhostNodePorts,
  type TrafficSettings,
} from '../../src/model/node.ts'
import type { Node, ObjectName } from '../../src/model/objects.ts'
import { address, cidr, node, settings } from '../support/cluster.ts'

describe('nodeFacts', () => {
  const object: Node = {
    kind: 'Node',
    name: 'node1' as ObjectName,
    uid: '',
    zone: 'zone-a',
    addresses: ['10.200.1.2', '10.9.9.9', 'fd00:200:1::2'].map(address),
    podCidrs: [cidr('10.244.1.0/24')],
    deleting: false,
    taints: [],
  }
  it('takes zone, addresses and pod ranges from the Node object', () => {
    assert.deepEqual(nodeFacts('node1', object, [address('127.0.0.1')]), {
      name: 'node1',
      zone: 'zone-a',
      addresses: ['10.200.1.2', '10.9.9.9', 'fd00:200:1::2'],
      podCidrs: ['10.244.1.0/24'],
      interfaceAddresses: ['127.0.0.1'],
    })
  })
  it('knows nothing of them while the object is unknown', () => {
    assert.deepEqual(nodeFacts('node1', undefined, []), {
      name: 'node1',
      zone: undefined,
      addresses: [],
      podCidrs: [],
      interfaceAddresses: [],
    })
  })
  it('calls the first address of a family the primary one', () => {
    const facts = nodeFacts('node1', object, [])
    assert.equal(primaryAddress(facts, 'IPv4'), '10.200.1.2')
    assert.equal(primaryAddress(facts, 'IPv6'), 'fd00:200:1::2')
    assert.equal(primaryAddress(nodeFacts('node1', undefined, []), 'IPv4'), undefined)
  })
})

describe('localPods', () => {
  const detect = (detectLocal: TrafficSettings['detectLocal']): TrafficSettings => ({ ...settings, detectLocal })
  const clusterCidr = (...texts: readonly string[]): TrafficSettings => detect({ mode: 'ClusterCIDR', cidrs: texts.map(cidr) })
  const rows: readonly (readonly [title: string, TrafficSettings, IpFamily, LocalPods])[] = [
    ['ClusterCIDR is the range of the family', settings, 'IPv4', { source: cidr('10.244.0.0/16') }],
    ['ClusterCIDR of the other family', settings, 'IPv6', { source: cidr('fd00:10:244::/56') }],
    [
      'ClusterCIDR: the first of a family counts',
      clusterCidr('10.1.0.0/16', '10.2.0.0/16'),
      'IPv4',
      { source: cidr('10.1.0.0/16') },
    ],
    ['ClusterCIDR without a range of the family tells nothing', clusterCidr('10.1.0.0/16'), 'IPv6', undefined],
    ['ClusterCIDR without any range tells nothing', clusterCidr(), 'IPv4', undefined],
    ['ClusterCIDR that is the whole family tells nothing apart', clusterCidr('0.0.0.0/0'), 'IPv4', undefined],
    ['ClusterCIDR ::/0 tells nothing apart', clusterCidr('::/0'), 'IPv6', undefined],
    ["NodeCIDR is the Node's pod range", detect({ mode: 'NodeCIDR' }), 'IPv4', { source: cidr('10.244.1.0/24') }],
    ['NodeCIDR of the other family', detect({ mode: 'NodeCIDR' }), 'IPv6', { source: cidr('fd00:10:244:1::/64') }],
    [
      'BridgeInterface is that interface',
      detect({ mode: 'BridgeInterface', interfaceName: 'cni0' }),
      'IPv6',
      { interface: 'cni0' },
    ],
    [
      'InterfaceNamePrefix is any interface that begins so',
      detect({ mode: 'InterfaceNamePrefix', prefix: 'veth' }),
      'IPv4',
      { interface: 'veth+' },
    ],
  ]
  for (const [title, given, family, expected] of rows) it(title, () => assert.deepEqual(localPods(given, node, family), expected))
  it('NodeCIDR tells nothing while the Node object has no range', () =>
    assert.equal(localPods(detect({ mode: 'NodeCIDR' }), { ...node, podCidrs: [] }, 'IPv4'), undefined))
})

interface NodePortRow {
  readonly title: string
  readonly addresses: TrafficSettings['nodePortAddresses'] | readonly string[]
  readonly localhost?: boolean
  readonly node?: Partial<NodeFacts>
  readonly IPv4: NodePortDestinations | readonly string[]
  readonly IPv6: NodePortDestinations | readonly string[]
  /** Whether node ports answer on 127.0.0.1. */
  readonly onLoopback: boolean
}

const everyone = 'every local address'
const rows: readonly NodePortRow[] = [
  { title: 'an empty list means every address', addresses: 'all', IPv4: everyone, IPv6: everyone, onLoopback: true },
  {
    title: 'an empty list without localhostNodePorts leaves loopback to the rule that excepts it',
    addresses: 'all',
    localhost: false,
    IPv4: everyone,
    IPv6: everyone,
    onLoopback: false,
  },
  { title: 'primary', addresses: 'primary', IPv4: ['10.200.1.2'], IPv6: ['fd00:200:1::2'], onLoopback: false },
  {
    title: 'primary of an unknown Node is none',
    addresses: 'primary',
    node: { addresses: [] },
    IPv4: [],
    IPv6: [],
    onLoopback: false,
  },
  {
    title: 'a range of one family leaves the other at every address',
    addresses: ['10.200.0.0/16'],
    IPv4: ['10.200.1.2'],
    IPv6: everyone,
    onLoopback: false,
  },
  {
    title: 'a range with no address of this node',
    addresses: ['192.168.0.0/16', 'fd01::/16'],
    IPv4: [],
    IPv6: [],
    onLoopback: false,
  },
  {
    title: 'a range that holds loopback',
    addresses: ['127.0.0.0/8', '10.200.0.0/16'],
    IPv4: ['10.200.1.2', '127.0.0.1'],
    IPv6: everyone,
    onLoopback: true,
  },
  {
    title: 'a range that holds loopback, without localhostNodePorts',
    addresses: ['127.0.0.0/8', '10.200.0.0/16'],
    localhost: false,
    IPv4: ['10.200.1.2'],
    IPv6: everyone,
    onLoopback: false,
  },
  {
    title: 'loopback of IPv6 never works',
    addresses: ['::1/128', 'fd00:200::/32'],
    IPv4: everyone,
    IPv6: ['fd00:200:1::2'],
    onLoopback: true,
  },
  {
    title: 'overlapping ranges name an address once, sorted',
    addresses: ['10.0.0.0/8', '10.200.1.0/24'],
    node: { interfaceAddresses: ['10.200.1.9', '10.200.1.2', '192.168.0.1'].map(address) },
    IPv4: ['10.200.1.2', '10.200.1.9'],
    IPv6: everyone,
    onLoopback: false,
  },
  {
    title: 'a range that is the whole family means every address, those of tomorrow too',
    addresses: ['10.0.0.0/8', '0.0.0.0/0', '::/0'],
    IPv4: everyone,
    IPv6: everyone,
    onLoopback: true,
  },
  {
    title: 'a range inside loopback',
    addresses: ['127.0.0.53/32'],
    node: { interfaceAddresses: ['127.0.0.1', '127.0.0.53'].map(address) },
    IPv4: ['127.0.0.53'],
    IPv6: everyone,
    onLoopback: true,
  },
]

describe('nodePortAddresses', () => {
  for (const { title, addresses, localhost = true, node: facts, onLoopback, ...expected } of rows) {
    const nodePortAddresses = typeof addresses === 'string' ? addresses : addresses.map(cidr)
    const given: TrafficSettings = { ...settings, nodePortAddresses, localhostNodePorts: localhost }
    for (const family of ['IPv4', 'IPv6'] as const) {
      it(`${title}: ${family}`, () =>
        assert.deepEqual(nodePortDestinations(given, { ...node, ...facts }, family), expected[family]))
    }
    it(`${title}: ${onLoopback ? '' : 'not '}on 127.0.0.1, never on ::1`, () => {
      assert.equal(servesLocalhostNodePorts(given, 'IPv4'), onLoopback)
      assert.equal(servesLocalhostNodePorts(given, 'IPv6'), false)
    })
  }
})
