// Moments and objects in, what /switchyard/v1/services answers out.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ServiceDetail, ServiceList } from '../../src/explain/services-object.ts'
import type { Service, ServiceKey } from '../../src/model/objects.ts'
import { ServicesAnswers } from '../../src/server/services-handler.ts'
import { createStore } from '../../src/source/store.ts'
import { createSyncEmitter } from '../../src/sync/events.ts'
import { subscribe } from '../../src/sync/subscribe.ts'
import { address, cidr, endpoint, node, put, service, settings, slice } from '../support/cluster.ts'

const web = 'default/web' as ServiceKey
const loadBalancer: Partial<Service> = {
  type: 'LoadBalancer',
  loadBalancerAddresses: [address('192.168.100.9')],
  loadBalancerSourceRanges: [cidr('10.0.0.0/8')],
  externalTrafficPolicy: 'Local',
  ports: [{ name: '', protocol: 'TCP', port: 80, nodePort: 30080 }],
}

function setUp({
  mode = 'iptables',
  web: fields = loadBalancer,
}: {
  readonly mode?: string
  readonly web?: Partial<Service>
} = {}) {
  const store = createStore({ nodeName: node.name })
  const elsewhere = endpoint('10.244.2.1', { nodeName: 'node2', podName: 'web-2' })
  store.apply([
    put(service(fields)),
    put(slice({ endpoints: [elsewhere, endpoint('10.244.2.2', { nodeName: 'node2', ready: false, serving: false })] })),
    put(service({ name: 'other', namespace: 'team', clusterIPs: [address('10.96.7.7')] })),
    put(service({ name: 'away', type: 'ExternalName', clusterIPs: [] })),
  ])
  const events = createSyncEmitter()
  const answers = new ServicesAnswers({
    families: ['IPv4'],
    nodeName: node.name,
    mode: () => mode,
    scheduler: () => 'rr',
    cluster: () => store,
    now: () => 0,
  })
  const mistake = (message: string): void => assert.fail(message)
  subscribe(events, answers.listeners, { debug: mistake, info: mistake, warn: mistake, error: mistake })
  const ask = (query: string) => answers.handler({ path: '/', query: new URLSearchParams(query), accept: undefined })
  const listed = (query = '') => JSON.parse(ask(query).body) as ServiceList
  const detailed = (name: string) => JSON.parse(ask(`service=${name}`).body) as ServiceDetail
  const programmed = (quarantined: ReadonlyMap<ServiceKey, string> = new Map()): void => {
    const rules = { written: {}, total: () => ({}) }
    events.emit('programmed', { family: 'IPv4', scope: 'everything', decisions: new Map(), quarantined, node, settings, rules })
  }
  return { events, ask, listed, detailed, programmed }
}

describe('a list of Services', () => {
  it('is sorted, and says where each answers and how many endpoints it has', () => {
    const { total, services } = setUp().listed()
    assert.equal(total, 3)
    assert.deepEqual(
      services.map(each => each.service),
      ['default/away', 'default/web', 'team/other'],
    )
    assert.deepEqual(services[1], {
      service: 'default/web',
      type: 'LoadBalancer',
      addresses: ['10.96.0.7', '192.168.100.9', 'node:30080/TCP'],
      ports: ['80/TCP'],
      endpoints: { total: 2, ready: 1, local: 0 },
      state: { programmed: 'yes', remarks: [] },
    })
    assert.deepEqual(services[0]?.state, { programmed: 'not ours', remarks: ['an ExternalName is a matter of DNS'] })
  })

  const searches = [
    ['search=WEB', ['default/web']],
    ['search=10.96.7', ['team/other']],
    ['search=30080', ['default/web']],
    ['search=80/tcp', ['default/web', 'team/other']],
    ['search=nothing', []],
    ['limit=1', ['default/away']],
  ] as const
  for (const [query, expected] of searches) {
    it(`is searched: ${query}`, () =>
      assert.deepEqual(
        setUp()
          .listed(query)
          .services.filter(({ type }) => query === 'limit=1' || type !== 'ExternalName')
          .map(each => each.service),
        expected,
      ))
  }

  it('says of more than it shows how many there are', () => assert.equal(setUp().listed('limit=1').total, 3))

  const wrong = [
    ['limit=0', 400, /limit is "0"; expected a number from 1 to 2000/],
    ['limit=x', 400, /limit is "x"/],
    ['page=2', 400, /there is no "page" to ask for/],
    ['service=web', 400, /service is "web"; expected NAMESPACE\/NAME/],
    ['service=other/web', 404, /there is no Service "other\/web"; did you mean default\/web\?/],
    ['service=default/wbe', 404, /did you mean default\/web\?/],
  ] as const
  for (const [query, status, message] of wrong) {
    it(`says what is wrong with ${query}`, () => {
      const answer = setUp().ask(query)
      assert.equal(answer.status, status)
      assert.match(answer.body, message)
    })
  }

  it('knows what waits and what is quarantined', () => {
    const { events, detailed, programmed } = setUp()
    const state = () => detailed(web).state
    programmed()
    assert.equal(state().programmed, 'yes')
    events.emit('queued', { family: 'IPv4', scope: new Set([web]) })
    assert.equal(state().programmed, 'waiting')
    events.emit('passStarted', { family: 'IPv4', scope: new Set([web]) })
    assert.equal(state().programmed, 'waiting')
    events.emit('syncFailed', { family: 'IPv4', error: new Error('no'), failures: 1, retryInMs: 1 })
    assert.equal(state().programmed, 'waiting')
    events.emit('passStarted', { family: 'IPv4', scope: new Set([web]) })
    programmed(new Map([[web, 'the kernel says no']]))
    assert.deepEqual(state(), { programmed: 'quarantined', remarks: ['the kernel says no'] })
  })
})

describe('one Service', () => {
  const fatesOf = (detail: ServiceDetail) =>
    Object.fromEntries((detail.ports[0]?.addresses ?? []).map(({ kind, fates }) => [kind, fates.map(({ fate }) => fate)]))
  const toAll = { to: 'Cluster' }

  it('drops what comes from outside under policy Local without an endpoint here, and serves those inside', () => {
    const detail = setUp().detailed(web)
    const external = [toAll, toAll, 'dropped']
    assert.deepEqual(fatesOf(detail), { 'cluster IP': [toAll, toAll, toAll], 'load balancer': external, 'node port': external })
    const [port] = detail.ports
    assert.deepEqual(port?.addresses[1]?.sourceRanges, ['10.0.0.0/8'])
    assert.deepEqual(
      port?.endpoints.map(({ endpoint: at, pod, cluster, localPolicy }) => [
        at,
        pod,
        cluster?.share,
        cluster?.reason,
        localPolicy?.reason,
      ]),
      [
        ['10.244.2.1:8080', 'default/web-2', 1, null, 'on node node2, and the policy is Local'],
        ['10.244.2.2:8080', null, 0, 'not ready', 'on node node2, and the policy is Local'],
      ],
    )
  })

  it('refuses where nothing is ready', () => {
    const detail = setUp().detailed('team/other')
    assert.deepEqual(fatesOf(detail), { 'cluster IP': ['refused', 'refused', 'refused'] })
  })

  it('with internalTrafficPolicy Local and nobody here drops in iptables mode and refuses in ipvs mode', () => {
    const fields = { internalTrafficPolicy: 'Local' } as const
    assert.deepEqual(fatesOf(setUp({ web: fields }).detailed(web)), { 'cluster IP': ['dropped', 'dropped', 'dropped'] })
    const inIpvs = setUp({ web: fields, mode: 'ipvs' }).detailed(web)
    assert.deepEqual(fatesOf(inIpvs), { 'cluster IP': ['refused', 'refused', 'refused'] })
    assert.equal(inIpvs.ports[0]?.scheduler, 'rr')
  })
})
