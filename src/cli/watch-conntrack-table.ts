// With each check of the kernel: is the table of connections about to be full? Said once, and once more when it is over.
import type { Sysctl } from '../kernel/sysctl.ts'
import { isUnderPressure } from '../sync/conntrack-pressure.ts'
import type { SyncEmitter } from '../sync/events.ts'
import type { Logger } from './log.ts'

const names = ['net.netfilter.nf_conntrack_count', 'net.netfilter.nf_conntrack_max'] as const

export function watchConntrackTable(options: {
  readonly events: SyncEmitter
  readonly sysctl: Sysctl
  readonly log: Logger
}): void {
  const { events, sysctl, log } = options
  let pressed = false
  const look = async (): Promise<void> => {
    const [count, max] = await Promise.all(names.map(async name => Number(await sysctl.read(name))))
    if (count === undefined || max === undefined || Number.isNaN(count + max)) return
    const now = isUnderPressure({ count, max }, pressed)
    if (now && !pressed) {
      const advice =
        'new connections are dropped when it is full: raise conntrack.maxPerCore (or nf_conntrack_max on the host), or find who opens them (conntrack -L)'
      log.error({ count, max }, `the table of connections holds ${count} of at most ${max}; ${advice}`)
    }
    if (!now && pressed) log.info({ count, max }, `the table of connections has room again: ${count} of ${max}`)
    pressed = now
  }
  events.on('checked', ({ family }) => {
    if (family === 'IPv4') look().catch((error: unknown) => log.debug(`cannot read the table of connections' size: ${error}`))
  })
}
