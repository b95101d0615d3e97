// Everything that tells others how this node is: health, metrics and configuration over HTTP, health check node ports, Events.
// Subscribes to named moments, so the flow does not know of it. Takes what the daemon is made of; `close` ends all of it.
import type { Config } from '../config/config.ts'
import type { LoadedConfig } from '../config/load.ts'
import type { NotInForce } from '../config/not-in-force.ts'
import { announce, healthCheckNote, serverNote, startNote } from '../events/announce.ts'
import type { Note } from '../events/note.ts'
import { createPublisher, type Publisher } from '../events/publisher.ts'
import { servicesPath } from '../explain/services-object.ts'
import { tracePath } from '../explain/trace-object.ts'
import { NodeHealth } from '../health/node-health.ts'
import type { Exec } from '../kernel/exec.ts'
import type { Backend } from '../kernel/iptables.ts'
import { hasRoute } from '../kernel/routes.ts'
import { createMetrics, type Metrics } from '../metrics/metrics.ts'
import { recordPacketCounters } from '../metrics/read-packet-counters.ts'
import { recordDrains } from '../metrics/record-drains.ts'
import { recordSource } from '../metrics/record-source.ts'
import { recordSync } from '../metrics/record-sync.ts'
import type { Service, ServiceKey } from '../model/objects.ts'
import type { Mode } from '../modes/mode.ts'
import type { ApiClient } from '../source/kubernetes/client.ts'
import type { KubernetesSource } from '../source/kubernetes/source.ts'
import type { Source } from '../source/source.ts'
import { type ObserverClock, systemObserverClock } from '../sync/clock.ts'
import type { ClusterChange, ClusterState, SyncEmitter, SyncEvents } from '../sync/events.ts'
import type { PlannedInspection } from '../sync/inspect.ts'
import { type ObserverLog, subscribe } from '../sync/subscribe.ts'
import { readParameters, type ServedFamily, wrongParameters, wrongParametersFor } from '../sync/wanted-parameters.ts'
import { explainHandlers } from './explain-handlers.ts'
import { flagTexts } from './flag-values.ts'
import { HealthChecks } from './health-checks.ts'
import { healthHandler } from './health-server.ts'
import type { Handler } from './http.ts'
import { keepListening, type ListeningServer } from './keep-listening.ts'
import { metricsHandler } from './metrics-server.ts'
import { NodeStatus, statusHandler } from './node-status.ts'
import { guarded } from './page-guard.ts'
import type { ReadInspections } from './read-inspections.ts'
import { servePage } from './serve-page.ts'
import { NodeServices, servicesHandler } from './services.ts'
import { statusPath } from './status-object.ts'
import { traceHandler } from './trace-handler.ts'

export interface ObserverOptions {
  /** What is in force, read anew whenever it is needed. Node name and addresses count as they are at the start. */
  readonly live: {
    readonly config: Config
    readonly loaded: Pick<LoadedConfig, 'effective' | 'flagValues'>
    readonly notInForce: readonly NotInForce[]
  }
  /** Before anything is emitted. */
  readonly events: SyncEmitter
  /** One for each family that is programmed. The families stay, the modes may change. */
  readonly modes: () => readonly Pick<Mode<never, never>, 'family' | 'packetCounters' | 'fates' | 'scheduler'>[]
  /** The iptables backend that rules go to. */
  readonly backend: () => Backend
  readonly exec: Exec
  readonly source: Pick<Source, 'description' | 'unread'>
  /** Undefined where the objects do not come from an API server: then Events are only logged. */
  readonly api: { readonly client: ApiClient; readonly source: KubernetesSource } | undefined
  /** Of Switchyard. */
  readonly version: string
  readonly log: ObserverLog
  /** bindAddressHardFail and an address that is taken: the process is to end. */
  readonly onFatal: (error: Error) => void
  /** What the kernel holds beside what it should, for those who ask. */
  readonly inspections: ReadInspections
  /** With what would be done. */
  readonly plans: ReadInspections<PlannedInspection>
  /** Further paths of the metrics server. */
  readonly routes?: Readonly<Record<string, Handler>>
  readonly clock?: ObserverClock
}

export interface Observers {
  /** Undefined: no such server, or not listening yet. */
  readonly healthPort: number | undefined
  readonly metricsPort: number | undefined
  readonly metrics: Metrics
  /** Ends servers and subscriptions; Events that wait get a second. */
  close(): Promise<void>
}

/** The kube-proxy whose place this is. */
const emulationVersion = '1.36'
const eventGraceMs = 1000

export function startObservers(options: ObserverOptions): Observers {
  const { live, events, modes, api, version, log, clock = systemObserverClock } = options
  const families = modes().map(({ family }) => family)
  const startedAt = clock.wall() - process.uptime() * 1000
  const metrics = createMetrics({ families, resources: api?.source.status().map(({ resource }) => resource) ?? [] })
  const publisher = startPublisher({ ...options, clock, metrics })
  const publish = (note: Note): void => {
    if (publisher === undefined) log.debug(`Event (there is no API server to send it to): ${note.reason}: ${note.note}`)
    else publisher.publish(note)
  }
  const { nodeName, mode } = live.config
  const { description: source } = options.source
  const unread = () => options.source.unread()
  const health = new NodeHealth({
    families,
    source,
    watches: api === undefined ? undefined : () => api.source.status(),
    syncPeriodMs: () => live.config.syncPeriodMs,
    clock,
  })
  const latest = followCluster(events, log)
  const checks = new HealthChecks({
    families,
    isProxyHealthy: () => health.isProxyHealthy(),
    onFailure: ({ service, message }) =>
      publish(healthCheckNote(service, { service: latest.service(service), nodeName, message })),
    retryEveryMs: () => live.config.syncPeriodMs,
    log,
  })
  const about = { node: nodeName, mode: () => live.config.mode, backend: options.backend, version, startedAt, source, unread }
  const parameters = (served: readonly ServedFamily[]) => wrongParametersFor(live.config, served)
  const notInForce = () => live.notInForce
  const status = new NodeStatus({ ...about, notInForce, families, parameters, health, clock })
  const services = new NodeServices({ modes, live, clock, unread })
  const ends = [
    latest.end,
    recordSync({ metrics, events, families, clock, processStartedAt: startedAt, log }),
    recordDrains({ metrics, events, clock, log }),
    subscribe<SyncEvents>(events, health.listeners, log),
    subscribe<SyncEvents>(events, checks.listeners, log),
    subscribe<SyncEvents>(events, status.listeners, log),
    subscribe<SyncEvents>(events, services.listeners, log),
    announce({ nodeName, events, source: api?.source.events, service: latest.service, publish, log }),
  ]
  if (api !== undefined) ends.push(recordSource({ metrics, source: api.source, server: api.client.server, clock, log }))
  const counters = () => modes().flatMap(({ packetCounters }) => packetCounters ?? [])
  recordPacketCounters({ metrics, counters, exec: options.exec, clock, log })
  metrics.onCollect(() => {
    metrics.own.build.reset()
    metrics.own.build.set({ version, node_version: process.version, mode: live.config.mode }, 1)
    metrics.own.settingsNotInForce.set(live.notInForce.length)
    metrics.own.ready.set(health.missing().length === 0 ? 1 : 0)
    metrics.own.healthCheckPorts.set({ state: 'open' }, checks.counts().open)
    metrics.own.healthCheckPorts.set({ state: 'failed' }, checks.counts().failed)
  })
  publish(startNote(nodeName, { version, mode }))
  const explain = explainHandlers({
    ...options,
    ...about,
    families,
    sweeps: latest.sweeps,
    parameters: inspections => wrongParameters(live.config, inspections),
    now: clock.wall,
  })
  const trace = traceHandler({
    inspections: options.inspections,
    cluster: latest.cluster,
    unread,
    parameters: inspections => readParameters(live.config, inspections),
    hasRoute: address => hasRoute(address, options.exec),
    now: clock.wall,
  })
  const told = {
    [statusPath]: statusHandler(status),
    ...explain,
    [tracePath]: trace,
    [servicesPath]: servicesHandler(services),
    ...options.routes,
  }
  const page = servePage({ status: () => status.object(), service: services.one, events, log })
  const routes = { ...told, ...page.routes }
  const servers = listenAll({ ...options, routes, clock, metrics, health, startedAt, publish })

  return {
    get healthPort() {
      return servers.health?.port
    },
    get metricsPort() {
      return servers.metrics?.port
    },
    metrics,
    async close() {
      for (const end of [...ends, page.close]) end()
      await Promise.all([servers.health?.close(), servers.metrics?.close(), checks.close(), publisher?.close(eventGraceMs)])
      metrics.close()
    },
  }
}

function startPublisher(options: ObserverOptions & { readonly clock: ObserverClock; readonly metrics: Metrics }) {
  const { api, live, clock, log, metrics } = options
  if (api === undefined) return undefined
  const { host } = new URL(api.client.server)
  return createPublisher({
    client: api.client,
    nodeName: live.config.nodeName,
    clock,
    log,
    onOutcome: outcome => metrics.own.kubernetesEvents.inc({ outcome }),
    onRequest: ({ method, status }) =>
      metrics.kubeProxy.requests.inc({ code: status === undefined ? '<error>' : String(status), method, host }),
  }) satisfies Publisher
}

/** Services by key, as the store has them last. */
function followCluster(events: SyncEmitter, log: ObserverLog) {
  let cluster: ClusterState | undefined
  let sweeps = false
  const changed = (change: ClusterChange): void => {
    cluster = change.cluster
    sweeps = !change.unreadable
  }
  const end = subscribe<SyncEvents>(events, { changed }, log)
  return {
    end,
    service: (key: ServiceKey): Service | undefined => cluster?.service(key),
    sweeps: () => sweeps,
    cluster: () => cluster,
  }
}

interface ServerOptions extends ObserverOptions {
  readonly clock: ObserverClock
  readonly metrics: Metrics
  readonly health: NodeHealth
  /** Milliseconds since 1970. */
  readonly startedAt: number
  readonly publish: (note: Note) => void
}

function listenAll(options: ServerOptions): { readonly health?: ListeningServer; readonly metrics?: ListeningServer } {
  const { live, log, onFatal, publish } = options
  const { healthBind, metricsBind, bindHardFail: hardFail, nodeName } = live.config
  const onFailure = (server: 'health' | 'metrics') => (error: Error) => {
    if (!hardFail) return
    publish(serverNote(nodeName, { server, message: error.message }))
    onFatal(error)
  }
  const common = { hardFail, log }
  return {
    ...(healthBind !== undefined && {
      health: keepListening({
        ...common,
        name: 'health server',
        bind: healthBind,
        handler: healthPaths(options),
        onFailure: onFailure('health'),
      }),
    }),
    ...(metricsBind !== undefined && {
      metrics: keepListening({
        ...common,
        name: 'metrics server',
        bind: metricsBind,
        handler: metricsPaths(options),
        onFailure: onFailure('metrics'),
      }),
    }),
  }
}

function healthPaths({ health, metrics }: ServerOptions): Handler {
  return healthHandler({
    health: () => health.proxyHealth(),
    nodeEligible: () => health.isNodeEligible(),
    missing: () => health.missing(),
    watches: () => health.watches(),
    answered: (path, status) => {
      const counter = path === '/healthz' ? metrics.kubeProxy.healthz : metrics.kubeProxy.livez
      counter.inc({ code: String(status) })
    },
  })
}

function metricsPaths({ live, metrics, version, clock, startedAt, routes = {} }: ServerOptions): Handler {
  const all = metricsHandler({
    metrics,
    mode: () => live.config.mode,
    settings: () => live.loaded.effective,
    flags: () => flagTexts(live.loaded.flagValues),
    status: () => ({ startedAt, now: clock.wall(), version, nodeVersion: process.version, emulationVersion }),
    routes,
  })
  return guarded(all, () => ({ bind: live.config.pageBind, hosts: live.config.pageHosts, node: live.config.nodeName }))
}
