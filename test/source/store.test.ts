// The store: what a change dirties, what reads give, and that the way to a state leaves no trace in it.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type ClusterObject, type ServiceKey, serviceKey } from '../../src/model/objects.ts'
import { sameObject } from '../../src/source/decode.ts'
import { type ObjectChange, type ObjectId, objectId } from '../../src/source/source.ts'
import { createStore, type Store } from '../../src/source/store.ts'
import { decoded, type Raw, rawNode, rawService, rawSlice } from './support/objects.ts'

const web = serviceKey('default', 'web')
const api = serviceKey('default', 'api')

const put = (raw: Raw): ObjectChange => {
  const object = decoded(raw)
  return { id: idOf(object), object }
}
const gone = (id: ObjectId): ObjectChange => ({ id, object: undefined })
const idOf = (object: ClusterObject): ObjectId =>
  objectId(object.kind, object.kind === 'Node' ? undefined : object.namespace, object.name)

const service = (name: string, spec: Raw = {}, uid = 'u'): Raw => rawService(spec, { metadata: { name, uid } })
const slice = (name: string, serviceName: string, addresses: readonly string[] = ['10.244.1.1']): Raw =>
  rawSlice(
    { endpoints: addresses.map(address => ({ addresses: [address] })) },
    { name, labels: { 'kubernetes.io/service-name': serviceName } },
  )

describe('what a change dirties', () => {
  interface Row {
    readonly title: string
    readonly before: readonly ObjectChange[]
    readonly changes: readonly ObjectChange[]
    readonly services: readonly ServiceKey[]
    readonly node?: boolean
  }
  const rows: readonly Row[] = [
    { title: 'a new Service dirties itself', before: [], changes: [put(service('web'))], services: [web] },
    {
      title: 'a changed Service dirties itself alone',
      before: [put(service('web')), put(service('api'))],
      changes: [put(service('web', { ports: [{ port: 81 }] }))],
      services: [web],
    },
    { title: 'an equal Service dirties nothing', before: [put(service('web'))], changes: [put(service('web'))], services: [] },
    {
      title: 'a Service of another uid dirties itself',
      before: [put(service('web'))],
      changes: [put(service('web', {}, 'v'))],
      services: [web],
    },
    {
      title: 'a deleted Service dirties itself',
      before: [put(service('web'))],
      changes: [gone('Service default/web')],
      services: [web],
    },
    {
      title: 'a Service deleted and made again dirties itself',
      before: [put(service('web'))],
      changes: [gone('Service default/web'), put(service('web'))],
      services: [web],
    },
    {
      title: 'the deletion of what is not there dirties nothing',
      before: [],
      changes: [gone('Service default/web'), gone('EndpointSlice default/a'), gone('Node node1')],
      services: [],
    },
    {
      title: 'a slice dirties its Service, even before that is there',
      before: [],
      changes: [put(slice('a', 'web'))],
      services: [web],
    },
    {
      title: 'a changed slice dirties its Service',
      before: [put(slice('a', 'web'))],
      changes: [put(slice('a', 'web', ['10.244.1.2']))],
      services: [web],
    },
    {
      title: 'an equal slice dirties nothing',
      before: [put(slice('a', 'web'))],
      changes: [put(slice('a', 'web'))],
      services: [],
    },
    {
      title: 'a slice that moves dirties both Services',
      before: [put(slice('a', 'web'))],
      changes: [put(slice('a', 'api'))],
      services: [web, api],
    },
    {
      title: 'a deleted slice dirties its Service',
      before: [put(slice('a', 'web'))],
      changes: [gone('EndpointSlice default/a')],
      services: [web],
    },
    { title: "this node's Node dirties the node", before: [], changes: [put(rawNode())], services: [], node: true },
    { title: 'an equal Node dirties nothing', before: [put(rawNode())], changes: [put(rawNode())], services: [] },
    {
      title: 'a changed Node dirties the node',
      before: [put(rawNode())],
      changes: [put(rawNode({ status: {} }))],
      services: [],
      node: true,
    },
    {
      title: 'a deleted Node dirties the node',
      before: [put(rawNode())],
      changes: [gone('Node node1')],
      services: [],
      node: true,
    },
    {
      title: 'another Node dirties nothing',
      before: [],
      changes: [put(rawNode({ metadata: { name: 'node2' } })), gone('Node node2')],
      services: [],
    },
  ]
  for (const { title, before, changes, services, node = false } of rows) {
    it(title, () => {
      const store = createStore({ nodeName: 'node1' })
      store.apply(before)
      const dirty = store.apply(changes)
      assert.deepEqual([...dirty.services].sort(), [...services].sort())
      assert.equal(dirty.node, node)
    })
  }
})

describe('what reads give', () => {
  it('slices are sorted by name, and the list stays the same until one of them changes', () => {
    const store = createStore({ nodeName: 'node1' })
    store.apply([put(slice('c', 'web')), put(slice('a', 'web')), put(slice('b', 'web')), put(slice('x', 'api'))])
    const first = store.slices(web)
    assert.deepEqual(
      first.map(({ name }) => name),
      ['a', 'b', 'c'],
    )
    store.apply([put(slice('x', 'api', [])), put(slice('b', 'web'))])
    assert.equal(store.slices(web), first)
    store.apply([gone('EndpointSlice default/a')])
    assert.deepEqual(
      store.slices(web).map(({ name }) => name),
      ['b', 'c'],
    )
    assert.deepEqual(
      first.map(({ name }) => name),
      ['a', 'b', 'c'],
    )
  })

  it('a Service that is not there has no slices', () => {
    assert.deepEqual(createStore({ nodeName: 'node1' }).slices(web), [])
    assert.equal(createStore({ nodeName: 'node1' }).service(web), undefined)
  })

  it('counts follow additions, changes, moves and deletions', () => {
    const store = createStore({ nodeName: 'node1' })
    const expectAfter = (change: ObjectChange, services: number, slices: number, endpoints: number): void => {
      store.apply([change])
      assert.deepEqual(store.counts(), { services, slices, endpoints })
    }
    expectAfter(put(slice('a', 'web', ['10.0.0.1', '10.0.0.2'])), 0, 1, 2)
    expectAfter(put(service('web')), 1, 1, 2)
    expectAfter(put(slice('a', 'api', ['10.0.0.1', '10.0.0.2', '10.0.0.3'])), 1, 1, 3)
    expectAfter(put(slice('b', 'web')), 1, 2, 4)
    expectAfter(put(rawNode()), 1, 2, 4)
    expectAfter(gone('EndpointSlice default/a'), 1, 1, 1)
    expectAfter(gone('Service default/web'), 0, 1, 1)
  })

  it('only the own Node is kept', () => {
    const store = createStore({ nodeName: 'node1' })
    store.apply([put(rawNode({ metadata: { name: 'node2' } }))])
    assert.equal(store.node(), undefined)
    store.apply([put(rawNode())])
    assert.equal(store.node()?.name, 'node1')
  })
})

describe('any sequence of changes', () => {
  const names = fc.constantFrom('web', 'api', 'db')
  const object: fc.Arbitrary<Raw> = fc.oneof(
    fc
      .tuple(names, fc.integer({ min: 80, max: 82 }), fc.constantFrom('u', 'v'))
      .map(([name, port, uid]) => service(name, { ports: [{ port }] }, uid)),
    fc.tuple(fc.constantFrom('a', 'b', 'c', 'd'), names, fc.integer({ min: 0, max: 3 })).map(([name, owner, count]) =>
      slice(
        name,
        owner,
        Array.from({ length: count }, (_, index) => `10.0.0.${index + 1}`),
      ),
    ),
    fc
      .tuple(fc.constantFrom('node1', 'node2'), fc.constantFrom('zone-a', 'zone-b'))
      .map(([name, zone]) => rawNode({ metadata: { name, labels: { 'topology.kubernetes.io/zone': zone } } })),
  )
  const change = fc.tuple(object, fc.boolean()).map(([raw, keep]) => (keep ? put(raw) : gone(put(raw).id)))
  const keys = ['web', 'api', 'db'].map(name => serviceKey('default', name))
  const seen = (store: Store) => ({
    services: [...store.services()].sort((one, other) => one.name.localeCompare(other.name)),
    byKey: keys.map(key => [store.service(key), store.slices(key)]),
    node: store.node(),
    counts: store.counts(),
  })

  it('ends in the store that its final state makes', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 60 }), changes => {
        const store = createStore({ nodeName: 'node1' })
        for (const one of changes) store.apply([one])
        const final = new Map(changes.map(({ id, object: last }) => [id, last]))
        const fresh = createStore({ nodeName: 'node1' })
        fresh.apply([...final].map(([id, last]) => ({ id, object: last })))
        assert.deepEqual(seen(store), seen(fresh))
      }),
      { numRuns: 300 },
    )
  })

  it('dirties every Service that reads otherwise afterwards, and in one step none that does not', () => {
    fc.assert(
      fc.property(fc.array(fc.array(change, { maxLength: 5 }), { maxLength: 12 }), batches => {
        const store = createStore({ nodeName: 'node1' })
        for (const batch of batches) {
          const before = seen(store)
          const dirty = store.apply(batch)
          const after = seen(store)
          for (const [index, key] of keys.entries()) {
            const same = sameObject(before.byKey[index], after.byKey[index])
            if (!same) assert.ok(dirty.services.has(key), key)
            else if (batch.length <= 1) assert.ok(!dirty.services.has(key), key)
          }
          if (!sameObject(before.node, after.node)) assert.ok(dirty.node)
        }
      }),
      { numRuns: 300 },
    )
  })
})
