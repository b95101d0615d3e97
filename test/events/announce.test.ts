import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { announce, healthCheckNote, serverNote, startNote } from '../../src/events/announce.ts'
import type { Note } from '../../src/events/note.ts'
import type { IpFamily } from '../../src/model/address.ts'
import type { ServiceKey } from '../../src/model/objects.ts'
import { ApiError, type ApiFailure } from '../../src/source/kubernetes/failure.ts'
import { createKubernetesSourceEmitter } from '../../src/source/kubernetes/source-events.ts'
import { createSyncEmitter, type Programmed, type SyncReport } from '../../src/sync/events.ts'
import { recordLog } from '../server/support.ts'
import { node, service, settings } from '../support/cluster.ts'

const web = 'default/web' as ServiceKey
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

function setUp() {
  const events = createSyncEmitter()
  const source = createKubernetesSourceEmitter()
  const notes: Note[] = []
  const log = recordLog()
  const end = announce({
    nodeName: 'node1',
    events,
    source,
    service: key => (key === web ? service({ uid: 'u-1' }) : undefined),
    publish: note => notes.push(note),
    log,
  })
  return { events, source, notes, log, end }
}

function programmed(family: IpFamily): Programmed {
  const rules = { written: {}, total: () => ({}) }
  return { family, scope: new Set([web]), decisions: new Map(), quarantined: new Map(), node, settings, rules }
}

const onNode = { kind: 'Node', name: 'node1' } as const
const onWeb = { kind: 'Service', namespace: 'default', name: 'web', uid: 'u-1' } as const

describe('what is worth an Event', () => {
  it('a Service in quarantine, and its release', () => {
    const { events, notes } = setUp()
    events.emit('quarantined', { family: 'IPv4', service: web, reason: 'line 7: no such match' })
    events.emit('released', { family: 'IPv4', service: web })
    assert.deepEqual(notes, [
      {
        regarding: onWeb,
        type: 'Warning',
        reason: 'ServiceQuarantined',
        action: 'Program',
        note: 'node1: the kernel refuses the IPv4 rules of this Service, which keeps those that it had: line 7: no such match',
      },
      {
        regarding: onWeb,
        type: 'Normal',
        reason: 'ServiceReleased',
        action: 'Program',
        note: 'node1: the IPv4 rules of this Service are programmed again',
      },
    ])
  })

  it('a Service that is gone by now is named all the same', () => {
    const { events, notes } = setUp()
    events.emit('quarantined', { family: 'IPv4', service: 'shop/gone' as ServiceKey, reason: 'no' })
    assert.deepEqual(notes[0]?.regarding, { kind: 'Service', namespace: 'shop', name: 'gone', uid: '' })
  })

  it('a remark on a Service, once for both families and all passes, and again when it changed or came back', () => {
    const { events, notes } = setUp()
    const pass = (message: string | undefined): void => {
      for (const family of ['IPv4', 'IPv6'] as const) {
        events.emit('passStarted', { family, scope: new Set([web]) })
        if (message !== undefined) events.emit('remarked', { family, service: web, reason: 'SchedulerUnavailable', message })
        events.emit('programmed', programmed(family))
      }
    }
    pass('asks for "x"; it gets rr')
    pass('asks for "x"; it gets rr')
    assert.deepEqual(notes, [
      {
        regarding: onWeb,
        type: 'Warning',
        reason: 'SchedulerUnavailable',
        action: 'Program',
        note: 'node1: this Service asks for "x"; it gets rr',
      },
    ])
    pass('asks for "y"; it gets rr')
    assert.equal(notes.length, 2)
    pass(undefined)
    pass('asks for "y"; it gets rr')
    assert.equal(notes.length, 3)
  })

  it('syncs that fail in a row, not a single one, and the end of that', () => {
    const { events, notes } = setUp()
    const fail = (failures: number) =>
      events.emit('syncFailed', { family: 'IPv6', error: new Error('no such program'), failures, retryInMs: 1000 })
    fail(1)
    fail(2)
    events.emit('synced', { ...report, family: 'IPv6' })
    assert.deepEqual(notes, [])
    fail(3)
    fail(4)
    events.emit('synced', { ...report, family: 'IPv4' })
    events.emit('synced', { ...report, family: 'IPv6' })
    events.emit('synced', { ...report, family: 'IPv6' })
    const words = 'IPv6 rules cannot be programmed, changes of Services do not take effect on this node: no such program'
    assert.deepEqual(
      notes.map(({ regarding, type, reason, note }) => [regarding, type, reason, note]),
      [
        [onNode, 'Warning', 'SyncFailed', words],
        [onNode, 'Warning', 'SyncFailed', words],
        [onNode, 'Normal', 'SyncRecovered', 'IPv6 rules are programmed again'],
      ],
    )
  })

  it('a resource that may not be read, and no other trouble with the API server', () => {
    const { source, notes } = setUp()
    const fail = (kind: ApiFailure) => {
      const failure = new ApiError({ kind, message: 'cannot list services', advice: 'Allow it.' })
      source.emit('failed', {
        resource: 'services',
        failure,
        failures: 1,
        synced: false,
        next: { doing: 'list', notOlderThan: '' },
      })
    }
    fail('network')
    fail('server error')
    fail('forbidden')
    assert.deepEqual(
      notes.map(({ regarding, reason, note }) => [regarding, reason, note]),
      [[onNode, 'ResourceForbidden', 'cannot list services. Allow it.']],
    )
  })

  it('the start, a health check port, a server that must listen and cannot', () => {
    assert.deepEqual(startNote('node1', { version: '0.1.0', mode: 'iptables' }), {
      regarding: onNode,
      type: 'Normal',
      reason: 'Starting',
      action: 'Start',
      note: 'Switchyard 0.1.0 starts in iptables mode',
    })
    assert.deepEqual(healthCheckNote(web, { service: service({ uid: 'u-1' }), nodeName: 'node1', message: 'taken' }), {
      regarding: onWeb,
      type: 'Warning',
      reason: 'FailedToStartServiceHealthcheck',
      action: 'Listen',
      note: 'node1: taken',
    })
    const reasons = (['health', 'metrics'] as const).map(server => serverNote('node1', { server, message: 'taken' }).reason)
    assert.deepEqual(reasons, ['FailedToStartProxierHealthcheck', 'FailedToStartMetricServer'])
  })

  it('nothing any more, once it is ended', () => {
    const { events, source, notes, end } = setUp()
    end()
    events.emit('quarantined', { family: 'IPv4', service: web, reason: 'no' })
    assert.deepEqual(notes, [])
    assert.equal(events.listenerCount('quarantined') + source.listenerCount('failed'), 0)
  })
})
