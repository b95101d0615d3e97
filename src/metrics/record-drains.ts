// What drains, from moments of the sync → metrics. In a mode where nothing drains all of them stay at 0.
import type { IpFamily } from '../model/address.ts'
import { type Drain, drainKey } from '../modes/mode.ts'
import type { ObserverClock } from '../sync/clock.ts'
import type { SyncEmitter, SyncEvents } from '../sync/events.ts'
import { type ObserverLog, subscribe } from '../sync/subscribe.ts'
import type { Metrics } from './metrics.ts'

export interface RecordDrainsOptions {
  readonly metrics: Metrics
  readonly events: SyncEmitter
  readonly clock: ObserverClock
  readonly log: ObserverLog
}

type Told = SyncEvents['draining'][0]

/** The result ends it. */
export function recordDrains({ metrics, events, clock, log }: RecordDrainsOptions): () => void {
  /** As last told, by family and whether it is retiring. */
  const told = new Map<string, Told>()
  const draining = (now: Told): void => {
    const key = `${now.family} ${now.retiring}`
    for (const drain of gone(told.get(key)?.drains ?? [], now.drains)) {
      metrics.own.drainsEnded.inc({ ip_family: now.family, reason: reasonOf(drain, clock.wall()) })
    }
    told.set(key, now)
    metrics.own.drainingRealServers.set({ ip_family: now.family, retiring: String(now.retiring) }, now.drains.length)
    metrics.own.drainingConnections.set({ ip_family: now.family }, connectionsOf(now.family))
  }
  const connectionsOf = (family: IpFamily): number =>
    [...told.values()]
      .filter(one => one.family === family)
      .flatMap(({ drains }) => drains)
      .reduce((sum, { connections = 0 }) => sum + connections, 0)
  return subscribe<SyncEvents>(events, { draining }, log)
}

/** Those that are there no more. */
function gone(before: readonly Drain[], now: readonly Drain[]): readonly Drain[] {
  const names = new Set(now.map(drainKey))
  return before.filter(drain => !names.has(drainKey(drain)))
}

/** As far as the last look at it tells. */
function reasonOf({ connections, until }: Drain, now: number): 'no connections' | 'deadline' | 'other' {
  if (connections === 0) return 'no connections'
  return until <= now ? 'deadline' : 'other'
}
