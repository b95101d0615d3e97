// A server for each health check node port (Service spec.healthCheckNodePort): any path, answered by how many ready endpoints of
// the Service are here and whether this proxy keeps up. Takes the list of ports that are wanted, makes it so.
// Invariants: one reconciliation at a time, the latest list wins; one port that cannot be opened stops no other.
import { isServiceHealthy, type ServiceHealth, serviceHealthBody } from '../health/bodies.ts'
import { type Host, type OpenPort, planPorts } from '../health/port-plan.ts'
import type { ServiceCheck } from '../health/service-checks.ts'
import type { ServiceKey } from '../model/objects.ts'
import type { ObserverLog } from '../sync/subscribe.ts'
import { type Handler, jsonResponse, type ListenAddress, type OpenServer, openServer } from './http.ts'
import { reasonOf } from './keep-listening.ts'

export interface ServiceHealthServersOptions {
  readonly isProxyHealthy: () => boolean
  /** Told at every attempt that failed; `message` names the Service, the port and the reason. */
  readonly onFailure: (failure: { readonly service: ServiceKey; readonly message: string }) => void
  readonly log: ObserverLog
}

export interface WantedPorts {
  readonly checks: ReadonlyMap<ServiceKey, ServiceCheck>
  readonly hosts: readonly Host[]
}

interface OpenCheck extends OpenPort {
  readonly servers: readonly OpenServer[]
}

export class ServiceHealthServers {
  readonly #options: ServiceHealthServersOptions
  readonly #open = new Map<ServiceKey, OpenCheck>()
  /** What was said about those that cannot be opened. */
  readonly #failing = new Map<ServiceKey, string>()
  #wanted: WantedPorts = { checks: new Map(), hosts: [] }
  #running: Promise<void> | undefined
  #again = false

  constructor(options: ServiceHealthServersOptions) {
    this.#options = options
  }

  /** Sets what is wanted and makes it so. Counts of endpoints hold at once; the promise says when the ports are as wanted. */
  reconcile(wanted: WantedPorts): Promise<void> {
    this.#wanted = wanted
    return this.retry()
  }

  /** Tries again what could not be opened. */
  retry(): Promise<void> {
    this.#again = true
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  counts(): { readonly open: number; readonly failed: number } {
    return { open: this.#open.size, failed: this.#failing.size }
  }

  async close(): Promise<void> {
    await this.reconcile({ checks: new Map(), hosts: [] })
  }

  async #run(): Promise<void> {
    while (this.#again) {
      this.#again = false
      const { checks, hosts } = this.#wanted
      const plan = planPorts({ current: this.#open, wanted: hosts.length === 0 ? new Map() : checks, hosts })
      for (const service of this.#failing.keys()) if (!checks.has(service)) this.#failing.delete(service)
      await Promise.all(plan.close.map(service => this.#close(service)))
      await Promise.all(plan.open.map(({ service, port }) => this.#tryOpen({ service, port, hosts })))
    }
  }

  async #close(service: ServiceKey): Promise<void> {
    const open = this.#open.get(service)
    this.#open.delete(service)
    await Promise.all((open?.servers ?? []).map(server => server.close()))
    this.#options.log.debug(`health check of Service ${service}: port ${open?.port} closed`)
  }

  async #tryOpen({ service, port, hosts }: { service: ServiceKey; port: number; hosts: readonly Host[] }): Promise<void> {
    const outcomes = await Promise.allSettled(hosts.map(host => this.#listen(service, { ...hostAddress(host), port })))
    const servers = outcomes.flatMap(outcome => (outcome.status === 'fulfilled' ? [outcome.value] : []))
    const failed = outcomes.find(outcome => outcome.status === 'rejected')
    if (failed === undefined) {
      this.#open.set(service, { port, hosts, servers })
      const late = this.#failing.delete(service)
      this.#options.log[late ? 'info' : 'debug'](`health check of Service ${service}: port ${port} open`)
      return
    }
    await Promise.all(servers.map(server => server.close()))
    this.#fail(service, `cannot answer health checks of Service ${service} on port ${port}: ${reasonOf(failed.reason, port)}`)
  }

  #fail(service: ServiceKey, message: string): void {
    const known = this.#failing.get(service) === message
    this.#failing.set(service, message)
    const consequence = 'load balancers take this node for unhealthy; tried again with every sync'
    if (!known) this.#options.log.error(`${message}; ${consequence}`)
    this.#options.onFailure({ service, message })
  }

  #listen(service: ServiceKey, at: ListenAddress): Promise<OpenServer> {
    const onError = (error: unknown): void =>
      this.#options.log.error(`health check of Service ${service}: ${error instanceof Error ? error.message : error}`)
    return openServer({ at, handler: this.#handler(service), onError })
  }

  #handler(service: ServiceKey): Handler {
    const [namespace = '', name = ''] = service.split('/')
    return () => {
      const localEndpoints = this.#wanted.checks.get(service)?.localEndpoints ?? 0
      const health: ServiceHealth = { namespace, name, localEndpoints, serviceProxyHealthy: this.#options.isProxyHealthy() }
      const weight = { 'x-load-balancing-endpoint-weight': String(localEndpoints) }
      return jsonResponse(isServiceHealthy(health) ? 200 : 503, serviceHealthBody(health), weight)
    }
  }
}

function hostAddress(host: Host): Omit<ListenAddress, 'port'> {
  switch (host) {
    case 'any':
      return { host: undefined }
    case 'any IPv4':
      return { host: '0.0.0.0' }
    case 'any IPv6':
      return { host: '::', ipv6Only: true }
    default:
      return { host }
  }
}
