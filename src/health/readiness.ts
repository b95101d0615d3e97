// Whether this node does what it is there for: everything was read, everything was programmed once, and both are up to date.
// Takes how the families and the watches are, gives what is missing, in words. Pure.
import type { IpFamily } from '../model/address.ts'
import type { FamilyHealth, SyncStatus } from './sync-health.ts'

/** How one resource of an API server is followed. */
export interface WatchState {
  /** `services`. */
  readonly resource: string
  /** Read completely at least once. */
  readonly synced: boolean
  /** Since the last event, bookmark or complete read; undefined before the first. */
  readonly lastContactAgeMs: number | undefined
  /** Why it is not followed at the moment: a kind of failure such as `forbidden`. */
  readonly failure: string | undefined
}

export interface ReadinessInput {
  readonly sync: SyncStatus
  /** `manifests in /etc/switchyard`. */
  readonly source: string
  /** Whether Services and EndpointSlices were read completely. */
  readonly complete: boolean
  /** None where the objects do not come from an API server. */
  readonly watches: readonly WatchState[]
}

/** Bookmarks come about once a minute and a half-open watch is found after three, so five without a word mean that none works. */
export const staleAfterMs = 300_000

/** One sentence for each reason not to be ready; none means ready. */
export function missingForReadiness({ sync, source, complete, watches }: ReadinessInput): readonly string[] {
  const unread = watches.filter(({ synced }) => !synced)
  return [
    ...(complete || unread.length > 0 ? [] : [`${source}: not read completely yet`]),
    ...unread.map(({ resource, failure }) => `watch of ${resource}: not read completely yet${because(failure)}`),
    ...watches
      .filter(isStale)
      .map(watch => `watch of ${watch.resource}: nothing heard for ${seconds(watch)} s${because(watch.failure)}`),
    ...[...sync.families].flatMap(([family, health]) => missingOfFamily(family, health)),
  ]
}

function missingOfFamily(family: IpFamily, { lastSynced, healthy, waitingMs = 0 }: FamilyHealth): readonly string[] {
  if (lastSynced === undefined) return [`${family}: no complete sync yet`]
  return healthy ? [] : [`${family}: a change has been waiting for ${Math.round(waitingMs / 1000)} s`]
}

function isStale({ synced, lastContactAgeMs }: WatchState): boolean {
  return synced && lastContactAgeMs !== undefined && lastContactAgeMs > staleAfterMs
}

function because(failure: string | undefined): string {
  return failure === undefined ? '' : ` (${failure}; the log says more)`
}

function seconds({ lastContactAgeMs = 0 }: WatchState): number {
  return Math.round(lastContactAgeMs / 1000)
}
