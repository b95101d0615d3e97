// All metrics of the process: ours, kube-proxy's, and those of the process and of Node.js that prom-client brings.
import { collectDefaultMetrics, Registry } from 'prom-client'
import type { IpFamily } from '../model/address.ts'
import { createInstruments, type Instruments } from './instruments.ts'
import { kubeProxyMetrics } from './kube-proxy-metrics.ts'
import { switchyardMetrics } from './switchyard-metrics.ts'

export interface MetricsOptions {
  /** The families that are programmed. */
  readonly families: readonly IpFamily[]
  /** Resources that are watched: `services`. None where the objects do not come from an API server. */
  readonly resources: readonly string[]
}

export type KubeProxyInstruments = Instruments<typeof kubeProxyMetrics>
export type SwitchyardInstruments = Instruments<typeof switchyardMetrics>

export interface Metrics {
  readonly kubeProxy: KubeProxyInstruments
  readonly own: SwitchyardInstruments
  /** For /metrics: text/plain; version=0.0.4. `collect` listeners are asked first. */
  render(): Promise<{ readonly contentType: string; readonly text: string }>
  /** Called before each rendering, for values that are computed when somebody asks. */
  onCollect(collect: () => void | Promise<void>): void
  close(): void
}

const leftOut = [
  // Gauges that end in `_total` break the naming rules (promtool), and the same numbers come by type without them.
  ...['resources', 'handles', 'requests'].map(what => `nodejs_active_${what}_total`),
  // Sampled by a timer that would wake an idle process all the time; nodejs_eventloop_lag_seconds is measured when asked for.
  ...['min', 'max', 'mean', 'stddev', 'p50', 'p90', 'p99'].map(what => `nodejs_eventloop_lag_${what}_seconds`),
]
const neverSampleMs = 2 ** 31 - 1

export function createMetrics({ families, resources }: MetricsOptions): Metrics {
  const registry = new Registry()
  const known = {
    ip_family: families,
    table: ['filter', 'nat'],
    traffic_policy: ['internal', 'external'],
    code: ['200', '503'],
    resource: resources,
    type: ['ADDED', 'MODIFIED', 'DELETED'],
    state: ['open', 'failed'],
    outcome: ['sent', 'dropped'],
    retiring: ['false', 'true'],
    reason: ['no connections', 'deadline', 'other'],
  }
  const instruments = {
    kubeProxy: createInstruments(kubeProxyMetrics, { registry, known }),
    own: createInstruments(switchyardMetrics, { registry, known: { ...known, kind: ['Service', 'EndpointSlice', 'Endpoint'] } }),
  }
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: neverSampleMs })
  for (const name of leftOut) registry.removeSingleMetric(name)
  const collectors: (() => void | Promise<void>)[] = []
  return {
    ...instruments,
    onCollect: collect => collectors.push(collect),
    async render() {
      for (const collect of collectors) await collect()
      return { contentType: registry.contentType, text: await registry.metrics() }
    },
    close: () => registry.clear(),
  }
}
