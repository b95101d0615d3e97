// Moments of the sync → how healthy, eligible and ready this node is, whenever somebody asks.
import type { IpFamily } from '../model/address.ts'
import type { ReflectorStatus } from '../source/kubernetes/source-events.ts'
import type { ObserverClock } from '../sync/clock.ts'
import type { ClusterChange, ClusterState, SyncEvents } from '../sync/events.ts'
import type { Listeners } from '../sync/subscribe.ts'
import type { ProxyHealthInput } from './bodies.ts'
import { isNodeEligible } from './node-eligibility.ts'
import { missingForReadiness, type WatchState } from './readiness.ts'
import { SyncHealth } from './sync-health.ts'

export interface NodeHealthOptions {
  /** The families that are programmed. */
  readonly families: readonly IpFamily[]
  /** `manifests in /etc/switchyard`. */
  readonly source: string
  /** How the resources of an API server are followed; undefined where the objects do not come from one. */
  readonly watches: (() => readonly ReflectorStatus[]) | undefined
  /** The syncPeriod in force, milliseconds. */
  readonly syncPeriodMs: () => number
  readonly clock: ObserverClock
}

export class NodeHealth {
  readonly #options: NodeHealthOptions
  readonly #sync: SyncHealth
  #cluster: ClusterState | undefined
  #complete = false

  constructor(options: NodeHealthOptions) {
    this.#options = options
    this.#sync = new SyncHealth(options.families)
  }

  readonly listeners: Listeners<SyncEvents> = {
    changed: ({ complete, cluster }: ClusterChange) => {
      this.#complete = complete
      this.#cluster = cluster
    },
    queued: ({ family }) => this.#sync.queued(family, this.#options.clock.now()),
    passStarted: ({ family }) => this.#sync.passStarted(family),
    synced: ({ family }) => this.#sync.synced(family, this.#options.clock.now()),
    syncFailed: ({ family }) => this.#sync.failed(family),
  }

  proxyHealth(): ProxyHealthInput {
    const { clock, syncPeriodMs } = this.#options
    const now = clock.now()
    const wall = clock.wall()
    const sync = this.#sync.status({ now, lateAfterMs: 2 * syncPeriodMs() })
    return { sync, currentTime: wall, toWallClock: time => wall - (now - time) }
  }

  isProxyHealthy(): boolean {
    return this.proxyHealth().sync.healthy
  }

  isNodeEligible(): boolean {
    return isNodeEligible(this.#cluster?.node(), { mustExist: this.#options.watches !== undefined })
  }

  watches(): readonly WatchState[] {
    const all = this.#options.watches?.() ?? []
    return all.map(({ resource, synced, lastContactAgeMs, lastFailure }) => {
      return { resource, synced, lastContactAgeMs, failure: lastFailure?.kind }
    })
  }

  /** Reasons not to be ready, in words; none where it is. */
  missing(): readonly string[] {
    const { source } = this.#options
    return missingForReadiness({ sync: this.proxyHealth().sync, source, complete: this.#complete, watches: this.watches() })
  }
}
