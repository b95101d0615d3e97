// Moments of the sync → the status object, whenever somebody asks. Keeps what no other subscriber knows; health is asked for the rest.
import type { NotInForce } from '../config/not-in-force.ts'
import type { NodeHealth } from '../health/node-health.ts'
import type { Backend } from '../kernel/iptables.ts'
import type { IpFamily } from '../model/address.ts'
import type { ServiceKey } from '../model/objects.ts'
import type { Drain } from '../modes/mode.ts'
import type { Unread } from '../source/source.ts'
import type { ObserverClock } from '../sync/clock.ts'
import type { ClusterChange, ClusterState, SyncEvents } from '../sync/events.ts'
import { StandingRemarks } from '../sync/standing-remarks.ts'
import type { Listeners } from '../sync/subscribe.ts'
import type { ParameterState, ServedFamily } from '../sync/wanted-parameters.ts'
import { type Handler, jsonResponse } from './http.ts'
import { type DrainStatus, type FamilyStatus, type SourceStatus, type Status, statusVersion } from './status-object.ts'

export interface NodeStatusOptions {
  /** The families that are programmed. */
  readonly families: readonly IpFamily[]
  readonly node: string
  readonly mode: () => string
  /** What the configuration files ask for and is not done. */
  readonly notInForce: () => readonly NotInForce[]
  readonly backend: () => Backend
  /** Of Switchyard. */
  readonly version: string
  /** Milliseconds since 1970. */
  readonly startedAt: number
  /** `manifests in /etc/switchyard`. */
  readonly source: string
  /** What the source cannot read at the moment. */
  readonly unread: () => readonly Unread[]
  /** Kernel parameters that are wrong for these families. Absent: none is looked at. */
  readonly parameters?: (families: readonly ServedFamily[]) => Promise<readonly ParameterState[]>
  readonly health: Pick<NodeHealth, 'proxyHealth' | 'missing' | 'watches'>
  readonly clock: ObserverClock
}

/** Times are milliseconds since 1970. */
interface Known {
  lastFullSync: number | undefined
  lastPartialSync: number | undefined
  services: number
  hasNodePorts: boolean
  quarantined: ReadonlyMap<ServiceKey, string>
  failures: number
  lastFailure: string | undefined
  driftRepaired: number
  /** The mode's own, and what another mode left. */
  drains: readonly Drain[]
  retiring: readonly Drain[]
}

export class NodeStatus {
  readonly #options: NodeStatusOptions
  readonly #families: ReadonlyMap<IpFamily, Known>
  readonly #remarks = new StandingRemarks()
  #cluster: ClusterState | undefined
  #source = { complete: false, unreadable: false }
  #parameters: readonly ParameterState[] = []

  constructor(options: NodeStatusOptions) {
    this.#options = options
    this.#families = new Map(options.families.map(family => [family, nothingKnown()]))
  }

  readonly listeners: Listeners<SyncEvents> = {
    changed: ({ cluster, complete, unreadable }: ClusterChange) => {
      this.#cluster = cluster
      this.#source = { complete, unreadable }
    },
    passStarted: pass => this.#remarks.passStarted(pass),
    remarked: remark => void this.#remarks.remarked(remark),
    programmed: pass => {
      this.#remarks.programmed(pass)
      this.#learn(pass.family, { quarantined: pass.quarantined })
    },
    synced: ({ family, kind, services, hasNodePorts }) => {
      const time = this.#options.clock.wall()
      this.#learn(family, {
        services,
        hasNodePorts,
        ...working,
        ...(kind === 'full' ? { lastFullSync: time } : { lastPartialSync: time }),
      })
      void this.look()
    },
    checked: () => void this.look(),
    syncFailed: ({ family, failures, error }) => this.#learn(family, { failures, lastFailure: error.message }),
    recovered: ({ family }) => this.#learn(family, working),
    driftRepaired: ({ family, drifts }) => {
      const { driftRepaired = 0 } = this.#families.get(family) ?? {}
      this.#learn(family, { driftRepaired: driftRepaired + drifts })
    },
    draining: ({ family, retiring, drains }) => this.#learn(family, retiring ? { retiring: drains } : { drains }),
  }

  /** Reads the kernel parameters anew. Never rejects. */
  async look(): Promise<void> {
    const families = [...this.#families].map(([family, { services, hasNodePorts }]) => {
      return { family, hasServices: services > 0, hasNodePorts }
    })
    this.#parameters = (await this.#options.parameters?.(families).catch(() => undefined)) ?? []
  }

  object(): Status {
    const { node, mode, notInForce, backend, version, startedAt, health, clock } = this.#options
    const missing = health.missing()
    return {
      apiVersion: statusVersion,
      kind: 'Status',
      version,
      node,
      mode: mode(),
      iptablesBackend: backend(),
      startedAt: rfc3339(startedAt),
      time: rfc3339(clock.wall()),
      ready: missing.length === 0,
      missing,
      families: [...this.#families].map(([family, known]) => this.#family(family, known)),
      parameters: this.#parameters.map(({ name, is, expected, consequence }) => {
        return { name, is: is ?? null, expected, meaning: consequence }
      }),
      source: this.#sourceStatus(),
      notInForce: notInForce().map(({ field, inFile, inForce, reason }) => {
        return { field: field ?? null, inFile: inFile ?? null, inForce: inForce ?? null, reason }
      }),
    }
  }

  #learn(family: IpFamily, news: Partial<Known>): void {
    Object.assign(this.#families.get(family) ?? {}, news)
  }

  #family(family: IpFamily, known: Known): FamilyStatus {
    const { sync, currentTime } = this.#options.health.proxyHealth()
    const { healthy = false, lastSynced, waitingMs } = sync.families.get(family) ?? {}
    return {
      family,
      ready: healthy && lastSynced !== undefined,
      lastFullSync: timeOrNull(known.lastFullSync),
      lastPartialSync: timeOrNull(known.lastPartialSync),
      waitingSince: timeOrNull(waitingMs === undefined ? undefined : currentTime - waitingMs),
      services: known.services,
      quarantined: [...known.quarantined].map(([service, reason]) => ({ service, reason })),
      remarks: this.#remarks.ofFamily(family),
      failures: known.failures,
      lastFailure: known.lastFailure ?? null,
      drains: [...known.drains.map(drain => drainStatus(drain, false)), ...known.retiring.map(drain => drainStatus(drain, true))],
      driftRepaired: known.driftRepaired,
    }
  }

  #sourceStatus(): SourceStatus {
    const { source, unread, health, clock } = this.#options
    const { services = 0, slices = 0, endpoints = 0 } = this.#cluster?.counts() ?? {}
    const now = clock.wall()
    return {
      description: source,
      ...this.#source,
      unread: unread()
        .slice(0, mostUnread)
        .map(({ where, problem, kept }) => ({ where, problem, kept })),
      objects: { services, endpointSlices: slices, endpoints },
      watches: health.watches().map(({ resource, synced, lastContactAgeMs, failure }) => ({
        resource,
        synced,
        lastContact: timeOrNull(lastContactAgeMs === undefined ? undefined : now - lastContactAgeMs),
        failure: failure ?? null,
      })),
    }
  }
}

/** So many are told of: a folder may be full of them, and the log names all. */
const mostUnread = 20

export function statusHandler(status: Pick<NodeStatus, 'object' | 'look'>): Handler {
  return async () => {
    await status.look()
    return jsonResponse(200, `${JSON.stringify(status.object())}\n`)
  }
}

/** A pass that succeeds ends every row of failures, also where a change of the mode began to count anew. */
const working = { failures: 0, lastFailure: undefined }

function nothingKnown(): Known {
  const never = { lastFullSync: undefined, lastPartialSync: undefined }
  return {
    ...never,
    ...working,
    services: 0,
    hasNodePorts: false,
    quarantined: new Map(),
    driftRepaired: 0,
    drains: [],
    retiring: [],
  }
}

function drainStatus(drain: Drain, retiring: boolean): DrainStatus {
  const { server, realServer, service, since, goneSince, until, connections } = drain
  return {
    server,
    realServer,
    service: service ?? null,
    since: rfc3339(since),
    goneSince: timeOrNull(goneSince),
    until: rfc3339(until),
    connections: connections ?? null,
    retiring,
  }
}

function timeOrNull(milliseconds: number | undefined): string | null {
  return milliseconds === undefined ? null : rfc3339(milliseconds)
}

function rfc3339(milliseconds: number): string {
  return new Date(milliseconds).toISOString()
}
