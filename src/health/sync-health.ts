// Whether the kernel keeps up with the cluster, by IP family. Takes what was queued, begun and finished and when; gives who is
// late. Knows no clock: every time comes in, in milliseconds of one that never goes back.
import type { IpFamily } from '../model/address.ts'

export interface FamilyHealth {
  /** False while something that was queued waits longer than the bound. */
  readonly healthy: boolean
  /** When a pass last succeeded; undefined before the first. */
  readonly lastSynced: number | undefined
  /** For how long the oldest change has been waiting or in a pass; undefined where nothing is. */
  readonly waitingMs: number | undefined
}

export interface SyncStatus {
  /** That of every family. */
  readonly healthy: boolean
  readonly families: ReadonlyMap<IpFamily, FamilyHealth>
}

interface FamilyTimes {
  /** Since when something waits for a pass. */
  queuedSince: number | undefined
  /** Since when the oldest change in the pass that is under way had been waiting. */
  underWaySince: number | undefined
  lastSynced: number | undefined
}

export class SyncHealth {
  readonly #families: ReadonlyMap<IpFamily, FamilyTimes>

  /** A family that is not named here is not ours to program, and what is said of it is ignored. */
  constructor(families: readonly IpFamily[]) {
    const nothing = { queuedSince: undefined, underWaySince: undefined, lastSynced: undefined }
    this.#families = new Map(families.map(family => [family, { ...nothing }]))
  }

  queued(family: IpFamily, now: number): void {
    const times = this.#families.get(family)
    if (times !== undefined) times.queuedSince ??= now
  }

  /** What is queued from now on is not in this pass. */
  passStarted(family: IpFamily): void {
    const times = this.#families.get(family)
    if (times === undefined) return
    times.underWaySince = times.queuedSince
    times.queuedSince = undefined
  }

  synced(family: IpFamily, now: number): void {
    const times = this.#families.get(family)
    if (times === undefined) return
    times.underWaySince = undefined
    times.lastSynced = now
  }

  /** What was in the pass waits again, and has been waiting all the time. */
  failed(family: IpFamily): void {
    const times = this.#families.get(family)
    if (times?.underWaySince === undefined) return
    times.queuedSince = times.underWaySince
    times.underWaySince = undefined
  }

  /** @param lateAfterMs kube-proxy's bound is twice syncPeriod. */
  status({ now, lateAfterMs }: { readonly now: number; readonly lateAfterMs: number }): SyncStatus {
    const families = new Map<IpFamily, FamilyHealth>()
    for (const [family, times] of this.#families) families.set(family, familyHealth(times, now, lateAfterMs))
    return { healthy: [...families.values()].every(({ healthy }) => healthy), families }
  }
}

function familyHealth({ queuedSince, underWaySince, lastSynced }: FamilyTimes, now: number, lateAfterMs: number): FamilyHealth {
  const since = underWaySince ?? queuedSince
  const waitingMs = since === undefined ? undefined : now - since
  return { healthy: waitingMs === undefined || waitingMs < lateAfterMs, lastSynced, waitingMs }
}
