// GET /switchyard/v1/services: objects and moments in, lists and details out.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ServiceDetail, ServiceList } from '../../src/explain/services-object.ts'
import { toolsOf } from '../../src/kernel/iptables.ts'
import { ipFamilies } from '../../src/model/address.ts'
import type { TrafficSettings } from '../../src/model/node.ts'
import type { ClusterObject, ServiceKey } from '../../src/model/objects.ts'
import { iptablesMode } from '../../src/modes/iptables/index.ts'
import { ipvsMode } from '../../src/modes/ipvs/index.ts'
import type { HttpResponse } from '../../src/server/http.ts'
import { NodeServices, servicesHandler } from '../../src/server/services.ts'
import type { Unread } from '../../src/source/source.ts'
import { createStore } from '../../src/source/store.ts'
import { createSyncEmitter, type SyncReport } from '../../src/sync/events.ts'
import { subscribe } from '../../src/sync/subscribe.ts'
import { address, cidr, endpoint, node, put, service, settings, slice } from '../support/cluster.ts'

const web = 'default/web' as ServiceKey
const objects: readonly ClusterObject[] = [
  service({
    type: 'LoadBalancer',
    loadBalancerAddresses: [address('192.0.2.10')],
    loadBalancerSourceRanges: [cidr('10.200.1.0/24')],
    externalTrafficPolicy: 'Local',
    ports: [{ name: 'http', protocol: 'TCP', port: 80, nodePort: 30_080 }],
  }),
  slice({
    ports: [{ name: 'http', protocol: 'TCP', port: 8080 }],
    endpoints: [
      endpoint('10.244.1.11', { podName: 'web-1' }),
      endpoint('10.244.2.21', { nodeName: 'node2' }),
      endpoint('10.244.2.22', { nodeName: 'node2', ready: false, serving: false }),
    ],
  }),
  service({ name: 'web', namespace: 'shop', clusterIPs: [address('10.96.0.8')] }),
  service({ name: 'db', namespace: 'shop', clusterIPs: [], headless: true }),
  service({ name: 'out', clusterIPs: [], type: 'ExternalName' }),
]

interface SetUp {
  readonly mode?: 'iptables' | 'ipvs'
  readonly traffic?: TrafficSettings
  readonly objects?: readonly ClusterObject[]
  readonly unread?: readonly Unread[]
}

function setUp({ mode = 'iptables', traffic = settings, objects: all = objects, unread = [] }: SetUp = {}) {
  const events = createSyncEmitter()
  const mistake = (message: string): void => assert.fail(message)
  const abilities = { hasScheduler: () => true }
  const modes = ipFamilies.map(family => {
    const tools = toolsOf(family, 'nft')
    return mode === 'ipvs' ? ipvsMode({ family, tools, abilities }) : iptablesMode(family, tools)
  })
  const wall = (): number => Date.parse('2026-08-02T12:00:00Z')
  const services = new NodeServices({
    modes: () => modes,
    live: { config: { nodeName: 'node1', mode, traffic } },
    clock: { wall },
    unread: () => unread,
  })
  subscribe(events, services.listeners, { debug: mistake, info: mistake, warn: mistake, error: mistake })
  const store = createStore({ nodeName: 'node1' })
  const changes = all.map(put)
  store.apply(changes)
  events.emit('changed', { changes, complete: true, unreadable: false, cluster: store })
  const pass = (
    scope: 'everything' | ReadonlySet<ServiceKey> = 'everything',
    refused: ReadonlyMap<ServiceKey, string> = new Map(),
  ) => {
    for (const family of ipFamilies) {
      events.emit('passStarted', { family, scope })
      const rules = { written: {}, total: () => ({}) }
      events.emit('programmed', { family, scope, decisions: new Map(), quarantined: refused, node, settings: traffic, rules })
      events.emit('synced', { family } as SyncReport)
    }
  }
  const handler = servicesHandler(services)
  const get = async (query: string): Promise<HttpResponse> =>
    handler({ path: '/', query: new URLSearchParams(query), accept: undefined })
  const list = async (query = ''): Promise<ServiceList> => JSON.parse((await get(query)).body) as ServiceList
  const detail = async (query: string): Promise<ServiceDetail> =>
    JSON.parse((await get(`service=${query}`)).body) as ServiceDetail
  return { events, pass, get, list, detail }
}

describe('Services that cannot be read', () => {
  const [where, problem] = ['/m/web.yaml: Service default/web', 'spec.ports is missing']

  it('are told of with the reason, and not as if there were none', async () => {
    const { get, list } = setUp({ objects: [], unread: [{ id: 'Service default/web', where, problem, kept: false }] })
    const { status, body } = await get('service=default/web')
    assert.deepEqual([status, body], [404, `${where} cannot be read: ${problem}\n`])
    for (const query of ['', 'name=web', 'search=def'])
      assert.deepEqual((await list(query)).unread, [{ service: 'default/web', where, problem }])
    for (const query of ['name=api', 'search=api']) assert.deepEqual((await list(query)).unread, [])
  })

  it('say that an earlier version is in force', async () => {
    const { list, detail } = setUp({ unread: [{ id: 'Service default/web', where, problem, kept: true }] })
    const { state } = await detail('default/web')
    assert.equal(state.remarks[0], `its last good version is in force: ${where} cannot be read as it is now: ${problem}`)
    assert.deepEqual((await list()).unread, [])
  })
})

describe('the list of Services', () => {
  it('has a line each, by namespace and name', async () => {
    const { pass, list } = setUp()
    pass()
    const { services, ...about } = await list()
    assert.deepEqual(about, {
      apiVersion: 'switchyard/v1',
      kind: 'ServiceList',
      time: '2026-08-02T12:00:00.000Z',
      node: 'node1',
      mode: 'iptables',
      total: 4,
      unread: [],
    })
    assert.deepEqual(
      services.map(each => [each.service, each.state.programmed]),
      [
        ['default/out', 'not ours'],
        ['default/web', 'yes'],
        ['shop/db', 'not ours'],
        ['shop/web', 'yes'],
      ],
    )
    assert.deepEqual(services[1], {
      service: 'default/web',
      type: 'LoadBalancer',
      addresses: ['10.96.0.7', '192.0.2.10', 'node:30080/TCP'],
      ports: ['80/TCP'],
      endpoints: { total: 3, ready: 2, local: 1 },
      state: { programmed: 'yes', remarks: [] },
    })
    assert.match(services[2]?.state.remarks.join() ?? '', /^headless: clients get the addresses of its pods from DNS/)
  })

  for (const [query, found] of [
    ['search=WEB', ['default/web', 'shop/web']],
    ['search=shop/', ['shop/db', 'shop/web']],
    ['search=192.0.2', ['default/web']],
    ['search=30080', ['default/web']],
    ['search=node:30080/tcp', ['default/web']],
    ['search=10.96.0.8', ['shop/web']],
    ['search=nothing', []],
    ['name=web', ['default/web', 'shop/web']],
    ['name=we', []],
    ['name=web&search=shop', ['shop/web']],
  ] as const) {
    it(`finds by ${query}`, async () => {
      const { services, total } = await setUp().list(query)
      assert.deepEqual(
        services.map(each => each.service),
        found,
      )
      assert.equal(total, found.length)
    })
  }

  it('is cut at its limit, and says how many there are', async () => {
    const { list } = setUp()
    const { services, total } = await list('limit=1')
    assert.deepEqual([services.length, total], [1, 4])
  })

  it('is there before anything is known', async () => {
    const { total } = await setUp({ objects: [] }).list()
    assert.equal(total, 0)
  })

  it('names what is wrong with a question', async () => {
    const { get } = setUp()
    for (const [query, problem] of [
      ['limit=0', 'limit: expected a whole number from 1 to 2000, not "0"'],
      ['limit=2001', 'limit: expected a whole number from 1 to 2000, not "2001"'],
      ['limit=1e2', 'limit: expected a whole number from 1 to 2000, not "1e2"'],
      [`search=${'x'.repeat(254)}`, 'search: expected at most 253 characters, not 254'],
      ['serch=web', 'there is no parameter "serch"; expected search, name, limit, service'],
      ['search=a&search=b', 'search is there twice; expected once'],
      ['service=web', 'service: expected NAMESPACE/NAME, such as default/web, not "web"'],
      ['service=default/web&limit=3', 'limit: expected nothing beside service, which names one Service'],
    ] as const) {
      const { status, body } = await get(query)
      assert.deepEqual([status, body], [400, `${problem}\n`])
    }
  })
})

describe('one Service', () => {
  it('is there whole: addresses, who is served how, endpoints with their chances', async () => {
    const { pass, detail } = setUp()
    pass()
    const { ports, ...about } = await detail('default/web')
    assert.deepEqual(about, {
      apiVersion: 'switchyard/v1',
      kind: 'ServiceDetail',
      time: '2026-08-02T12:00:00.000Z',
      node: 'node1',
      mode: 'iptables',
      service: 'default/web',
      type: 'LoadBalancer',
      state: { programmed: 'yes', remarks: [] },
    })
    const [port, ...others] = ports
    assert.deepEqual(others, [])
    const { addresses, endpoints, ...facts } = port ?? assert.fail()
    assert.deepEqual(facts, {
      name: 'default/web:http',
      family: 'IPv4',
      protocol: 'TCP',
      port: 80,
      affinitySeconds: null,
      scheduler: null,
    })
    const fates = (pod: unknown, atNode: unknown, outside: unknown) => [
      { client: 'pod', fate: pod },
      { client: 'node', fate: atNode },
      { client: 'outside', fate: outside },
    ]
    const [cluster, local] = [{ to: 'Cluster' }, { to: 'Local' }]
    assert.deepEqual(addresses, [
      { kind: 'cluster IP', address: '10.96.0.7:80', sourceRanges: [], fates: fates(cluster, cluster, cluster) },
      // The node's own address is in the range, the pods' are not.
      {
        kind: 'load balancer',
        address: '192.0.2.10:80',
        sourceRanges: ['10.200.1.0/24'],
        fates: fates('dropped', 'dropped', local),
      },
      { kind: 'node port', address: 'node:30080', sourceRanges: [], fates: fates(cluster, cluster, local) },
    ])
    assert.deepEqual(
      endpoints.map(each => [each.endpoint, each.pod, each.cluster?.share, each.cluster?.reason, each.localPolicy?.reason]),
      [
        ['10.244.1.11:8080', 'default/web-1', 0.5, null, null],
        ['10.244.2.21:8080', null, 0.5, null, 'on node node2, and the policy is Local'],
        ['10.244.2.22:8080', null, 0, 'not ready', 'on node node2, and the policy is Local'],
      ],
    )
  })

  it('names its scheduler in ipvs mode', async () => {
    const { detail } = setUp({ mode: 'ipvs', traffic: { ...settings, ipvs: { ...settings.ipvs, scheduler: 'lc' } } })
    assert.equal((await detail('shop/web')).ports[0]?.scheduler, 'lc')
  })

  it('that nodePortAddresses or a missing family shuts out says so', async () => {
    const owner = service({ type: 'NodePort', ports: [{ name: '', protocol: 'TCP', port: 80, nodePort: 30_080 }] })
    const { detail } = setUp({ objects: [owner], traffic: { ...settings, nodePortAddresses: [cidr('172.16.0.0/12')] } })
    const { state, ports } = await detail('default/web')
    assert.deepEqual(state.remarks, ['IPv4: nodePortAddresses selects no address of this node, so its node ports answer nowhere'])
    assert.deepEqual(
      ports[0]?.addresses.map(({ kind }) => kind),
      ['cluster IP'],
    )
  })

  it('that is not there is answered with what may have been meant', async () => {
    const { get } = setUp()
    for (const [key, problem] of [
      ['default/wbe', 'there is no Service default/wbe; similar: default/web'],
      ['prod/web', 'there is no Service prod/web; similar: default/web, shop/web'],
      ['kube-system/coredns', 'there is no Service kube-system/coredns'],
    ] as const) {
      const { status, body } = await get(`service=${key}`)
      assert.deepEqual([status, body], [404, `${problem}\n`])
    }
  })
})

describe('the state of a Service', () => {
  const stateOf = async ({ list }: ReturnType<typeof setUp>) => (await list('search=default/web')).services[0]?.state

  it('waits from a change until the pass that had it succeeds, in every family that the Service has', async () => {
    const all = setUp()
    const { events, pass } = all
    assert.equal((await stateOf(all))?.programmed, 'waiting')
    pass()
    assert.equal((await stateOf(all))?.programmed, 'yes')
    const scope = new Set([web])
    events.emit('queued', { family: 'IPv6', scope })
    assert.equal((await stateOf(all))?.programmed, 'yes', 'it has no IPv6')
    events.emit('queued', { family: 'IPv4', scope })
    events.emit('passStarted', { family: 'IPv4', scope })
    assert.equal((await stateOf(all))?.programmed, 'waiting')
    events.emit('syncFailed', { family: 'IPv4', error: new Error('no'), failures: 1, retryInMs: 1 })
    assert.equal((await stateOf(all))?.programmed, 'waiting')
    const other = new Set(['shop/web' as ServiceKey])
    events.emit('queued', { family: 'IPv4', scope: other })
    pass()
    assert.equal((await stateOf(all))?.programmed, 'yes')
  })

  it('is quarantined with the reason, and carries what it asks for and does not get', async () => {
    const all = setUp()
    const { events, pass } = all
    const quarantined = new Map([[web, 'line 7: no such match']])
    pass('everything', quarantined)
    events.emit('passStarted', { family: 'IPv4', scope: new Set([web]) })
    events.emit('remarked', { family: 'IPv4', service: web, reason: 'SchedulerUnavailable', message: 'asks for "x"; it gets rr' })
    assert.deepEqual(await stateOf(all), {
      programmed: 'quarantined',
      remarks: [
        'IPv4: the kernel refuses its rules, and it keeps what it had: line 7: no such match',
        'asks for "x"; it gets rr',
      ],
    })
  })
})
