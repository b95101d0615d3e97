import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ServiceChecks } from '../../src/health/service-checks.ts'
import { type IpFamily, ipFamilies } from '../../src/model/address.ts'
import type { EndpointSlice, Service, ServiceKey } from '../../src/model/objects.ts'
import type { Scope } from '../../src/modes/mode.ts'
import { updateDecisions } from '../../src/sync/decisions.ts'
import { address, endpoint, keyOf, node, service, slice } from '../support/cluster.ts'
import { clusterOf } from '../support/scenario.ts'

const key = 'default/web' as ServiceKey

const local: Partial<Service> = {
  type: 'LoadBalancer',
  externalTrafficPolicy: 'Local',
  healthCheckNodePort: 32_000,
  loadBalancerAddresses: [address('192.0.2.1')],
  ports: [{ name: '', protocol: 'TCP', port: 80, nodePort: 30_080 }],
}

/** As the engine would tell it after a pass over these objects. */
function program(options: {
  readonly checks: ServiceChecks
  readonly objects: readonly (Service | EndpointSlice)[]
  readonly scope?: Scope
  readonly families?: readonly IpFamily[]
}): void {
  const { checks, objects, scope = 'everything', families = ['IPv4'] } = options
  const cluster = clusterOf(objects)
  for (const family of families) {
    const decisions = updateDecisions({ decisions: new Map(), scope: 'everything', cluster, family, node })
    checks.update({ family, scope, decisions, nodeName: node.name, slices: service => cluster.slices(service) })
  }
}

function countOf(objects: readonly (Service | EndpointSlice)[], families: readonly IpFamily[] = ['IPv4']): number | undefined {
  const checks = new ServiceChecks()
  program({ checks, objects, families })
  return checks.wanted().get(key)?.localEndpoints
}

interface Row {
  readonly about: string
  readonly objects: readonly (Service | EndpointSlice)[]
  readonly count: number | undefined
  readonly families?: readonly IpFamily[]
}

const rows: readonly Row[] = [
  { about: 'a Service without such a port', objects: [service({ ...local, healthCheckNodePort: 0 })], count: undefined },
  { about: 'one without endpoints', objects: [service(local)], count: 0 },
  {
    about: 'ready endpoints here count, those elsewhere do not',
    objects: [
      service(local),
      slice({ endpoints: [endpoint('10.244.1.1'), endpoint('10.244.1.2'), endpoint('10.244.2.1', { nodeName: 'node2' })] }),
    ],
    count: 2,
  },
  {
    about: 'an endpoint that is not ready, or terminates, does not count, although it may still get traffic',
    objects: [
      service(local),
      slice({
        endpoints: [endpoint('10.244.1.1', { ready: false }), endpoint('10.244.1.2', { ready: false, terminating: true })],
      }),
    ],
    count: 0,
  },
  {
    about: 'a pod behind two ports counts once',
    objects: [
      service({
        ...local,
        ports: [
          { name: 'http', protocol: 'TCP', port: 80, nodePort: 30_080 },
          { name: 'https', protocol: 'TCP', port: 443, nodePort: 30_443 },
        ],
      }),
      slice({
        ports: [
          { name: 'http', protocol: 'TCP', port: 8080 },
          { name: 'https', protocol: 'TCP', port: 8443 },
        ],
        endpoints: [endpoint('10.244.1.1')],
      }),
    ],
    count: 1,
  },
  {
    about: 'a pod that is behind one port only counts',
    objects: [
      service({
        ...local,
        ports: [
          { name: 'http', protocol: 'TCP', port: 80, nodePort: 30_080 },
          { name: 'https', protocol: 'TCP', port: 443, nodePort: 30_443 },
        ],
      }),
      slice({ ports: [{ name: 'https', protocol: 'TCP', port: 8443 }], endpoints: [endpoint('10.244.1.1')] }),
    ],
    count: 1,
  },
  {
    about: 'a load balancer that has no address and no node port yet',
    objects: [
      service({ ...local, loadBalancerAddresses: [], ports: [{ name: '', protocol: 'TCP', port: 80, nodePort: 0 }] }),
      slice({ endpoints: [endpoint('10.244.1.1')] }),
    ],
    count: 1,
  },
  {
    about: 'of two families the one with more counts: a pod is in both',
    objects: [
      service({ ...local, ipFamilies: ['IPv4', 'IPv6'], clusterIPs: [address('10.96.0.7'), address('fd00:10:96::7')] }),
      slice({ endpoints: [endpoint('10.244.1.1'), endpoint('10.244.1.2')] }),
      slice({ name: 'web-six', family: 'IPv6', endpoints: [endpoint('fd00:10:244:1::1')] }),
    ],
    families: ipFamilies,
    count: 2,
  },
]

describe('the health check of a Service', () => {
  for (const { about, objects, count, families } of rows) it(about, () => assert.equal(countOf(objects, families), count))
})

describe('the health checks of a cluster', () => {
  it('follow changes Service by Service', () => {
    const checks = new ServiceChecks()
    const other = service({ ...local, name: 'other', healthCheckNodePort: 32_001 })
    program({ checks, objects: [service(local), other] })
    assert.deepEqual([...checks.wanted().keys()], [key, 'default/other'])
    const changed = service({ ...local, healthCheckNodePort: 32_002 })
    program({ checks, objects: [changed, other], scope: new Set([key]) })
    assert.equal(checks.wanted().get(key)?.port, 32_002)
    program({ checks, objects: [], scope: new Set([key]) })
    assert.deepEqual([...checks.wanted().keys()], ['default/other'])
    program({ checks, objects: [], scope: 'everything' })
    assert.equal(checks.wanted().size, 0)
    assert.equal(keyOf(other), 'default/other')
  })
})
