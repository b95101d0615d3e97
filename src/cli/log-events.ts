// Sync events → log lines. Repeated failures are said less and less often; what an operator must act on is an error.
import type { IpFamily } from '../model/address.ts'
import type { SyncEmitter } from '../sync/events.ts'
import { NodePortClashes } from '../sync/node-port-clashes.ts'
import { StandingRemarks } from '../sync/standing-remarks.ts'
import type { Logger } from './log.ts'
import { logDraining } from './log-draining.ts'
import { isReminder } from './reminder.ts'

/** How many things a line names before it only counts. */
const mostNamed = 5

export function logSyncEvents(events: SyncEmitter, log: Logger): void {
  events.on('synced', report => {
    const { family, kind, lines, milliseconds, restoreMilliseconds, ...counts } = report
    const changed = lines === 0 ? 'the kernel is as wanted' : 'programmed'
    const times = { milliseconds: Math.round(milliseconds), restoreMilliseconds: Math.round(restoreMilliseconds) }
    // A change of one IP family is none of the other: not a line each time at the level that is on.
    const level = kind === 'partial' && lines === 0 ? 'debug' : 'info'
    log[level]({ family, sync: kind, lines, ...counts, ...times }, `synced ${family}: ${changed}`)
  })
  const saidLast = new Map<IpFamily, string>()
  events.on('syncFailed', ({ family, error, failures, retryInMs }) => {
    const isNew = failures === 1 || saidLast.get(family) !== error.message
    const level = isNew || isReminder(failures) ? 'error' : 'debug'
    saidLast.set(family, error.message)
    const times = failures > 1 ? ` ${failures} times in a row` : ''
    const consequence = `what is programmed stays; next try in ${Math.ceil(retryInMs / 1000)} s`
    log[level]({ family, failures }, `sync of ${family} failed${times}: ${error.message}; ${consequence}`)
  })
  events.on('recovered', ({ family, failures }) =>
    log.info({ family, failures }, `sync of ${family} works again after ${failures} failed ${failures === 1 ? 'try' : 'tries'}`),
  )
  events.on('checked', ({ milliseconds, ...check }) =>
    log.debug({ ...check, milliseconds: Math.round(milliseconds) }, `compared the ${check.family} rules (${check.extent})`),
  )
  events.on('quarantined', ({ family, service, reason }) => {
    const advice =
      'it keeps the rules that it had, all others are programmed; it is tried again when it changes, and every few minutes'
    log.error({ family, service }, `Service ${service} is quarantined, the kernel refuses its rules: ${reason}; ${advice}`)
  })
  events.on('released', ({ family, service }) => log.info({ family, service }, `Service ${service} is programmed again`))
  events.on('driftFound', ({ family, drifts, meaning }) => {
    const named = drifts.slice(0, mostNamed).map(drift => {
      const { kind, what, service } = drift
      return `${kind}: ${what}${service === undefined ? '' : ` (Service ${service})`}, so ${meaning(drift)}`
    })
    const more = drifts.length > mostNamed ? ` and ${drifts.length - mostNamed} more` : ''
    log.warn(
      { family, drifts: drifts.length },
      `someone changed the kernel's ${family} rules: ${named.join('; ')}${more}; repairing`,
    )
  })
  events.on('driftRepaired', ({ family, drifts }) => log.info({ family, drifts }, `repaired ${drifts} differences in ${family}`))
  events.on('aliasesLearned', ({ family, chains }) => {
    const some = chains.slice(0, mostNamed).join('; ')
    log.warn(
      { family, count: chains.length },
      `this iptables prints rules in other words than they were written, accepted as the same: ${some}`,
    )
  })
  let swept: boolean | undefined
  events.on('changed', ({ complete, unreadable }) => {
    if (!complete || swept === !unreadable) return
    if (unreadable)
      log.warn(
        'something above could not be read and has no earlier version: stale rules of Services that are gone stay until it can',
      )
    else if (swept === false) log.info('all can be read again: stale rules go')
    swept = !unreadable
  })
  const said = new Set<string>()
  events.on('kept', ({ family, what }) => {
    if (!said.has(what)) log.warn({ family }, `left in place: ${what}`)
    said.add(what)
  })
  const clashes = new NodePortClashes()
  events.on('changed', ({ changes }) => {
    for (const clash of clashes.apply(changes)) log.warn(clash)
  })
  logRemarks(events, log)
  logDraining(events, log)
}

/** What a Service does not get: once, and again when it changes. */
function logRemarks(events: SyncEmitter, log: Logger): void {
  const remarks = new StandingRemarks()
  events.on('passStarted', pass => remarks.passStarted(pass))
  events.on('remarked', remark => {
    const { service, reason, message } = remark
    if (remarks.remarked(remark)) log.warn({ service, reason }, `Service ${service} ${message}`)
  })
  events.on('programmed', pass => remarks.programmed(pass))
}
