// Moments of draining → log lines: when it begins and when it is over, never a line a real server (those are in the debug log).
import type { IpFamily } from '../model/address.ts'
import { type Drain, drainKey } from '../modes/mode.ts'
import type { SyncEmitter } from '../sync/events.ts'
import type { Logger } from './log.ts'
import { isReminder } from './reminder.ts'

export function logDraining(events: SyncEmitter, log: Logger): void {
  const before = new Map<string, ReadonlySet<string>>()
  events.on('draining', ({ family, retiring, drains }) => {
    const key = `${family} ${retiring}`
    const known = before.get(key) ?? new Set()
    const names = new Set(drains.map(drainKey))
    before.set(key, names)
    if (known.size === 0 && names.size > 0)
      log.info(fieldsOf({ family, retiring, drains }), beginning({ family, retiring, drains }))
    if (known.size > 0 && names.size === 0) log.info({ family, retiring }, `draining of ${whose({ family, retiring })} is over`)
    for (const name of names.difference(known)) log.debug({ family, retiring }, `drains from now on: ${name}`)
    for (const name of known.difference(names)) log.debug({ family, retiring }, `drains no more: ${name}`)
  })
  logLooks(events, log)
  logRetirement(events, log)
}

interface Draining {
  readonly family: IpFamily
  readonly retiring: boolean
  readonly drains: readonly Drain[]
}

function fieldsOf({ family, retiring, drains }: Draining): object {
  return { family, retiring, realServers: drains.length, virtualServers: new Set(drains.map(({ server }) => server)).size }
}

function beginning({ family, retiring, drains }: Draining): string {
  const count =
    drains.length === 1
      ? '1 real server keeps its connections and gets no new ones'
      : `${drains.length} real servers keep their connections and get no new ones`
  const latest = new Date(drains.reduce((last, { until }) => Math.max(last, until), 0)).toISOString()
  return `draining of ${whose({ family, retiring })} begins: ${count}, until ${latest} at the latest`
}

function whose({ family, retiring }: Pick<Draining, 'family' | 'retiring'>): string {
  return retiring ? `what ipvs mode left in ${family}` : family
}

/** A kernel that does not tell is asked again every second or so: said once, until it tells again. */
function logLooks(events: SyncEmitter, log: Logger): void {
  const blind = new Set<IpFamily>()
  events.on('lookFailed', ({ family, error }) => {
    const consequence = 'real servers that drain are let go at their deadline, not before; it is tried again'
    log[blind.has(family) ? 'debug' : 'warn'](
      { family },
      `connections that drain in ${family} cannot be counted: ${error.message}; ${consequence}`,
    )
    blind.add(family)
  })
  events.on('looked', ({ family }) => {
    if (blind.delete(family)) log.info({ family }, `connections that drain in ${family} are counted again`)
  })
}

function logRetirement(events: SyncEmitter, log: Logger): void {
  events.on('retired', ({ family }) => log.info({ family }, `nothing of ipvs mode is left in ${family}`))
  events.on('retireFailed', ({ family, error, failures }) => {
    const level = failures === 1 || isReminder(failures) ? 'error' : 'debug'
    const times = failures > 1 ? ` ${failures} times in a row` : ''
    log[level](
      { family, failures },
      `what ipvs mode left in ${family} could not be read or removed${times}: ${error.message}; it is tried again, Services work meanwhile`,
    )
  })
}
