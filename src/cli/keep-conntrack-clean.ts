// After each sync: stale UDP flows go, for they would lead packets to endpoints that are no more. A failure is said once; all else goes on.
import type { Exec } from '../kernel/exec.ts'
import type { IpFamily } from '../model/address.ts'
import { type CleanOutcome, type ConntrackCleaner, staleConntrackCleaner } from '../sync/clean-conntrack.ts'
import type { ClusterState, SyncEmitter } from '../sync/events.ts'
import type { Logger } from './log.ts'

export function keepConntrackClean(options: { readonly events: SyncEmitter; readonly exec: Exec; readonly log: Logger }): void {
  const { events, exec, log } = options
  const cleaners = new Map<IpFamily, ConntrackCleaner>()
  let cluster: ClusterState | undefined
  events.on('changed', change => {
    cluster = change.cluster
  })
  events.on('programmed', ({ family, scope, decisions, quarantined, node, settings }) => {
    if (cluster === undefined) return
    const cleaner =
      cleaners.get(family) ??
      staleConntrackCleaner({ exec, family, decisions, cluster, quarantined, now: () => performance.now() })
    cleaners.set(family, cleaner)
    const tell = (outcome: CleanOutcome): void => {
      if (outcome.kind === 'not needed') return
      if (outcome.kind === 'cleaned') {
        const { deleted, milliseconds } = outcome
        events.emit('conntrackCleaned', { family, deleted, milliseconds })
        if (deleted > 0) log.info({ family, deleted }, `deleted ${deleted} stale UDP flows of ${family}`)
      } else if (!outcome.repeated) {
        log.error(
          { family },
          `stale UDP flows of ${family} were not deleted, clients may reach pods that are gone: ${outcome.error.message}`,
        )
      }
    }
    const fail = (error: unknown): void => log.error({ family }, `looking for stale UDP flows of ${family} failed: ${error}`)
    cleaner.afterSync({ touched: scope, node, settings }).then(tell).catch(fail)
  })
}
