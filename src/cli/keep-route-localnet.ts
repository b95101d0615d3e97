// After each IPv4 sync and each check of the kernel: route_localnet where node ports on 127.0.0.1 need it. A failure is said once; all else goes on.
import type { Sysctl } from '../kernel/sysctl.ts'
import type { IpFamily } from '../model/address.ts'
import type { TrafficSettings } from '../model/node.ts'
import { routeLocalnet } from '../modes/kernel-parameters.ts'
import type { SyncEmitter } from '../sync/events.ts'
import type { Originals } from '../sync/originals.ts'
import { enableRouteLocalnet, whyRouteLocalnet } from '../sync/route-localnet.ts'
import type { Logger } from './log.ts'

export function keepRouteLocalnet(options: {
  readonly events: SyncEmitter
  readonly sysctl: Sysctl
  /** Undefined while a mode is in force in which node ports do not answer on 127.0.0.1. */
  readonly settings: () => TrafficSettings | undefined
  readonly originals?: Originals
  readonly log: Logger
}): void {
  const { events, sysctl, settings, originals, log } = options
  let complained = false
  let needed = false
  let wasSet = false
  const keep = (family: IpFamily): void => {
    const current = settings()
    if (family !== 'IPv4' || current === undefined) return
    enableRouteLocalnet({ sysctl, settings: current, hasNodePorts: needed, originals })
      .then(changed => {
        if (changed !== undefined && wasSet) {
          log.warn(`someone changed ${routeLocalnet} to ${changed.from}: set back to 1 (${whyRouteLocalnet})`)
          events.emit('driftRepaired', { family, drifts: 1 })
        } else if (changed !== undefined) log.info(`${routeLocalnet}: ${changed.from} -> 1 (${whyRouteLocalnet})`)
        wasSet = needed
        complained = false
      })
      .catch((error: unknown) => {
        if (!complained) log.warn(`node ports do not answer on 127.0.0.1: ${error instanceof Error ? error.message : error}`)
        complained = true
      })
  }
  events.on('synced', ({ family, hasNodePorts }) => {
    if (family === 'IPv4') needed = hasNodePorts
    keep(family)
  })
  // Something else on the node may have set it back.
  events.on('checked', ({ family }) => keep(family))
}
