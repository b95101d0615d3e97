// Moments in, answers out: the health of a node as its subscribers have it.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { NodeHealth } from '../../src/health/node-health.ts'
import type { Node, ObjectName } from '../../src/model/objects.ts'
import { healthHandler } from '../../src/server/health-server.ts'
import { ApiError } from '../../src/source/kubernetes/failure.ts'
import type { ReflectorStatus } from '../../src/source/kubernetes/source-events.ts'
import { createStore } from '../../src/source/store.ts'
import { createSyncEmitter, type SyncReport } from '../../src/sync/events.ts'
import { subscribe } from '../../src/sync/subscribe.ts'
import { put } from '../support/cluster.ts'
import { recordLog } from './support.ts'

const node: Node = {
  kind: 'Node',
  name: 'node1' as ObjectName,
  uid: '',
  zone: undefined,
  addresses: [],
  podCidrs: [],
  deleting: false,
  taints: [],
}
const report: SyncReport = {
  family: 'IPv4',
  kind: 'full',
  services: 0,
  touchedServices: 0,
  lines: 0,
  written: 0,
  removed: 0,
  milliseconds: 0,
  restoreMilliseconds: 0,
  quarantined: 0,
  draining: 0,
  hasNodePorts: false,
}
const watch: ReflectorStatus = {
  resource: 'services',
  doing: 'watch',
  synced: true,
  lastContactAgeMs: 1000,
  objects: 1,
  unreadable: 0,
  failuresInARow: 0,
  failuresByKind: {},
  lastFailure: undefined,
}

function setUp(options: { readonly watches?: () => readonly ReflectorStatus[] } = {}) {
  const events = createSyncEmitter()
  const time = { ms: 0 }
  const answers: string[] = []
  const clock = { now: () => time.ms, wall: () => Date.parse('2026-08-02T12:00:00Z') + time.ms }
  const health = new NodeHealth({
    families: ['IPv4'],
    source: 'manifests in /m',
    watches: options.watches,
    syncPeriodMs: () => 30_000,
    clock,
  })
  subscribe(events, health.listeners, recordLog())
  const handler = healthHandler({
    health: () => health.proxyHealth(),
    nodeEligible: () => health.isNodeEligible(),
    missing: () => health.missing(),
    watches: () => health.watches(),
    answered: (path, status) => answers.push(`${path} ${status}`),
  })
  const get = async (path: string) => {
    const { status, body } = await handler({ path, query: new URLSearchParams(), accept: undefined })
    return { status, body: JSON.parse(body) as Record<string, unknown> }
  }
  const statuses = async () => [(await get('/healthz')).status, (await get('/livez')).status, (await get('/readyz')).status]
  const store = createStore({ nodeName: 'node1' })
  const change = (object: Node | undefined, complete = true): void => {
    const changes = object === undefined ? [] : [put(object)]
    store.apply(changes)
    events.emit('changed', { changes, complete, unreadable: false, cluster: store })
  }
  return { events, time, answers, get, statuses, change }
}

describe('the health server', () => {
  it('with manifests: healthy at once, ready after the first pass', async () => {
    const { events, statuses, change, get } = setUp()
    assert.deepEqual(await statuses(), [200, 200, 503])
    assert.deepEqual((await get('/readyz')).body['missing'], [
      'manifests in /m: not read completely yet',
      'IPv4: no complete sync yet',
    ])
    change(undefined)
    events.emit('queued', { family: 'IPv4', scope: 'everything' })
    assert.deepEqual((await get('/readyz')).body['missing'], ['IPv4: no complete sync yet'])
    events.emit('passStarted', { family: 'IPv4', scope: 'everything' })
    events.emit('synced', report)
    assert.deepEqual(await statuses(), [200, 200, 200])
  })

  it('with an API server: the Node object decides about /healthz alone', async () => {
    const { events, statuses, change, get } = setUp({ watches: () => [watch] })
    change(undefined)
    events.emit('synced', report)
    assert.deepEqual(await statuses(), [503, 200, 200])
    assert.equal((await get('/healthz')).body['nodeEligible'], false)
    change(node)
    assert.deepEqual(await statuses(), [200, 200, 200])
    change({ ...node, taints: ['ToBeDeletedByClusterAutoscaler'] })
    assert.deepEqual(await statuses(), [503, 200, 200])
    change(node)
    assert.deepEqual(await statuses(), [200, 200, 200])
    change({ ...node, deleting: true })
    assert.deepEqual(await statuses(), [503, 200, 200])
  })

  it('a pass that does not succeed within twice the sync period makes all three fail, and a success mends them', async () => {
    const { events, time, statuses, change, get } = setUp()
    change(undefined)
    events.emit('synced', report)
    events.emit('queued', { family: 'IPv4', scope: 'everything' })
    events.emit('passStarted', { family: 'IPv4', scope: 'everything' })
    events.emit('syncFailed', { family: 'IPv4', error: new Error('no'), failures: 1, retryInMs: 1000 })
    time.ms = 59_999
    assert.deepEqual(await statuses(), [200, 200, 200])
    time.ms = 60_000
    assert.deepEqual(await statuses(), [503, 503, 503])
    assert.deepEqual((await get('/readyz')).body['missing'], ['IPv4: a change has been waiting for 60 s'])
    events.emit('passStarted', { family: 'IPv4', scope: 'everything' })
    events.emit('synced', report)
    assert.deepEqual(await statuses(), [200, 200, 200])
  })

  it('gives the time of day of the last pass', async () => {
    const { events, time, get } = setUp()
    time.ms = 1000
    events.emit('synced', report)
    time.ms = 5000
    const { body } = await get('/livez')
    assert.equal(body['currentTime'], '2026-08-02T12:00:05.000Z')
    assert.deepEqual(body['status'], { IPv4: { lastUpdated: '2026-08-02T12:00:01.000Z', healthy: true } })
  })

  it('a resource that may not be read is named by /readyz, without what the API server said to us', async () => {
    const forbidden = new ApiError({ kind: 'forbidden', message: 'secret words', advice: 'more of them', status: 403 })
    const { get, change } = setUp({
      watches: () => [watch, { ...watch, resource: 'endpointslices', synced: false, lastFailure: forbidden }],
    })
    change(undefined, false)
    const { status, body } = await get('/readyz')
    assert.equal(status, 503)
    assert.deepEqual(body['missing'], [
      'watch of endpointslices: not read completely yet (forbidden; the log says more)',
      'IPv4: no complete sync yet',
    ])
    assert.doesNotMatch(JSON.stringify(body), /secret|more of them/)
  })

  it('counts the answers of /healthz and /livez', async () => {
    const { answers, get, statuses } = setUp({ watches: () => [watch] })
    await statuses()
    await get('/livez')
    assert.deepEqual(answers, ['/healthz 503', '/livez 200', '/livez 200'])
  })
})
