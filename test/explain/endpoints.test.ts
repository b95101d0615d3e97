// Why an endpoint gets new connections or not: a table of reasons, and that the words never contradict the Decision.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { explainEndpoints } from '../../src/explain/endpoints.ts'
import { endpointsOf } from '../../src/model/endpoint.ts'
import type { SliceEndpoint, TrafficPolicy } from '../../src/model/objects.ts'
import { servicePorts } from '../../src/model/service-port.ts'
import { decidePort } from '../../src/model/traffic-policy.ts'
import { arbitraryBundle, arbitraryNode, endpoint, node, service, slice } from '../support/cluster.ts'

const both = { internal: 'Cluster', external: 'Local' } as const
const draining = { ready: false, serving: true, terminating: true }
const gone = { ready: false, serving: false, terminating: true }
const notReady = { ready: false, serving: false }

interface Row {
  readonly title: string
  /** In the order 10.244.1.1, 10.244.1.2, ... */
  readonly endpoints: readonly Partial<SliceEndpoint>[]
  readonly policies?: { readonly internal: TrafficPolicy; readonly external: TrafficPolicy }
  readonly nodePort?: number
  /** A share, or the reason why there is none; null: nothing uses the policy. */
  readonly cluster: readonly (number | string | null)[]
  readonly local: readonly (number | string | null)[]
}

const rows: readonly Row[] = [
  {
    title: 'equal shares of what is ready, here and elsewhere',
    endpoints: [{}, { nodeName: 'node2' }],
    cluster: [0.5, 0.5],
    local: [1, 'on node node2, and the policy is Local'],
  },
  {
    title: 'a policy that nothing uses has no chances',
    endpoints: [{}],
    policies: { internal: 'Cluster', external: 'Cluster' },
    cluster: [1],
    local: [null],
  },
  {
    title: 'without an address for outside externalTrafficPolicy counts for nothing',
    endpoints: [{}],
    policies: { internal: 'Local', external: 'Cluster' },
    nodePort: 0,
    cluster: [null],
    local: [1],
  },
  { title: 'not ready', endpoints: [{}, notReady], cluster: [1, 'not ready'], local: [1, 'not ready'] },
  {
    title: 'terminating beside ready ones',
    endpoints: [{}, draining, gone],
    cluster: [1, 'terminating, and ready ones exist', 'terminating and does not serve any more'],
    local: [1, 'terminating, and ready ones exist on this node', 'terminating and does not serve any more'],
  },
  {
    title: 'the ready one is elsewhere: policy Local falls back on this node alone',
    endpoints: [draining, { nodeName: 'node2' }],
    cluster: ['terminating, and ready ones exist', 1],
    local: [1, 'on node node2, and the policy is Local'],
  },
  {
    title: 'nothing is ready',
    endpoints: [draining, gone, notReady],
    cluster: [1, 'terminating and does not serve any more', 'not ready'],
    local: [1, 'terminating and does not serve any more', 'not ready'],
  },
  {
    title: 'hints for zones, which policy Local does not ask',
    endpoints: [{ zoneHints: ['zone-a'] }, { zoneHints: ['zone-b'] }, { zoneHints: ['zone-b', 'zone-c'] }, { zoneHints: [] }],
    cluster: [1, 'hints give it to zone zone-b', 'hints give it to zones zone-b, zone-c', 'hints give it to no zone'],
    local: [0.25, 0.25, 0.25, 0.25],
  },
  {
    title: 'hints for nodes',
    endpoints: [
      { nodeHints: ['node1'], zoneHints: ['zone-a'] },
      { nodeHints: ['node2'], zoneHints: ['zone-a'] },
    ],
    cluster: [1, 'hints give it to node node2'],
    local: [0.5, 0.5],
  },
  {
    title: 'hints that are not complete are not followed',
    endpoints: [{ zoneHints: ['zone-b'] }, {}],
    cluster: [0.5, 0.5],
    local: [0.5, 0.5],
  },
  {
    title: 'a node without a name',
    endpoints: [{ nodeName: undefined }],
    cluster: [1],
    local: ['on no known node, and the policy is Local'],
  },
]

describe('explainEndpoints', () => {
  for (const { title, endpoints, policies = both, nodePort = 30080, cluster, local } of rows) {
    it(title, () => {
      const owner = service({
        internalTrafficPolicy: policies.internal,
        externalTrafficPolicy: policies.external,
        ports: [{ name: '', protocol: 'TCP', port: 80, nodePort }],
      })
      const [servicePort] = servicePorts(owner, 'IPv4')
      assert.ok(servicePort)
      const slices = [slice({ endpoints: endpoints.map((fields, index) => endpoint(`10.244.1.${index + 1}`, fields)) })]
      const details = explainEndpoints({ servicePort, endpoints: endpointsOf(servicePort, slices, node.name), node })
      const words = (chance: (typeof details)[number]['cluster']): number | string | null =>
        chance === null ? null : (chance.reason ?? chance.share)
      assert.deepEqual(
        details.map(detail => words(detail.cluster)),
        cluster,
      )
      assert.deepEqual(
        details.map(detail => words(detail.localPolicy)),
        local,
      )
    })
  }

  it('names the pod with its namespace', () => {
    const [servicePort] = servicePorts(service({ namespace: 'shop' }), 'IPv4')
    assert.ok(servicePort)
    const slices = [slice({ service: 'shop/web', endpoints: [endpoint('10.244.1.1', { podName: 'web-1', nodeName: 'node2' })] })]
    assert.deepEqual(explainEndpoints({ servicePort, endpoints: endpointsOf(servicePort, slices, node.name), node }), [
      {
        endpoint: '10.244.1.1:8080',
        pod: 'shop/web-1',
        node: 'node2',
        local: false,
        ready: true,
        serving: true,
        terminating: false,
        cluster: { share: 1, reason: null },
        localPolicy: null,
      },
    ])
  })

  it('gives a share to those that the Decision selects and a true reason to all others', () => {
    const selected = (hostPorts: readonly { readonly hostPort: string }[]): readonly string[] =>
      hostPorts.map(({ hostPort }) => hostPort)
    fc.assert(
      fc.property(arbitraryBundle(1), arbitraryNode, ({ service: owner, slices }, facts) => {
        if (owner === undefined) return
        for (const family of owner.ipFamilies) {
          for (const servicePort of servicePorts(owner, family)) {
            const endpoints = endpointsOf(servicePort, slices, facts.name)
            const decision = decidePort(servicePort, endpoints, facts)
            const details = explainEndpoints({ servicePort, endpoints, node: facts })
            assert.deepEqual(
              details.map(detail => detail.endpoint),
              selected(endpoints),
            )
            for (const policy of ['cluster', 'localPolicy'] as const) {
              const chosen = details.filter(detail => detail[policy]?.reason === null)
              assert.deepEqual(
                chosen.map(detail => detail.endpoint),
                selected(decision[policy === 'cluster' ? 'cluster' : 'local']),
              )
              for (const detail of details) {
                const chance = detail[policy]
                if (chance === null) continue
                assert.equal(chance.share, chance.reason === null ? 1 / chosen.length : 0)
                assertTrue(chance.reason, detail)
              }
            }
          }
        }
      }),
    )
  })
})

/** Each reason speaks of what the endpoint itself says. */
function assertTrue(reason: string | null, detail: ReturnType<typeof explainEndpoints>[number]): void {
  if (reason === null) return
  if (reason.startsWith('on ')) assert.ok(!detail.local, reason)
  else if (reason.startsWith('hints')) assert.ok(detail.ready, reason)
  else if (reason === 'not ready') assert.ok(!detail.ready && !detail.terminating, reason)
  else assert.ok(!detail.ready && detail.terminating && detail.serving === reason.startsWith('terminating, '), reason)
}
