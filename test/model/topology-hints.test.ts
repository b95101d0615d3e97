// When topology hints are followed and when they are not (KEP-2433, KEP-3015 and their documentation).
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { endpointsOf } from '../../src/model/endpoint.ts'
import type { NodeFacts } from '../../src/model/node.ts'
import type { SliceEndpoint, TrafficPolicy } from '../../src/model/objects.ts'
import { type ServicePort, servicePorts } from '../../src/model/service-port.ts'
import { decidePort } from '../../src/model/traffic-policy.ts'
import { endpoint, node, service, slice } from '../support/cluster.ts'

interface Row {
  readonly title: string
  /** In the order 10.244.1.1, 10.244.1.2, ...: hints and conditions. */
  readonly endpoints: readonly Partial<SliceEndpoint>[]
  readonly node?: Partial<NodeFacts>
  /** The last numbers of the addresses that get traffic. */
  readonly cluster: readonly number[]
}

const a = { zoneHints: ['zone-a'] }
const b = { zoneHints: ['zone-b'] }
const one = { nodeHints: ['node1'] }
const two = { nodeHints: ['node2'] }
const draining = { ready: false, serving: true, terminating: true }
const notReady = { ready: false, serving: false }

const rows: readonly Row[] = [
  { title: 'no hints: all', endpoints: [{}, {}], cluster: [1, 2] },
  { title: 'zone hints: those of our zone', endpoints: [a, b, a], cluster: [1, 3] },
  { title: 'an endpoint for several zones counts in each', endpoints: [{ zoneHints: ['zone-b', 'zone-a'] }, b], cluster: [1] },
  { title: 'one ready endpoint has no zone hint: all', endpoints: [a, b, {}], cluster: [1, 2, 3] },
  { title: 'only an unready endpoint has no zone hint: our zone', endpoints: [a, b, { ...notReady }], cluster: [1] },
  { title: 'only a draining endpoint has no zone hint: our zone', endpoints: [a, b, { ...draining }], cluster: [1] },
  { title: 'none for our zone: all', endpoints: [b, b], cluster: [1, 2] },
  { title: 'only an unready one for our zone: all ready ones', endpoints: [{ ...a, ...notReady }, b, b], cluster: [2, 3] },
  { title: 'our zone is unknown: all', endpoints: [a, b], node: { zone: undefined }, cluster: [1, 2] },
  { title: 'the other zone: its own', endpoints: [a, b], node: { zone: 'zone-b' }, cluster: [2] },
  { title: 'node hints: those of this node', endpoints: [one, two], cluster: [1] },
  {
    title: 'node hints win over zone hints',
    endpoints: [
      { ...one, ...b },
      { ...two, ...a },
    ],
    cluster: [1],
  },
  {
    title: 'none for this node: the zone hints',
    endpoints: [
      { ...two, ...a },
      { ...two, ...b },
    ],
    cluster: [1],
  },
  { title: 'one has no node hint: the zone hints', endpoints: [{ ...one, ...b }, a], cluster: [2] },
  { title: 'one has no node hint, none has zone hints: all', endpoints: [one, {}], cluster: [1, 2] },
  { title: 'none for this node and no zone hints: all', endpoints: [two, two], cluster: [1, 2] },
  { title: 'node hints work where our zone is unknown', endpoints: [one, two], node: { zone: undefined }, cluster: [1] },
  { title: 'an empty list of hints is for nobody', endpoints: [{ zoneHints: [] }, a], cluster: [2] },
  {
    title: 'draining endpoints are the fallback whatever their hints say',
    endpoints: [
      { ...b, ...draining },
      { ...a, ...draining },
    ],
    cluster: [1, 2],
  },
]

const portWith = (externalTrafficPolicy: TrafficPolicy): ServicePort =>
  servicePorts(
    service({ type: 'NodePort', externalTrafficPolicy, ports: [{ name: '', protocol: 'TCP', port: 80, nodePort: 30_080 }] }),
    'IPv4',
  )[0] as ServicePort

const decideWith = (
  endpoints: readonly Partial<SliceEndpoint>[],
  facts: Partial<NodeFacts> = {},
  policy: TrafficPolicy = 'Cluster',
) => {
  const port = portWith(policy)
  const slices = [
    slice({ endpoints: endpoints.map((fields, index) => endpoint(`10.244.1.${index + 1}`, { nodeName: 'node2', ...fields })) }),
  ]
  return decidePort(port, endpointsOf(port, slices, 'node1'), { ...node, ...facts })
}
const numbers = (endpoints: readonly { readonly address: string }[]): readonly number[] =>
  endpoints.map(({ address }) => Number(address.split('.')[3]))

describe('topology hints', () => {
  for (const { title, endpoints, node: facts, cluster } of rows) {
    it(title, () => assert.deepEqual(numbers(decideWith(endpoints, facts).cluster), cluster))
  }

  it('do not touch policy Local: an endpoint here that is meant for another zone still gets its traffic', () => {
    const decision = decideWith([{ ...a }, { ...b, nodeName: 'node1' }], {}, 'Local')
    assert.deepEqual(numbers(decision.cluster), [1])
    assert.deepEqual(numbers(decision.local), [2])
    assert.deepEqual(numbers(decision.reachable), [1, 2])
  })
})
