import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { createMetrics } from '../../src/metrics/metrics.ts'
import { recordSource } from '../../src/metrics/record-source.ts'
import { ApiError, type Failure, StreamFault } from '../../src/source/kubernetes/failure.ts'
import { createKubernetesSourceEmitter, type ReflectorStatus } from '../../src/source/kubernetes/source-events.ts'
import { scrape } from './support.ts'

const status: ReflectorStatus = {
  resource: 'services',
  doing: 'watch',
  synced: true,
  lastContactAgeMs: 1500,
  objects: 1,
  unreadable: 0,
  failuresInARow: 0,
  failuresByKind: {},
  lastFailure: undefined,
}

function setUp(context: TestContext, statuses: readonly ReflectorStatus[] = [status]) {
  const metrics = createMetrics({ families: ['IPv4'], resources: ['services'] })
  context.after(() => metrics.close())
  const events = createKubernetesSourceEmitter()
  const time = { ms: 1000 }
  const complain = (message: string): void => assert.fail(message)
  recordSource({
    metrics,
    source: { events, status: () => statuses },
    server: 'https://api.test:6443/prefix',
    clock: { now: () => time.ms, wall: () => time.ms },
    log: { debug: complain, info: complain, warn: complain, error: complain },
  })
  const fail = (failure: Failure): void =>
    void events.emit('failed', {
      resource: 'services',
      failure,
      failures: 1,
      synced: true,
      next: { doing: 'list', notOlderThan: '' },
    })
  return { events, time, fail, value: async (series: string) => (await scrape(metrics)).value(series) }
}

function apiError(statusCode: number | undefined): ApiError {
  return new ApiError({ kind: 'server error', message: 'no', advice: '', status: statusCode })
}

describe('metrics of following an API server', () => {
  it('say how long nothing was heard of a resource', async context => {
    const { value } = setUp(context)
    assert.equal(await value('switchyard_watch_last_event_seconds{resource="services"}'), 1.5)
  })

  it('count from the start where nothing ever was', async context => {
    const { value, time } = setUp(context, [{ ...status, synced: false, lastContactAgeMs: undefined }])
    time.ms += 60_000
    assert.equal(await value('switchyard_watch_last_event_seconds{resource="services"}'), 60)
  })

  it('count events, complete reads, failures by kind, and requests by answer', async context => {
    const { events, fail, value } = setUp(context)
    events.emit('opened', { resource: 'services', request: { doing: 'list', notOlderThan: '' } })
    events.emit('synced', { resource: 'services', by: 'list', objects: 1, changes: 1, milliseconds: 5 })
    events.emit('received', { resource: 'services', type: 'ADDED' })
    events.emit('received', { resource: 'services', type: 'ADDED' })
    fail(apiError(503))
    fail(apiError(undefined))
    const fault = new StreamFault('silent', 'nothing came')
    fail({ kind: 'silent', message: fault.message, advice: '', retryAfterMs: undefined })
    assert.equal(await value('switchyard_watch_events_total{resource="services",type="ADDED"}'), 2)
    assert.equal(await value('switchyard_watch_events_total{resource="services",type="DELETED"}'), 0)
    assert.equal(await value('switchyard_watch_reads_total{resource="services"}'), 1)
    assert.equal(await value('switchyard_watch_failures_total{resource="services",kind="server error"}'), 2)
    assert.equal(await value('switchyard_watch_failures_total{resource="services",kind="silent"}'), 1)
    assert.equal(await value('rest_client_requests_total{code="200",method="GET",host="api.test:6443"}'), 1)
    assert.equal(await value('rest_client_requests_total{code="503",method="GET",host="api.test:6443"}'), 1)
    assert.equal(await value('rest_client_requests_total{code="<error>",method="GET",host="api.test:6443"}'), 1)
  })
})
