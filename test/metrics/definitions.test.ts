// What dashboards and alerts rely on, written down once more: from the Kubernetes documentation of metrics and from a kube-proxy 1.36.2.
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { createMetrics, type MetricsOptions } from '../../src/metrics/metrics.ts'
import { complaintsAboutKubeProxy, promtoolComplaints } from './promtool.ts'
import { scrape } from './support.ts'

function start(context: TestContext, options: Partial<MetricsOptions> = {}) {
  const metrics = createMetrics({ families: ['IPv4', 'IPv6'], resources: ['services', 'endpointslices', 'nodes'], ...options })
  context.after(() => metrics.close())
  return metrics
}

/** 1 ms doubled to 16.384 s. */
const syncBounds = [0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024, 2.048, 4.096, 8.192, 16.384]

const kubeProxy: readonly (readonly [name: string, type: string, labels: readonly string[]])[] = [
  ['kubeproxy_sync_proxy_rules_duration_seconds', 'histogram', ['ip_family']],
  ['kubeproxy_sync_full_proxy_rules_duration_seconds', 'histogram', ['ip_family']],
  ['kubeproxy_sync_partial_proxy_rules_duration_seconds', 'histogram', ['ip_family']],
  ['kubeproxy_sync_proxy_rules_last_timestamp_seconds', 'gauge', ['ip_family']],
  ['kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds', 'gauge', ['ip_family']],
  ['kubeproxy_network_programming_duration_seconds', 'histogram', ['ip_family']],
  ['kubeproxy_sync_proxy_rules_endpoint_changes_pending', 'gauge', []],
  ['kubeproxy_sync_proxy_rules_endpoint_changes_total', 'counter', []],
  ['kubeproxy_sync_proxy_rules_service_changes_pending', 'gauge', []],
  ['kubeproxy_sync_proxy_rules_service_changes_total', 'counter', []],
  ['kubeproxy_sync_proxy_rules_no_local_endpoints_total', 'gauge', ['ip_family', 'traffic_policy']],
  ['kubeproxy_proxy_healthz_total', 'counter', ['code']],
  ['kubeproxy_proxy_livez_total', 'counter', ['code']],
  ['kubeproxy_sync_proxy_rules_iptables_restore_failures_total', 'counter', ['ip_family']],
  ['kubeproxy_sync_proxy_rules_iptables_partial_restore_failures_total', 'counter', ['ip_family']],
  ['kubeproxy_sync_proxy_rules_iptables_total', 'gauge', ['ip_family', 'table']],
  ['kubeproxy_sync_proxy_rules_iptables_last', 'gauge', ['ip_family', 'table']],
  ['kubeproxy_iptables_ct_state_invalid_dropped_packets_total', 'counter', []],
  ['kubeproxy_iptables_localhost_nodeports_accepted_packets_total', 'counter', []],
  ['kubeproxy_conntrack_reconciler_sync_duration_seconds', 'histogram', ['ip_family']],
  ['kubeproxy_conntrack_reconciler_deleted_entries_total', 'counter', ['ip_family']],
]

const labelValues: Readonly<Record<string, readonly string[]>> = {
  ip_family: ['IPv4', 'IPv6'],
  traffic_policy: ['internal', 'external'],
  code: ['200', '503'],
  table: ['filter', 'nat'],
}

/** Label sets of a series that there is from the start, each sorted by label. */
function expectedSeries(labels: readonly string[]): readonly string[] {
  const sets = labels.reduce<readonly string[][]>(
    (soFar, label) => soFar.flatMap(set => (labelValues[label] ?? []).map(value => [...set, `${label}="${value}"`])),
    [[]],
  )
  return sets.map(set => set.join(',')).sort()
}

describe("kube-proxy's metrics", () => {
  it('are all there, with their types, and at 0 for every label value', async context => {
    const { types, series, value } = await scrape(start(context))
    for (const [name, type, labels] of kubeProxy) {
      assert.equal(types.get(name), type, name)
      const sample = type === 'histogram' ? `${name}_count` : name
      const found = series.filter(key => key === sample || key.startsWith(`${sample}{`))
      assert.deepEqual(found.map(key => sortedLabels(key)).sort(), expectedSeries(labels), name)
      for (const key of found) assert.equal(value(key), 0, key)
    }
  })

  it('are no more than these', async context => {
    const { types } = await scrape(start(context))
    const ours = [...types.keys()].filter(name => name.startsWith('kubeproxy_')).sort()
    assert.deepEqual(ours, kubeProxy.map(([name]) => name).sort())
  })

  it('have their help, as alpha metrics', async context => {
    const { help } = await scrape(start(context))
    assert.equal(help.get('kubeproxy_sync_proxy_rules_duration_seconds'), '[ALPHA] SyncProxyRules latency in seconds')
    for (const [name] of kubeProxy) assert.match(help.get(name) ?? '', /^\[ALPHA\] \S/, name)
  })

  it('have their buckets', async context => {
    const { series } = await scrape(start(context))
    const bounds = (name: string): readonly string[] =>
      series.flatMap(key =>
        key.startsWith(`${name}_bucket{`) && key.includes('IPv4') ? (/le="([^"]+)"/.exec(key)?.[1] ?? []) : [],
      )
    const programming = [0.25, 0.5, ...range(1, 59, 1), ...range(60, 115, 5), ...range(120, 300, 30)]
    for (const [name, type] of kubeProxy) {
      if (type !== 'histogram') continue
      const expected = name.includes('network_programming') ? programming : syncBounds
      assert.deepEqual(bounds(name), [...expected.map(String), '+Inf'], name)
    }
  })

  it('of a family that is not programmed are not there', async context => {
    const { series } = await scrape(start(context, { families: ['IPv4'] }))
    assert.deepEqual(
      series.filter(key => key.includes('IPv6')),
      [],
    )
  })
})

describe('all metrics', () => {
  it('pass `promtool check metrics`, but for two names that kube-proxy chose', async context => {
    const { contentType, text } = await start(context).render()
    assert.equal(contentType, 'text/plain; version=0.0.4; charset=utf-8')
    assert.deepEqual(await promtoolComplaints(text), complaintsAboutKubeProxy)
  })

  it('are judged by a promtool that finds mistakes', async () => {
    const [complaint] = await promtoolComplaints('# TYPE wrong counter\nwrong 1\n')
    assert.match(complaint ?? '', /^wrong /)
    assert.match((await promtoolComplaints('this is no metric\n')).join(), /error while linting/)
  })

  it('include those of the process and of Node.js', async context => {
    const { types } = await scrape(start(context))
    for (const name of ['process_resident_memory_bytes', 'process_start_time_seconds', 'process_open_fds', 'nodejs_version_info'])
      assert.ok(types.has(name), name)
  })
})

function sortedLabels(series: string): string {
  return (/\{(.*)\}$/.exec(series)?.[1] ?? '').split(',').sort().join(',')
}

function range(first: number, last: number, step: number): readonly number[] {
  return Array.from({ length: (last - first) / step + 1 }, (_, index) => first + index * step)
}
