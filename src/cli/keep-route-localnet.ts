// After each IPv4 sync: route_localnet where node ports on 127.0.0.1 need it. A failure is said once; all else goes on.
import type { Sysctl } from '../kernel/sysctl.ts'
import type { TrafficSettings } from '../model/node.ts'
import type { SyncEmitter } from '../sync/events.ts'
import { enableRouteLocalnet } from '../sync/route-localnet.ts'
import type { Logger } from './log.ts'

export function keepRouteLocalnet(options: {
  readonly events: SyncEmitter
  readonly sysctl: Sysctl
  readonly settings: () => TrafficSettings
  readonly log: Logger
}): void {
  const { events, sysctl, settings, log } = options
  let complained = false
  events.on('synced', ({ family, hasNodePorts }) => {
    if (family !== 'IPv4') return
    enableRouteLocalnet({ sysctl, settings: settings(), hasNodePorts })
      .then(changed => {
        if (changed !== undefined) log.info(changed)
        complained = false
      })
      .catch((error: unknown) => {
        if (!complained) log.warn(`node ports do not answer on 127.0.0.1: ${error instanceof Error ? error.message : error}`)
        complained = true
      })
  })
}
