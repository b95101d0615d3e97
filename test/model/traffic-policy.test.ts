// Who gets which traffic: every combination of policies, exposure and endpoints that makes a difference.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type Endpoint, endpointsOf } from '../../src/model/endpoint.ts'
import type { SliceEndpoint, TrafficPolicy } from '../../src/model/objects.ts'
import { type ServicePort, servicePorts } from '../../src/model/service-port.ts'
import { decide, decidePort, type Fate, hasEndpoints } from '../../src/model/traffic-policy.ts'
import { arbitraryBundle, arbitraryNode, endpoint, node, service, slice } from '../support/cluster.ts'

type Kind = 'ready here' | 'ready away' | 'draining here' | 'draining away' | 'not ready' | 'gone'

const conditionsOf: Record<Kind, Partial<SliceEndpoint>> = {
  'ready here': { nodeName: 'node1' },
  'ready away': { nodeName: 'node2' },
  'draining here': { nodeName: 'node1', ready: false, serving: true, terminating: true },
  'draining away': { nodeName: 'node2', ready: false, serving: true, terminating: true },
  'not ready': { nodeName: 'node1', ready: false, serving: false },
  gone: { nodeName: 'node1', ready: false, serving: false, terminating: true },
}

interface Mixture {
  readonly endpoints: readonly Kind[]
  /** Who gets traffic of policy Cluster, and of policy Local, where these policies are in use. */
  readonly cluster: readonly Kind[]
  readonly local: readonly Kind[]
  /** What becomes of a connection under each policy. */
  readonly fates: { readonly Cluster: 'balanced' | 'reject'; readonly Local: 'balanced' | 'reject' | 'drop' }
}

const balanced = { Cluster: 'balanced', Local: 'balanced' } as const
const noneHere = { Cluster: 'balanced', Local: 'drop' } as const
const refused = { Cluster: 'reject', Local: 'reject' } as const

const mixtures: readonly Mixture[] = [
  { endpoints: [], cluster: [], local: [], fates: refused },
  { endpoints: ['not ready'], cluster: [], local: [], fates: refused },
  { endpoints: ['gone'], cluster: [], local: [], fates: refused },
  { endpoints: ['not ready', 'gone'], cluster: [], local: [], fates: refused },
  { endpoints: ['ready here'], cluster: ['ready here'], local: ['ready here'], fates: balanced },
  { endpoints: ['ready away'], cluster: ['ready away'], local: [], fates: noneHere },
  { endpoints: ['ready here', 'ready away'], cluster: ['ready here', 'ready away'], local: ['ready here'], fates: balanced },
  { endpoints: ['draining here'], cluster: ['draining here'], local: ['draining here'], fates: balanced },
  { endpoints: ['draining away'], cluster: ['draining away'], local: [], fates: noneHere },
  {
    endpoints: ['draining here', 'draining away'],
    cluster: ['draining here', 'draining away'],
    local: ['draining here'],
    fates: balanced,
  },
  { endpoints: ['ready here', 'draining here'], cluster: ['ready here'], local: ['ready here'], fates: balanced },
  { endpoints: ['ready away', 'draining here'], cluster: ['ready away'], local: ['draining here'], fates: balanced },
  { endpoints: ['ready here', 'draining away'], cluster: ['ready here'], local: ['ready here'], fates: balanced },
  { endpoints: ['ready away', 'draining away'], cluster: ['ready away'], local: [], fates: noneHere },
  { endpoints: ['ready away', 'not ready'], cluster: ['ready away'], local: [], fates: noneHere },
  { endpoints: ['draining here', 'not ready'], cluster: ['draining here'], local: ['draining here'], fates: balanced },
  { endpoints: ['ready away', 'gone'], cluster: ['ready away'], local: [], fates: noneHere },
]

interface Policies {
  readonly internal: TrafficPolicy
  readonly external: TrafficPolicy
  readonly exposed: boolean
  /** Which of the two selections anything uses. */
  readonly uses: { readonly cluster: boolean; readonly local: boolean }
}

const policies: readonly Policies[] = [
  { internal: 'Cluster', external: 'Cluster', exposed: false, uses: { cluster: true, local: false } },
  { internal: 'Cluster', external: 'Cluster', exposed: true, uses: { cluster: true, local: false } },
  { internal: 'Cluster', external: 'Local', exposed: false, uses: { cluster: true, local: false } },
  { internal: 'Cluster', external: 'Local', exposed: true, uses: { cluster: true, local: true } },
  { internal: 'Local', external: 'Cluster', exposed: false, uses: { cluster: false, local: true } },
  { internal: 'Local', external: 'Cluster', exposed: true, uses: { cluster: true, local: true } },
  { internal: 'Local', external: 'Local', exposed: false, uses: { cluster: false, local: true } },
  // Pods and the node reach external addresses under policy Cluster even here.
  { internal: 'Local', external: 'Local', exposed: true, uses: { cluster: true, local: true } },
]

/** The address tells the kind: the n-th kind of the list is 10.244.1.n. */
const kinds = Object.keys(conditionsOf) as readonly Kind[]
const addressOf = (kind: Kind): string => `10.244.1.${kinds.indexOf(kind) + 1}`
const kindOf = ({ address }: Endpoint): Kind | undefined => kinds[Number(address.split('.')[3]) - 1]

const portWith = ({ internal, external, exposed }: Omit<Policies, 'uses'>): ServicePort =>
  servicePorts(
    service({
      type: exposed ? 'NodePort' : 'ClusterIP',
      internalTrafficPolicy: internal,
      externalTrafficPolicy: external,
      ports: [{ name: '', protocol: 'TCP', port: 80, nodePort: exposed ? 30_080 : 0 }],
    }),
    'IPv4',
  )[0] as ServicePort

const sorted = (list: readonly (Kind | undefined)[]): readonly (Kind | undefined)[] => [...list].sort()

describe('decidePort', () => {
  for (const policy of policies) {
    const { internal, external, exposed, uses } = policy
    describe(`internal ${internal}, external ${external}, ${exposed ? 'with' : 'without'} a node port`, () => {
      for (const { endpoints, cluster, local, fates } of mixtures) {
        it(`with ${endpoints.join(' and ') || 'no endpoint'}: internal ${fates[internal]}, external ${fates[external]}`, () => {
          const port = portWith(policy)
          const slices = [slice({ endpoints: endpoints.map(kind => endpoint(addressOf(kind), conditionsOf[kind])) })]
          const decision = decidePort(port, endpointsOf(port, slices, 'node1'), node)
          const fate = (of: TrafficPolicy): Fate => (fates[of] === 'balanced' ? { to: of } : fates[of])
          const expectedCluster = uses.cluster ? cluster : []
          const expectedLocal = uses.local ? local : []
          assert.deepEqual(sorted(decision.cluster.map(kindOf)), sorted(expectedCluster))
          assert.deepEqual(sorted(decision.local.map(kindOf)), sorted(expectedLocal))
          assert.deepEqual(sorted(decision.reachable.map(kindOf)), sorted([...new Set([...expectedCluster, ...expectedLocal])]))
          assert.equal(decision.totalEndpoints, endpoints.length)
          assert.deepEqual(decision.internal, uses[internal === 'Local' ? 'local' : 'cluster'] ? fate(internal) : undefined)
          if (exposed) assert.deepEqual(decision.external, fate(external))
          assert.equal(hasEndpoints(decision), fates.Cluster === 'balanced')
        })
      }
    })
  }
})

describe('decide', () => {
  it('gives nothing for a Service that is not ours, or not of this family', () => {
    const options = { slices: [slice({ endpoints: [endpoint('10.244.1.1')] })], node }
    assert.deepEqual(decide({ ...options, service: service({ headless: true }), family: 'IPv4' }), [])
    assert.deepEqual(decide({ ...options, service: service(), family: 'IPv6' }), [])
  })

  it('decides for each port on its own', () => {
    const owner = service({
      ports: [
        { name: 'http', protocol: 'TCP', port: 80, nodePort: 0 },
        { name: 'admin', protocol: 'TCP', port: 9000, nodePort: 0 },
      ],
    })
    const slices = [slice({ ports: [{ name: 'http', protocol: 'TCP', port: 8080 }], endpoints: [endpoint('10.244.1.1')] })]
    const decisions = decide({ service: owner, slices, family: 'IPv4', node })
    assert.deepEqual(
      decisions.map(({ servicePort, internal }) => [servicePort.name, internal]),
      [
        ['default/web:http', { to: 'Cluster' }],
        ['default/web:admin', 'reject'],
      ],
    )
  })

  it('keeps its promises for any Service: selections are usable and in order, Local ones are here, nothing is balanced over nobody', () => {
    fc.assert(
      fc.property(
        arbitraryBundle(3),
        arbitraryNode,
        fc.constantFrom('IPv4' as const, 'IPv6' as const),
        (bundle, facts, family) => {
          const { service: owner, slices } = bundle
          if (owner === undefined) return
          for (const decision of decide({ service: owner, slices, family, node: facts })) {
            const { servicePort, cluster, local, reachable, internal, external } = decision
            const everyone = endpointsOf(servicePort, slices, facts.name)
            const usable = everyone.filter(({ ready, serving, terminating }) => ready || (serving && terminating))
            const names = (list: readonly Endpoint[]): readonly string[] => list.map(({ hostPort }) => hostPort)
            for (const selection of [cluster, local, reachable]) {
              assert.deepEqual(names(selection), names(usable.filter(({ hostPort }) => names(selection).includes(hostPort))))
            }
            assert.ok(local.every(one => one.local))
            assert.deepEqual(new Set(names(reachable)), new Set([...names(cluster), ...names(local)]))
            assert.equal(hasEndpoints(decision), usable.length > 0)
            const chosen = { Cluster: cluster, Local: local }
            for (const fate of [internal]) assert.ok(typeof fate === 'string' || chosen[fate.to].length > 0)
            if (servicePort.nodePort !== 0) assert.ok(typeof external === 'string' || chosen[external.to].length > 0)
            for (const selection of [cluster, local]) {
              assert.ok(
                selection.every(({ ready }) => ready) || selection.every(({ ready }) => !ready),
                'ready and draining do not mix',
              )
            }
          }
        },
      ),
      { numRuns: 500 },
    )
  })
})
