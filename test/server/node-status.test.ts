// Moments in, the status object out, with a clock that stands still.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type NotInForce, notTaken, wrongFiles } from '../../src/config/not-in-force.ts'
import { NodeHealth } from '../../src/health/node-health.ts'
import type { IpFamily } from '../../src/model/address.ts'
import type { ServiceKey } from '../../src/model/objects.ts'
import { NodeStatus, statusHandler } from '../../src/server/node-status.ts'
import type { FamilyStatus } from '../../src/server/status-object.ts'
import type { Unread } from '../../src/source/source.ts'
import { createStore } from '../../src/source/store.ts'
import { createSyncEmitter, type Programmed, type SyncReport } from '../../src/sync/events.ts'
import { subscribe } from '../../src/sync/subscribe.ts'
import type { ServedFamily } from '../../src/sync/wanted-parameters.ts'
import { node, put, service, settings, slice } from '../support/cluster.ts'
import { drain } from '../support/drain.ts'

const wrong = { name: 'net.x', is: undefined, expected: '1', why: '', consequence: 'nothing is sent on', isOurs: false }

const startedAt = Date.parse('2026-08-02T12:00:00Z')
const web = 'default/web' as ServiceKey

function setUp({ watches }: { readonly watches?: ConstructorParameters<typeof NodeHealth>[0]['watches'] } = {}) {
  const events = createSyncEmitter()
  const time = { ms: 0 }
  const clock = { now: () => time.ms, wall: () => startedAt + time.ms }
  const mistake = (message: string): void => assert.fail(message)
  const log = { debug: mistake, info: mistake, warn: mistake, error: mistake }
  const families = ['IPv4', 'IPv6'] as const
  const source = 'manifests in /m'
  const health = new NodeHealth({ families, source, watches, syncPeriodMs: () => 30_000, clock })
  const about = { node: 'node1', mode: () => 'ipvs', backend: () => 'nft' as const, version: '0.1.0', startedAt, source }
  let unread: readonly Unread[] = []
  const parameters = async (served: readonly ServedFamily[]) =>
    served.filter(({ hasServices }) => hasServices).map(({ family }) => ({ ...wrong, why: family }))
  const notInForce: NotInForce[] = []
  const status = new NodeStatus({
    ...about,
    notInForce: () => notInForce,
    unread: () => unread,
    families,
    parameters,
    health,
    clock,
  })
  subscribe(events, health.listeners, log)
  subscribe(events, status.listeners, log)
  const family = (name: IpFamily = 'IPv4'): FamilyStatus => {
    const found = status.object().families.find(one => one.family === name)
    assert.ok(found !== undefined)
    return found
  }
  const cannotRead = (found: readonly Unread[]): void => {
    unread = found
  }
  return { events, time, status, family, cannotRead, notInForce }
}

function programmed(fields: Partial<Programmed> = {}): Programmed {
  const rules = { written: {}, total: () => ({}) }
  return { family: 'IPv4', scope: 'everything', decisions: new Map(), quarantined: new Map(), node, settings, rules, ...fields }
}

function report(fields: Partial<SyncReport> = {}): SyncReport {
  const counts = { services: 0, touchedServices: 0, written: 0, removed: 0, quarantined: 0, draining: 0, hasNodePorts: false }
  return { family: 'IPv4', kind: 'full', lines: 0, milliseconds: 0, restoreMilliseconds: 0, ...counts, ...fields }
}

describe('the status of a daemon', () => {
  it('that has done nothing yet says so', () => {
    const { status } = setUp()
    const unknown = { ready: false, lastFullSync: null, lastPartialSync: null, waitingSince: null, services: 0 }
    const nothing = { quarantined: [], remarks: [], failures: 0, lastFailure: null, drains: [], driftRepaired: 0 }
    assert.deepEqual(status.object(), {
      apiVersion: 'switchyard/v1',
      kind: 'Status',
      version: '0.1.0',
      node: 'node1',
      mode: 'ipvs',
      iptablesBackend: 'nft',
      startedAt: '2026-08-02T12:00:00.000Z',
      time: '2026-08-02T12:00:00.000Z',
      ready: false,
      missing: ['manifests in /m: not read completely yet', 'IPv4: no complete sync yet', 'IPv6: no complete sync yet'],
      families: [
        { family: 'IPv4', ...unknown, ...nothing },
        { family: 'IPv6', ...unknown, ...nothing },
      ],
      parameters: [],
      source: {
        description: 'manifests in /m',
        complete: false,
        unreadable: false,
        unread: [],
        objects: { services: 0, endpointSlices: 0, endpoints: 0 },
        watches: [],
      },
      notInForce: [],
    })
  })

  it('says what the configuration files ask for and is not done', () => {
    const { status, notInForce } = setUp()
    notInForce.push(
      wrongFiles('config.yaml:3: no'),
      notTaken({ path: 'mode', before: '"iptables"', after: '"ipvs"' }, 'no module'),
    )
    assert.deepEqual(status.object().notInForce, [
      { field: null, inFile: null, inForce: null, reason: 'config.yaml:3: no' },
      { field: 'mode', inFile: '"ipvs"', inForce: '"iptables"', reason: 'no module' },
    ])
  })

  it('follows the source and the passes of each family', () => {
    const { events, time, status, family, cannotRead } = setUp()
    const store = createStore({ nodeName: 'node1' })
    const changes = [put(service()), put(slice())]
    store.apply(changes)
    events.emit('changed', { changes, complete: true, unreadable: true, cluster: store })
    events.emit('queued', { family: 'IPv4', scope: 'everything' })
    time.ms = 2000
    assert.equal(family().waitingSince, '2026-08-02T12:00:00.000Z')
    events.emit('passStarted', { family: 'IPv4', scope: 'everything' })
    events.emit('synced', report({ services: 7 }))
    time.ms = 5000
    events.emit('synced', report({ services: 8, kind: 'partial' }))
    const { ready, lastFullSync, lastPartialSync, waitingSince, services } = family()
    assert.deepEqual(
      [ready, lastFullSync, lastPartialSync, waitingSince, services],
      [true, '2026-08-02T12:00:02.000Z', '2026-08-02T12:00:05.000Z', null, 8],
    )
    assert.equal(family('IPv6').lastFullSync, null)
    const { missing, source } = status.object()
    assert.deepEqual(missing, ['IPv6: no complete sync yet'])
    assert.deepEqual([source.complete, source.unreadable], [true, true])
    cannotRead([{ id: 'Service default/web', where: '/m/web.yaml: Service default/web', problem: 'spec is missing', kept: true }])
    assert.deepEqual(status.object().source.unread, [
      { where: '/m/web.yaml: Service default/web', problem: 'spec is missing', kept: true },
    ])
    assert.deepEqual(source.objects, { services: 1, endpointSlices: 1, endpoints: 0 })
  })

  it('names quarantined Services for as long as they are, and remarks for as long as they stand', () => {
    const { events, family } = setUp()
    const quarantined = new Map([[web, 'line 7: no such match']])
    const remark = { service: web, reason: 'SchedulerUnavailable', message: 'asks for x' }
    events.emit('passStarted', { family: 'IPv4', scope: 'everything' })
    events.emit('remarked', { family: 'IPv4', ...remark })
    events.emit('programmed', programmed({ quarantined }))
    assert.deepEqual(family().quarantined, [{ service: web, reason: 'line 7: no such match' }])
    assert.deepEqual(family().remarks, [remark])
    quarantined.delete(web)
    events.emit('passStarted', { family: 'IPv4', scope: new Set([web]) })
    events.emit('programmed', programmed({ quarantined, scope: new Set([web]) }))
    assert.deepEqual([family().quarantined, family().remarks], [[], []])
  })

  it('counts failures in a row until one goes well, and repairs for ever', () => {
    const { events, family } = setUp()
    const fail = (failures: number) =>
      events.emit('syncFailed', { family: 'IPv4', error: new Error(`no ${failures}`), failures, retryInMs: 1000 })
    fail(1)
    fail(2)
    assert.deepEqual([family().failures, family().lastFailure], [2, 'no 2'])
    events.emit('recovered', { family: 'IPv4', failures: 2 })
    assert.deepEqual([family().failures, family().lastFailure], [0, null])
    fail(1)
    events.emit('synced', report())
    assert.equal(family().failures, 0)
    events.emit('driftRepaired', { family: 'IPv4', drifts: 3 })
    events.emit('driftRepaired', { family: 'IPv4', drifts: 1 })
    assert.deepEqual([family().driftRepaired, family('IPv6').driftRepaired], [4, 0])
  })

  it('lists what drains in this mode and what another left', () => {
    const { events, family } = setUp()
    events.emit('draining', { family: 'IPv4', retiring: false, drains: [drain({ connections: 2 })] })
    const left = drain({ server: '-t 10.96.0.20:80', service: undefined, goneSince: startedAt + 1000 })
    events.emit('draining', { family: 'IPv4', retiring: true, drains: [left] })
    const times = { since: '2026-08-02T12:00:00.000Z', until: '2026-08-02T12:15:00.000Z', realServer: '10.244.1.1:8080' }
    assert.deepEqual(family().drains, [
      { server: '-t 10.96.0.10:80', service: web, goneSince: null, connections: 2, retiring: false, ...times },
      {
        server: '-t 10.96.0.20:80',
        service: null,
        goneSince: '2026-08-02T12:00:01.000Z',
        connections: null,
        retiring: true,
        ...times,
      },
    ])
    events.emit('draining', { family: 'IPv4', retiring: false, drains: [] })
    assert.deepEqual(
      family().drains.map(({ retiring }) => retiring),
      [true],
    )
  })

  it('says how fresh each watch is', () => {
    const forbidden = { kind: 'forbidden' } as never
    const { status, time } = setUp({
      watches: () => [
        { resource: 'services', doing: 'watch', synced: true, lastContactAgeMs: 1500, lastFailure: undefined } as never,
        { resource: 'nodes', doing: 'wait', synced: false, lastContactAgeMs: undefined, lastFailure: forbidden } as never,
      ],
    })
    time.ms = 4000
    assert.deepEqual(status.object().source.watches, [
      { resource: 'services', synced: true, lastContact: '2026-08-02T12:00:02.500Z', failure: null },
      { resource: 'nodes', synced: false, lastContact: null, failure: 'forbidden' },
    ])
  })

  it('names kernel parameters that are wrong for the families that have Services', async () => {
    const { events, status } = setUp()
    await status.look()
    assert.deepEqual(status.object().parameters, [])
    events.emit('synced', report({ services: 7 }))
    await status.look()
    assert.deepEqual(status.object().parameters, [{ name: 'net.x', is: null, expected: '1', meaning: 'nothing is sent on' }])
  })

  it('is served as JSON', async () => {
    const { status } = setUp()
    const request = { path: '/', query: new URLSearchParams(), accept: undefined }
    const { status: code, contentType, body } = await statusHandler(status)(request)
    assert.deepEqual([code, contentType], [200, 'application/json'])
    assert.deepEqual(JSON.parse(body), status.object())
  })
})
