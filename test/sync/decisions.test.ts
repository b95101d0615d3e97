// Decisions of one family, kept up to date Service by Service.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { ServiceKey } from '../../src/model/objects.ts'
import type { Decision } from '../../src/model/traffic-policy.ts'
import { createStore } from '../../src/source/store.ts'
import { updateDecisions } from '../../src/sync/decisions.ts'
import { address, arbitraryBundle, endpoint, gone, keyOf, node, objectsOf, put, service, slice } from '../support/cluster.ts'

const web = keyOf(service())
const other = service({ name: 'other', clusterIPs: [address('10.96.0.8')] })

const newStore = (...changes: Parameters<ReturnType<typeof createStore>['apply']>[0][]) => {
  const store = createStore({ nodeName: 'node1' })
  for (const change of changes) store.apply(change)
  return store
}
const fresh = () => new Map<ServiceKey, readonly Decision[]>()
const options = { family: 'IPv4', node } as const

describe('updateDecisions', () => {
  it('decides for every Service of ours when everything is in scope, and forgets all others', () => {
    const store = newStore([put(service()), put(other), put(service({ name: 'headless', headless: true, clusterIPs: [] }))])
    const decisions = fresh().set('default/gone' as ServiceKey, [])
    updateDecisions({ ...options, decisions, scope: 'everything', cluster: store })
    assert.deepEqual([...decisions.keys()], [web, keyOf(other)])
  })

  it('touches the Services in scope alone', () => {
    const store = newStore([put(service()), put(other)])
    const decisions = fresh()
    updateDecisions({ ...options, decisions, scope: 'everything', cluster: store })
    const before = decisions.get(keyOf(other))
    store.apply([put(slice({ endpoints: [endpoint('10.244.1.1')] }))])
    updateDecisions({ ...options, decisions, scope: new Set([web]), cluster: store })
    assert.equal(decisions.get(keyOf(other)), before)
    assert.equal(decisions.get(web)?.[0]?.cluster.length, 1)
  })

  it('forgets a Service that is gone, headless, or of the other family now', () => {
    for (const change of [
      gone(service()),
      put(service({ headless: true })),
      put(service({ ipFamilies: ['IPv6'], clusterIPs: [] })),
    ]) {
      const store = newStore([put(service())])
      const decisions = fresh()
      updateDecisions({ ...options, decisions, scope: 'everything', cluster: store })
      store.apply([change])
      updateDecisions({ ...options, decisions, scope: new Set([web]), cluster: store })
      assert.equal(decisions.has(web), false)
    }
  })

  it('ignores slices whose Service is not there, until it comes', () => {
    const store = newStore([put(slice({ endpoints: [endpoint('10.244.1.1')] }))])
    const decisions = fresh()
    updateDecisions({ ...options, decisions, scope: new Set([web]), cluster: store })
    assert.equal(decisions.size, 0)
    store.apply([put(service())])
    updateDecisions({ ...options, decisions, scope: new Set([web]), cluster: store })
    assert.deepEqual(decisions.get(web)?.[0]?.internal, { to: 'Cluster' })
  })

  it('step by step ends where deciding everything at once does', () => {
    const bundles = fc.array(
      fc.nat(3).chain(index => arbitraryBundle(index)),
      { minLength: 1, maxLength: 12 },
    )
    fc.assert(
      fc.property(bundles, fc.constantFrom('IPv4' as const, 'IPv6' as const), (steps, family) => {
        const store = createStore({ nodeName: 'node1' })
        const stepwise = fresh()
        for (const bundle of steps) {
          const dirty = store.apply(objectsOf(bundle).map(put))
          updateDecisions({ ...options, family, decisions: stepwise, scope: dirty.services, cluster: store })
        }
        const atOnce = fresh()
        updateDecisions({ ...options, family, decisions: atOnce, scope: 'everything', cluster: store })
        assert.deepEqual(new Map([...stepwise].sort()), new Map([...atOnce].sort()))
      }),
    )
  })
})
