// What passes programmed → the health check node ports that are to be open, and their servers.
import { checkHosts, type Host } from '../health/port-plan.ts'
import { ServiceChecks } from '../health/service-checks.ts'
import type { IpFamily } from '../model/address.ts'
import type { EndpointSlice, ServiceKey } from '../model/objects.ts'
import type { ClusterState, Programmed, SyncEvents } from '../sync/events.ts'
import type { Listeners, ObserverLog } from '../sync/subscribe.ts'
import { ServiceHealthServers } from './service-health-servers.ts'

export interface HealthChecksOptions {
  /** The families that are programmed. */
  readonly families: readonly IpFamily[]
  readonly isProxyHealthy: () => boolean
  /** Told at every attempt to listen that failed. */
  readonly onFailure: (failure: { readonly service: ServiceKey; readonly message: string }) => void
  /** Milliseconds between tries while nothing changes. */
  readonly retryEveryMs: () => number
  readonly log: ObserverLog
}

const noSlices: readonly EndpointSlice[] = []

export class HealthChecks {
  readonly #options: HealthChecksOptions
  readonly #checks = new ServiceChecks()
  readonly #servers: ServiceHealthServers
  #cluster: ClusterState | undefined
  #hosts: readonly Host[] = []
  #retry: NodeJS.Timeout | undefined

  constructor(options: HealthChecksOptions) {
    const { isProxyHealthy, onFailure, log } = options
    this.#options = options
    this.#servers = new ServiceHealthServers({ isProxyHealthy, onFailure, log })
  }

  readonly listeners: Listeners<SyncEvents> = {
    changed: ({ cluster }) => {
      this.#cluster = cluster
    },
    programmed: programmed => this.#programmed(programmed),
  }

  counts(): { readonly open: number; readonly failed: number } {
    return this.#servers.counts()
  }

  async close(): Promise<void> {
    clearTimeout(this.#retry)
    this.#retry = undefined
    await this.#servers.close()
  }

  #programmed({ family, scope, decisions, node, settings }: Programmed): void {
    const slices = (service: ServiceKey): readonly EndpointSlice[] => this.#cluster?.slices(service) ?? noSlices
    this.#checks.update({ family, scope, decisions, nodeName: node.name, slices })
    this.#hosts = checkHosts({ families: this.#options.families, node, settings })
    void this.#reconcile()
  }

  /** A port that somebody else has may become free without any change of the cluster. */
  async #reconcile(): Promise<void> {
    clearTimeout(this.#retry)
    await this.#servers.reconcile({ checks: this.#checks.wanted(), hosts: this.#hosts })
    if (this.#servers.counts().failed === 0) return
    clearTimeout(this.#retry)
    this.#retry = setTimeout(() => void this.#reconcile(), this.#options.retryEveryMs())
    this.#retry.unref()
  }
}
