// The endpoints of a service port: which slices count, what a duplicate becomes, in which order they stand.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { endpointsOf, isServingTerminating } from '../../src/model/endpoint.ts'
import type { EndpointSlice, ServiceSpecPort, SliceEndpoint } from '../../src/model/objects.ts'
import { type ServicePort, servicePorts } from '../../src/model/service-port.ts'
import { address, endpoint, service, slice } from '../support/cluster.ts'

const portOf = (port: Partial<ServiceSpecPort> = {}, family: 'IPv4' | 'IPv6' = 'IPv4'): ServicePort => {
  const owner = service({ ipFamilies: ['IPv4', 'IPv6'], ports: [{ name: '', protocol: 'TCP', port: 80, nodePort: 0, ...port }] })
  return servicePorts(owner, family)[0] as ServicePort
}
const hostPorts = (slices: readonly EndpointSlice[], port = portOf()): readonly string[] =>
  endpointsOf(port, slices, 'node1').map(({ hostPort }) => hostPort)

describe('matching slices to a service port', () => {
  it('takes the ports of the same name and protocol, each slice with its own target port', () => {
    const slices = [
      slice({
        name: 'a',
        ports: [
          { name: 'http', protocol: 'TCP', port: 8080 },
          { name: 'http-alt', protocol: 'TCP', port: 8081 },
          { name: 'http', protocol: 'UDP', port: 8082 },
        ],
        endpoints: [endpoint('10.244.1.1')],
      }),
      slice({ name: 'b', ports: [{ name: 'http', protocol: 'TCP', port: 9090 }], endpoints: [endpoint('10.244.1.2')] }),
      slice({ name: 'c', ports: [{ name: 'other', protocol: 'TCP', port: 8080 }], endpoints: [endpoint('10.244.1.3')] }),
      slice({ name: 'd', ports: [], endpoints: [endpoint('10.244.1.4')] }),
    ]
    assert.deepEqual(hostPorts(slices, portOf({ name: 'http' })), ['10.244.1.1:8080', '10.244.1.2:9090'])
    assert.deepEqual(hostPorts(slices, portOf({ name: 'http', protocol: 'UDP' })), ['10.244.1.1:8082'])
    assert.deepEqual(hostPorts(slices, portOf({ name: 'http', protocol: 'SCTP' })), [])
  })

  it('takes an unnamed port for the unnamed one only', () => {
    const slices = [slice({ endpoints: [endpoint('10.244.1.1')] })]
    assert.deepEqual(hostPorts(slices), ['10.244.1.1:8080'])
    assert.deepEqual(hostPorts(slices, portOf({ name: 'http' })), [])
  })

  it('takes slices of its family only, and writes IPv6 in brackets', () => {
    const slices = [
      slice({ name: 'a', endpoints: [endpoint('10.244.1.1')] }),
      slice({ name: 'b', family: 'IPv6', endpoints: [endpoint('fd00:10:244:1::1')] }),
    ]
    assert.deepEqual(hostPorts(slices), ['10.244.1.1:8080'])
    assert.deepEqual(hostPorts(slices, portOf({}, 'IPv6')), ['[fd00:10:244:1::1]:8080'])
  })

  it('keeps one address twice where the target ports differ', () => {
    const slices = [
      slice({ name: 'a', endpoints: [endpoint('10.244.1.1')] }),
      slice({ name: 'b', endpoints: [endpoint('10.244.1.1')], ports: [{ name: '', protocol: 'TCP', port: 9090 }] }),
    ]
    assert.deepEqual(hostPorts(slices), ['10.244.1.1:8080', '10.244.1.1:9090'])
  })
})

describe('what an endpoint says', () => {
  it('carries conditions, place and hints over', () => {
    const [found] = endpointsOf(
      portOf(),
      [
        slice({
          endpoints: [
            endpoint('10.244.1.1', { terminating: true, podName: 'web-1', zoneHints: ['zone-a'], nodeHints: ['node1'] }),
          ],
        }),
      ],
      'node1',
    )
    assert.deepEqual(found, {
      address: address('10.244.1.1'),
      port: 8080,
      hostPort: '10.244.1.1:8080',
      local: true,
      nodeName: 'node1',
      podName: 'web-1',
      ready: true,
      serving: true,
      terminating: true,
      zoneHints: ['zone-a'],
      nodeHints: ['node1'],
    })
  })

  const places: readonly (readonly [title: string, nodeName: string | undefined, local: boolean])[] = [
    ['this node', 'node1', true],
    ['another node', 'node2', false],
    ['no node', undefined, false],
    ['a node whose name only begins like ours', 'node11', false],
  ]
  for (const [title, nodeName, local] of places) {
    it(`is ${local ? '' : 'not '}local on ${title}`, () => {
      const [found] = endpointsOf(portOf(), [slice({ endpoints: [endpoint('10.244.1.1', { nodeName })] })], 'node1')
      assert.equal(found?.local, local)
    })
  }

  const conditions: readonly (readonly [serving: boolean, terminating: boolean, expected: boolean])[] = [
    [true, true, true],
    [true, false, false],
    [false, true, false],
    [false, false, false],
  ]
  for (const [serving, terminating, expected] of conditions) {
    it(`is ${expected ? '' : 'not '}a fallback with serving ${serving} and terminating ${terminating}`, () => {
      const [found] = endpointsOf(portOf(), [slice({ endpoints: [endpoint('10.244.1.1', { serving, terminating })] })], 'node1')
      assert.equal(found !== undefined && isServingTerminating(found), expected)
    })
  }
})

describe('an endpoint in several slices', () => {
  const ready = { ready: true, serving: true, terminating: false }
  const draining = { ready: false, serving: true, terminating: true }
  const gone = { ready: false, serving: false, terminating: true }
  const here = { nodeName: 'node1' }
  const away = { nodeName: 'node2' }
  const rows: readonly (readonly [title: string, best: Partial<SliceEndpoint>, other: Partial<SliceEndpoint>])[] = [
    ['ready over draining', ready, draining],
    ['ready over gone', ready, gone],
    ['draining over gone', draining, gone],
    ['ready elsewhere over draining here', { ...ready, ...away }, { ...draining, ...here }],
    ['here over elsewhere where both are ready', { ...ready, ...here }, { ...ready, ...away }],
  ]
  for (const [title, best, other] of rows) {
    for (const [order, [first, second]] of Object.entries({ 'best first': [best, other], 'best last': [other, best] })) {
      it(`counts once, ${title}, ${order}`, () => {
        const slices = [
          slice({ name: 'a', endpoints: [endpoint('10.244.1.1', first)] }),
          slice({ name: 'b', endpoints: [endpoint('10.244.1.1', second)] }),
        ]
        const found = endpointsOf(portOf(), slices, 'node1')
        assert.equal(found.length, 1)
        const { ready, serving, terminating, local } =
          endpointsOf(portOf(), [slice({ endpoints: [endpoint('10.244.1.1', best)] })], 'node1')[0] ?? {}
        assert.deepEqual(
          found.map(({ ready, serving, terminating, local }) => ({ ready, serving, terminating, local })),
          [{ ready, serving, terminating, local }],
        )
      })
    }
  }

  it('counts once within one slice, too', () => {
    assert.deepEqual(hostPorts([slice({ endpoints: [endpoint('10.244.1.1'), endpoint('10.244.1.1')] })]), ['10.244.1.1:8080'])
  })

  it('keeps the hints of the first slice where both mentions are as good', () => {
    const slices = [
      slice({ name: 'a', endpoints: [endpoint('10.244.1.1', { zoneHints: ['zone-a'] })] }),
      slice({ name: 'b', endpoints: [endpoint('10.244.1.1', { zoneHints: ['zone-b'] })] }),
    ]
    assert.deepEqual(
      endpointsOf(portOf(), slices, 'node1').map(({ zoneHints }) => zoneHints),
      [['zone-a']],
    )
  })
})

describe('the order of endpoints', () => {
  it("is that of `address:port` as text, which is kube-proxy's: 10 before 2, a shorter port before a longer one that begins alike", () => {
    const texts = ['10.244.1.2', '10.244.1.10', '10.244.1.1', '9.0.0.1', '10.244.1.100']
    const slices = [
      slice({ name: 'a', endpoints: texts.map(text => endpoint(text)), ports: [{ name: '', protocol: 'TCP', port: 808 }] }),
      slice({ name: 'b', endpoints: [endpoint('10.244.1.1')] }),
    ]
    assert.deepEqual(hostPorts(slices), [
      '10.244.1.100:808',
      '10.244.1.10:808',
      '10.244.1.1:808',
      '10.244.1.1:8080',
      '10.244.1.2:808',
      '9.0.0.1:808',
    ])
  })

  it('does not depend on the order inside slices', () => {
    const texts = ['10.244.1.2', '10.244.1.10', '10.244.1.1', '10.244.2.1']
    fc.assert(
      fc.property(fc.shuffledSubarray(texts, { minLength: texts.length }), shuffled => {
        const of = (order: readonly string[]): readonly string[] =>
          hostPorts([slice({ endpoints: order.map(text => endpoint(text)) })])
        assert.deepEqual(of(shuffled), of(texts))
      }),
    )
  })
})
