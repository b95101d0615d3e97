import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { LocalPolicyCount } from '../../src/metrics/local-policy.ts'
import type { EndpointSlice, Service, ServiceKey } from '../../src/model/objects.ts'
import { updateDecisions } from '../../src/sync/decisions.ts'
import { endpoint, node, type ServiceFields, service, slice } from '../support/cluster.ts'
import { clusterOf } from '../support/scenario.ts'

function decisionsOf(objects: readonly (Service | EndpointSlice)[]) {
  return updateDecisions({ decisions: new Map(), scope: 'everything', cluster: clusterOf(objects), family: 'IPv4', node })
}

const elsewhere = slice({ endpoints: [endpoint('10.244.2.1', { nodeName: 'node2' })] })
const here = slice({ endpoints: [endpoint('10.244.1.1')] })
const nodePort = [{ name: '', protocol: 'TCP', port: 80, nodePort: 30_080 }] as const

const rows: readonly (readonly [
  about: string,
  fields: ServiceFields,
  slices: readonly EndpointSlice[],
  count: readonly [internal: number, external: number],
])[] = [
  ['policy Cluster', {}, [elsewhere], [0, 0]],
  ['internal policy Local, endpoints elsewhere', { internalTrafficPolicy: 'Local' }, [elsewhere], [1, 0]],
  ['internal policy Local, an endpoint here', { internalTrafficPolicy: 'Local' }, [here], [0, 0]],
  ['internal policy Local, no endpoints at all', { internalTrafficPolicy: 'Local' }, [], [0, 0]],
  ['external policy Local, endpoints elsewhere', { externalTrafficPolicy: 'Local', ports: nodePort }, [elsewhere], [0, 1]],
  ['the same on a Service that nobody outside can reach', { externalTrafficPolicy: 'Local' }, [elsewhere], [0, 0]],
  ['both', { internalTrafficPolicy: 'Local', externalTrafficPolicy: 'Local', ports: nodePort }, [elsewhere], [1, 1]],
]

describe('service ports that drop for want of a local endpoint', () => {
  for (const [about, fields, slices, [internal, external]] of rows) {
    it(about, () => {
      const count = new LocalPolicyCount()
      count.update('everything', decisionsOf([service(fields), ...slices]))
      assert.deepEqual(count.total(), { internal, external })
    })
  }

  it('are counted anew for the Services that changed', () => {
    const count = new LocalPolicyCount()
    const other = service({ name: 'other', internalTrafficPolicy: 'Local' })
    const ofOther = slice({ name: 'other-abc', service: 'other', endpoints: elsewhere.endpoints })
    const web = service({ internalTrafficPolicy: 'Local' })
    const scope = new Set(['default/web' as ServiceKey])
    count.update('everything', decisionsOf([web, elsewhere, other, ofOther]))
    assert.equal(count.total().internal, 2)
    count.update(scope, decisionsOf([web, here, other, ofOther]))
    assert.equal(count.total().internal, 1)
    count.update(scope, decisionsOf([web, elsewhere, other, ofOther]))
    count.update(scope, decisionsOf([other, ofOther]))
    assert.equal(count.total().internal, 1)
  })
})
