// Moments of the sync → metrics.
import type { IpFamily } from '../model/address.ts'
import type { ObserverClock } from '../sync/clock.ts'
import type { ClusterChange, ClusterState, Programmed, SyncEmitter, SyncEvents, SyncReport } from '../sync/events.ts'
import { type ObserverLog, subscribe } from '../sync/subscribe.ts'
import { LocalPolicyCount } from './local-policy.ts'
import type { Metrics } from './metrics.ts'
import { PendingChanges } from './pending-changes.ts'

export interface RecordSyncOptions {
  readonly metrics: Metrics
  readonly events: SyncEmitter
  readonly families: readonly IpFamily[]
  readonly clock: ObserverClock
  /** Milliseconds since 1970. */
  readonly processStartedAt: number
  readonly log: ObserverLog
}

interface Pass {
  readonly startedAt: number
  readonly kind: SyncReport['kind']
}

/** The result ends it. */
export function recordSync(options: RecordSyncOptions): () => void {
  const recorder = new SyncRecorder(options)
  options.metrics.onCollect(() => recorder.collect())
  return subscribe<SyncEvents>(options.events, recorder.listeners, options.log)
}

class SyncRecorder {
  readonly #metrics: Metrics
  readonly #families: readonly IpFamily[]
  readonly #clock: ObserverClock
  readonly #pending: PendingChanges
  readonly #passes = new Map<IpFamily, Pass>()
  readonly #localPolicy = new Map<IpFamily, LocalPolicyCount>()
  readonly #rules = new Map<IpFamily, () => Readonly<Record<string, number>>>()
  #cluster: ClusterState | undefined

  constructor({ metrics, families, clock, processStartedAt }: RecordSyncOptions) {
    this.#metrics = metrics
    this.#families = families
    this.#clock = clock
    this.#pending = new PendingChanges({ families, startedAt: processStartedAt })
  }

  readonly listeners = {
    changed: (change: ClusterChange) => this.#changed(change),
    queued: ({ family }: SyncEvents['queued'][0]) => this.#setTime('lastQueued', family),
    passStarted: ({ family, scope }: SyncEvents['passStarted'][0]) => {
      this.#pending.passStarted(family)
      this.#passes.set(family, { startedAt: this.#clock.now(), kind: scope === 'everything' ? 'full' : 'partial' })
    },
    programmed: (programmed: Programmed) => this.#programmed(programmed),
    synced: (report: SyncReport) => this.#synced(report),
    syncFailed: ({ family }: SyncEvents['syncFailed'][0]) => this.#failed(family),
    restoreFailed: ({ family, kind }: SyncEvents['restoreFailed'][0]) => {
      const { restoreFailures, partialRestoreFailures } = this.#metrics.kubeProxy
      restoreFailures.inc({ ip_family: family })
      if (kind === 'partial') partialRestoreFailures.inc({ ip_family: family })
    },
    driftRepaired: ({ family, drifts }: SyncEvents['driftRepaired'][0]) =>
      this.#metrics.own.driftRepairs.inc({ ip_family: family }, drifts),
    conntrackCleaned: ({ family, deleted, milliseconds }: SyncEvents['conntrackCleaned'][0]) => {
      const { kubeProxy, own } = this.#metrics
      kubeProxy.conntrackDuration.observe({ ip_family: family }, milliseconds / 1000)
      kubeProxy.conntrackDeleted.inc({ ip_family: family }, deleted)
      own.conntrackRemoved.inc({ ip_family: family }, deleted)
    },
  }

  /** What is computed only when somebody asks. */
  collect(): void {
    const { kubeProxy, own } = this.#metrics
    kubeProxy.serviceChangesPending.set(this.#pending.count('services'))
    kubeProxy.endpointChangesPending.set(this.#pending.count('slices'))
    for (const family of this.#families) {
      own.oldestUnprogrammed.set({ ip_family: family }, this.#pending.oldestMs(family, this.#clock.now()) / 1000)
      for (const [table, count] of Object.entries(this.#rules.get(family)?.() ?? {}))
        kubeProxy.rules.set({ ip_family: family, table }, count)
    }
    const counts = this.#cluster?.counts()
    if (counts === undefined) return
    own.clusterObjects.set({ kind: 'Service' }, counts.services)
    own.clusterObjects.set({ kind: 'EndpointSlice' }, counts.slices)
    own.clusterObjects.set({ kind: 'Endpoint' }, counts.endpoints)
  }

  #changed({ changes, unreadable, cluster }: ClusterChange): void {
    const { kubeProxy, own } = this.#metrics
    this.#cluster = cluster
    this.#pending.changed(changes, this.#clock.now())
    kubeProxy.serviceChanges.inc(changes.filter(({ id }) => id.startsWith('Service ')).length)
    kubeProxy.endpointChanges.inc(changes.filter(({ id }) => id.startsWith('EndpointSlice ')).length)
    own.sourceUnreadable.set(unreadable ? 1 : 0)
  }

  #programmed({ family, scope, decisions, quarantined, rules }: Programmed): void {
    const { kubeProxy, own } = this.#metrics
    for (const { service, time } of this.#pending.synced(family)) {
      if (quarantined.has(service)) continue
      // The stamp is another machine's: where its clock is ahead, nothing took less than no time.
      kubeProxy.programmingDuration.observe({ ip_family: family }, Math.max(0, this.#clock.wall() - time) / 1000)
    }
    const localPolicy = this.#localPolicy.get(family) ?? new LocalPolicyCount()
    this.#localPolicy.set(family, localPolicy)
    localPolicy.update(scope, decisions)
    const { internal, external } = localPolicy.total()
    kubeProxy.noLocalEndpoints.set({ ip_family: family, traffic_policy: 'internal' }, internal)
    kubeProxy.noLocalEndpoints.set({ ip_family: family, traffic_policy: 'external' }, external)
    this.#rules.set(family, rules.total)
    for (const table of ['filter', 'nat']) kubeProxy.rulesWritten.set({ ip_family: family, table }, rules.written[table] ?? 0)
    own.quarantined.set({ ip_family: family }, quarantined.size)
  }

  #synced({ family, kind, milliseconds, lines, restoreMilliseconds }: SyncReport): void {
    const { own } = this.#metrics
    this.#passes.delete(family)
    this.#observePass(family, kind, milliseconds)
    this.#setTime('lastSync', family)
    own.linesWritten.inc({ ip_family: family }, lines)
    if (lines > 0) own.restoreDuration.observe({ ip_family: family }, restoreMilliseconds / 1000)
  }

  /** Also told of a look at the kernel that failed: then no pass is under way. */
  #failed(family: IpFamily): void {
    const pass = this.#passes.get(family)
    this.#metrics.own.syncFailures.inc({ ip_family: family })
    this.#pending.failed(family)
    if (pass !== undefined) this.#observePass(family, pass.kind, this.#clock.now() - pass.startedAt)
    this.#passes.delete(family)
  }

  #observePass(family: IpFamily, kind: SyncReport['kind'], milliseconds: number): void {
    const { syncDuration, fullSyncDuration, partialSyncDuration } = this.#metrics.kubeProxy
    syncDuration.observe({ ip_family: family }, milliseconds / 1000)
    const ofKind = kind === 'full' ? fullSyncDuration : partialSyncDuration
    ofKind.observe({ ip_family: family }, milliseconds / 1000)
  }

  #setTime(metric: 'lastSync' | 'lastQueued', family: IpFamily): void {
    this.#metrics.kubeProxy[metric].set({ ip_family: family }, this.#clock.wall() / 1000)
  }
}
