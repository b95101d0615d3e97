// Changes of the cluster that the kernel does not have yet, by IP family: how many, since when, and which network programming
// latencies are to be measured once it has them. Pure state; times come in as milliseconds.
import type { IpFamily } from '../model/address.ts'
import type { ServiceKey } from '../model/objects.ts'
import type { ObjectChange, ObjectId } from '../source/source.ts'

/** A change of endpoints that somebody stamped (annotation endpoints.kubernetes.io/last-change-trigger-time). */
export interface Trigger {
  readonly service: ServiceKey
  /** Milliseconds since 1970. */
  readonly time: number
}

interface Waiting {
  /** Since when, on a clock that never goes back. */
  since: number | undefined
  readonly services: Set<ObjectId>
  readonly slices: Set<ObjectId>
  readonly triggers: Trigger[]
}

interface FamilyChanges {
  queued: Waiting
  underWay: Waiting
}

/** While nothing can be programmed for days, what is remembered stays bounded. */
const mostRemembered = 100_000

export class PendingChanges {
  readonly #families: ReadonlyMap<IpFamily, FamilyChanges>
  readonly #startedAt: number

  /** @param startedAt when the process started, milliseconds since 1970: what was triggered before it is not its latency. */
  constructor({ families, startedAt }: { readonly families: readonly IpFamily[]; readonly startedAt: number }) {
    this.#families = new Map(families.map(family => [family, { queued: nothing(), underWay: nothing() }]))
    this.#startedAt = startedAt
  }

  changed(changes: readonly ObjectChange[], now: number): void {
    for (const [family, { queued }] of this.#families) {
      for (const change of changes) this.#add({ queued, family, change, now })
    }
  }

  #add({ queued, family, change, now }: { queued: Waiting; family: IpFamily; change: ObjectChange; now: number }): void {
    const { id, object } = change
    const kind = id.startsWith('Service ') ? 'services' : id.startsWith('EndpointSlice ') ? 'slices' : undefined
    if (kind === undefined) return
    queued.since ??= now
    if (queued[kind].size < mostRemembered) queued[kind].add(id)
    if (object?.kind !== 'EndpointSlice' || object.family !== family) return
    const { service, lastChangeTriggerTime: time } = object
    if (time === undefined || time <= this.#startedAt || queued.triggers.length >= mostRemembered) return
    queued.triggers.push({ service, time })
  }

  passStarted(family: IpFamily): void {
    const changes = this.#families.get(family)
    if (changes === undefined) return
    changes.underWay = merged(changes.underWay, changes.queued)
    changes.queued = nothing()
  }

  /** Gives what the pass that succeeded was triggered by. */
  synced(family: IpFamily): readonly Trigger[] {
    const changes = this.#families.get(family)
    const triggers = changes?.underWay.triggers ?? []
    if (changes !== undefined) changes.underWay = nothing()
    return triggers
  }

  failed(family: IpFamily): void {
    const changes = this.#families.get(family)
    if (changes === undefined) return
    changes.queued = merged(changes.underWay, changes.queued)
    changes.underWay = nothing()
  }

  /** Milliseconds; 0 where nothing waits. */
  oldestMs(family: IpFamily, now: number): number {
    const { queued, underWay } = this.#families.get(family) ?? {}
    const since = underWay?.since ?? queued?.since
    return since === undefined ? 0 : now - since
  }

  /** Objects of which some family does not have the latest change. */
  count(kind: 'services' | 'slices'): number {
    const all = [...this.#families.values()].flatMap(({ queued, underWay }) => [queued[kind], underWay[kind]])
    return all.reduce((union, ids) => union.union(ids), new Set<ObjectId>()).size
  }
}

function nothing(): Waiting {
  return { since: undefined, services: new Set(), slices: new Set(), triggers: [] }
}

function merged(older: Waiting, newer: Waiting): Waiting {
  if (older.since === undefined) return newer
  return {
    since: older.since,
    services: older.services.union(newer.services),
    slices: older.slices.union(newer.slices),
    triggers: [...older.triggers, ...newer.triggers],
  }
}
