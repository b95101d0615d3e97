// What a pass did, as the report that logs, metrics and status share. Pure.
import type { Scope } from '../modes/mode.ts'
import type { Applied } from './apply.ts'
import type { SyncReport } from './events.ts'

export function syncReport(
  pass: Pick<SyncReport, 'family' | 'services' | 'quarantined' | 'draining' | 'hasNodePorts' | 'milliseconds'> & {
    readonly scope: Scope
    readonly applied: Applied
  },
): SyncReport {
  const { scope, applied, ...counts } = pass
  return {
    ...counts,
    kind: scope === 'everything' ? 'full' : 'partial',
    touchedServices: scope === 'everything' ? counts.services : scope.size,
    lines: applied.lines,
    written: applied.written,
    removed: applied.removed,
    restoreMilliseconds: applied.milliseconds,
  }
}
