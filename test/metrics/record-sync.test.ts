// Moments in, metrics out: with the emitter that the sync uses, and a clock that stands still.
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { createMetrics } from '../../src/metrics/metrics.ts'
import { recordSync } from '../../src/metrics/record-sync.ts'
import type { ServiceKey } from '../../src/model/objects.ts'
import type { ObjectChange } from '../../src/source/source.ts'
import { createStore } from '../../src/source/store.ts'
import { createSyncEmitter, type Programmed, type SyncReport } from '../../src/sync/events.ts'
import { endpoint, node, put, service, settings, slice } from '../support/cluster.ts'
import { type Exposition, scrape } from './support.ts'

const processStartedAt = Date.parse('2026-08-02T12:00:00Z')

function setUp(context: TestContext) {
  const events = createSyncEmitter()
  const families = ['IPv4', 'IPv6'] as const
  const metrics = createMetrics({ families, resources: [] })
  const time = { ms: 10_000 }
  const clock = { now: () => time.ms, wall: () => processStartedAt + time.ms }
  const mistakes: string[] = []
  const complain = (message: string): void => void mistakes.push(message)
  const log = { debug: complain, info: complain, warn: complain, error: complain }
  const end = recordSync({ metrics, events, families, clock, processStartedAt, log })
  context.after(() => metrics.close())
  context.after(() => assert.deepEqual(mistakes, []))
  const store = createStore({ nodeName: 'node1' })
  const change = (changes: readonly ObjectChange[], more: { complete?: boolean; unreadable?: boolean } = {}): void => {
    store.apply(changes)
    events.emit('changed', { changes, complete: true, unreadable: false, cluster: store, ...more })
  }
  return { events, metrics, time, change, end, scrape: (): Promise<Exposition> => scrape(metrics) }
}

function programmed(fields: Partial<Programmed> = {}): Programmed {
  return {
    family: 'IPv4',
    scope: new Set(),
    decisions: new Map(),
    quarantined: new Map(),
    node,
    settings,
    rules: { written: {}, total: () => ({}) },
    ...fields,
  }
}

function report(fields: Partial<SyncReport> = {}): SyncReport {
  const counts = { services: 0, touchedServices: 0, written: 0, removed: 0, quarantined: 0, draining: 0, hasNodePorts: false }
  return { family: 'IPv4', kind: 'full', lines: 0, milliseconds: 0, restoreMilliseconds: 0, ...counts, ...fields }
}

const four = '{ip_family="IPv4"}'

describe('metrics of the sync', () => {
  it('count changes, and what waits for how long', async context => {
    const { change, events, time, scrape } = setUp(context)
    change([put(service()), put(slice()), put(slice({ name: 'web-def', endpoints: [endpoint('10.244.1.1')] }))])
    time.ms += 2500
    const waiting = await scrape()
    assert.equal(waiting.value('kubeproxy_sync_proxy_rules_service_changes_total'), 1)
    assert.equal(waiting.value('kubeproxy_sync_proxy_rules_endpoint_changes_total'), 2)
    assert.equal(waiting.value('kubeproxy_sync_proxy_rules_service_changes_pending'), 1)
    assert.equal(waiting.value('kubeproxy_sync_proxy_rules_endpoint_changes_pending'), 2)
    assert.equal(waiting.value(`switchyard_oldest_unprogrammed_change_seconds${four}`), 2.5)
    assert.equal(waiting.value('switchyard_cluster_objects{kind="Service"}'), 1)
    assert.equal(waiting.value('switchyard_cluster_objects{kind="EndpointSlice"}'), 2)
    assert.equal(waiting.value('switchyard_cluster_objects{kind="Endpoint"}'), 1)
    for (const family of ['IPv4', 'IPv6'] as const) {
      events.emit('passStarted', { family, scope: 'everything' })
      events.emit('programmed', programmed({ family }))
      events.emit('synced', report({ family }))
    }
    const done = await scrape()
    assert.equal(done.value('kubeproxy_sync_proxy_rules_endpoint_changes_pending'), 0)
    assert.equal(done.value(`switchyard_oldest_unprogrammed_change_seconds${four}`), 0)
  })

  it('say when something was queued and when it was synced', async context => {
    const { events, time, scrape } = setUp(context)
    events.emit('queued', { family: 'IPv4', scope: 'everything' })
    time.ms += 1000
    events.emit('synced', report())
    const { value } = await scrape()
    assert.equal(value(`kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds${four}`), processStartedAt / 1000 + 10)
    assert.equal(value(`kubeproxy_sync_proxy_rules_last_timestamp_seconds${four}`), processStartedAt / 1000 + 11)
  })

  it('measure syncs by kind, and what they wrote', async context => {
    const { events, scrape } = setUp(context)
    events.emit('synced', report({ kind: 'full', milliseconds: 1500, lines: 70, restoreMilliseconds: 250 }))
    events.emit('synced', report({ kind: 'partial', milliseconds: 20, lines: 0 }))
    const { value } = await scrape()
    assert.equal(value(`kubeproxy_sync_proxy_rules_duration_seconds_count${four}`), 2)
    assert.equal(value(`kubeproxy_sync_proxy_rules_duration_seconds_sum${four}`), 1.52)
    assert.equal(value(`kubeproxy_sync_full_proxy_rules_duration_seconds_sum${four}`), 1.5)
    assert.equal(value(`kubeproxy_sync_partial_proxy_rules_duration_seconds_sum${four}`), 0.02)
    assert.equal(value(`switchyard_lines_written_total${four}`), 70)
    assert.equal(value(`switchyard_restore_duration_seconds_count${four}`), 1)
    assert.equal(value(`switchyard_restore_duration_seconds_sum${four}`), 0.25)
    assert.equal(value('kubeproxy_sync_proxy_rules_duration_seconds_count{ip_family="IPv6"}'), 0)
  })

  it('measure a sync that fails as well, but not a look at the kernel', async context => {
    const { events, time, scrape } = setUp(context)
    const failed = { family: 'IPv4', error: new Error('no'), failures: 1, retryInMs: 1000 } as const
    events.emit('passStarted', { family: 'IPv4', scope: new Set(['default/web' as ServiceKey]) })
    time.ms += 400
    events.emit('syncFailed', failed)
    time.ms += 400
    events.emit('syncFailed', failed)
    const { value } = await scrape()
    assert.equal(value(`kubeproxy_sync_partial_proxy_rules_duration_seconds_count${four}`), 1)
    assert.ok(Math.abs((value(`kubeproxy_sync_proxy_rules_duration_seconds_sum${four}`) ?? 0) - 0.4) < 1e-9)
    assert.equal(value(`switchyard_sync_failures_total${four}`), 2)
    assert.equal(value(`kubeproxy_sync_proxy_rules_last_timestamp_seconds${four}`), 0)
  })

  it('count what the tool refused', async context => {
    const { events, scrape } = setUp(context)
    events.emit('restoreFailed', { family: 'IPv4', kind: 'full' })
    events.emit('restoreFailed', { family: 'IPv4', kind: 'partial' })
    const { value } = await scrape()
    assert.equal(value(`kubeproxy_sync_proxy_rules_iptables_restore_failures_total${four}`), 2)
    assert.equal(value(`kubeproxy_sync_proxy_rules_iptables_partial_restore_failures_total${four}`), 1)
  })

  it('count rules by table, Services in quarantine, repairs and stale flows', async context => {
    const { events, scrape } = setUp(context)
    const rules = { written: { nat: 7 }, total: () => ({ nat: 100, filter: 20 }) }
    events.emit('programmed', programmed({ rules, quarantined: new Map([['default/bad' as ServiceKey, 'refused']]) }))
    events.emit('driftRepaired', { family: 'IPv4', drifts: 3 })
    events.emit('conntrackCleaned', { family: 'IPv4', deleted: 5, milliseconds: 30 })
    const { value } = await scrape()
    assert.equal(value('kubeproxy_sync_proxy_rules_iptables_total{ip_family="IPv4",table="nat"}'), 100)
    assert.equal(value('kubeproxy_sync_proxy_rules_iptables_total{ip_family="IPv4",table="filter"}'), 20)
    assert.equal(value('kubeproxy_sync_proxy_rules_iptables_last{ip_family="IPv4",table="nat"}'), 7)
    assert.equal(value('kubeproxy_sync_proxy_rules_iptables_last{ip_family="IPv4",table="filter"}'), 0)
    assert.equal(value(`switchyard_quarantined_services${four}`), 1)
    assert.equal(value(`switchyard_drift_repairs_total${four}`), 3)
    assert.equal(value(`switchyard_conntrack_removed_total${four}`), 5)
    assert.equal(value(`kubeproxy_conntrack_reconciler_deleted_entries_total${four}`), 5)
    assert.equal(value(`kubeproxy_conntrack_reconciler_sync_duration_seconds_sum${four}`), 0.03)
  })

  it('measure network programming from the trigger to the kernel, without quarantined Services and the past', async context => {
    const { change, events, time, scrape } = setUp(context)
    const triggered = (name: string, secondsAfterStart: number) => {
      const lastChangeTriggerTime = processStartedAt + secondsAfterStart * 1000
      return put(slice({ name: `${name}-abc`, service: name, lastChangeTriggerTime }))
    }
    change([triggered('web', 9), triggered('bad', 9), triggered('old', -60), triggered('future', 100)])
    time.ms += 3000
    events.emit('passStarted', { family: 'IPv4', scope: 'everything' })
    time.ms += 500
    events.emit('programmed', programmed({ quarantined: new Map([['default/bad' as ServiceKey, 'refused']]) }))
    const { value } = await scrape()
    assert.equal(value(`kubeproxy_network_programming_duration_seconds_count${four}`), 2)
    assert.equal(value(`kubeproxy_network_programming_duration_seconds_sum${four}`), 4.5)
    assert.equal(
      value('kubeproxy_network_programming_duration_seconds_bucket{le="0.25",ip_family="IPv4"}'),
      1,
      'a clock that is ahead',
    )
  })

  it('say that something cannot be read', async context => {
    const { change, scrape } = setUp(context)
    change([], { unreadable: true })
    assert.equal((await scrape()).value('switchyard_source_unreadable'), 1)
    change([])
    assert.equal((await scrape()).value('switchyard_source_unreadable'), 0)
  })

  it('end when they are told to', async context => {
    const { events, end, scrape } = setUp(context)
    end()
    events.emit('synced', report({ lines: 5 }))
    assert.equal((await scrape()).value(`switchyard_lines_written_total${four}`), 0)
  })
})
