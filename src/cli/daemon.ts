// The daemon: everything composed, until SIGTERM. The rules stay when it ends.
import { createExec } from '../kernel/exec.ts'
import { interfaceAddresses } from '../kernel/interfaces.ts'
import { createSysctl } from '../kernel/sysctl.ts'
import { type Observers, startObservers } from '../server/observers.ts'
import { runEngine } from '../sync/engine.ts'
import { createSyncEmitter } from '../sync/events.ts'
import { nodeDuties } from './do-node-duties.ts'
import { keepConntrackClean } from './keep-conntrack-clean.ts'
import { keepRouteLocalnet } from './keep-route-localnet.ts'
import type { LiveConfig } from './live-config.ts'
import type { Logger } from './log.ts'
import { logSyncEvents } from './log-events.ts'
import { claimThisNode, waitForKubeProxyToEnd, watchForKubeProxy } from './only-writer.ts'
import { type OpenedSource, openSource } from './open-source.ts'
import { prepareModes } from './prepare-modes.ts'
import { version } from './version.ts'
import { watchConntrackTable } from './watch-conntrack-table.ts'

/** Gives the exit status. */
export async function runDaemon(live: LiveConfig, log: Logger): Promise<number> {
  const stop = new AbortController()
  const onSignal = (name: NodeJS.Signals): void => {
    log.info(`${name}: ending; the rules stay as they are`)
    stop.abort()
  }
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal)
  try {
    await follow(live, log, stop.signal)
    log.info('ended')
    return 0
  } catch (error) {
    log.fatal(error instanceof Error ? error.message : String(error))
    if (!(error instanceof Error) || process.env['SWITCHYARD_STACKS'] !== undefined) log.fatal(error)
    return 1
  } finally {
    // What still waits, for a kube-proxy for instance, would keep the process alive.
    stop.abort()
  }
}

async function follow(live: LiveConfig, log: Logger, stop: AbortSignal): Promise<void> {
  const { config } = live
  const failure = new AbortController()
  const signal = AbortSignal.any([stop, failure.signal])
  log.info(
    { node: config.nodeName, mode: config.mode },
    `Switchyard ${version()} on node ${config.nodeName}, mode ${config.mode}`,
  )
  const claim = await claimThisNode(log)
  let opened: OpenedSource | undefined
  let observers: Observers | undefined
  try {
    await waitForKubeProxyToEnd(log, signal)
    if (signal.aborted) return
    const exec = createExec()
    const modes = await prepareModes({ config, exec, log })
    opened = await openSource(config, log)
    const { source, api } = opened
    const events = createSyncEmitter()
    logSyncEvents(events, log)
    const onFatal = (error: Error): void => failure.abort(error)
    observers = startObservers({ live, events, modes, exec, source, api, version: version(), log, onFatal })
    keepRouteLocalnet({ events, sysctl: createSysctl(config.sysctlRoot), settings: () => live.config.traffic, log })
    keepConntrackClean({ events, exec, log })
    watchConntrackTable({ events, sysctl: createSysctl('/proc/sys'), log })
    const doDuties = nodeDuties(log, 'node and process')
    await doDuties(config)
    live.onChange(changed => void doDuties(changed))
    // Loading the first rules loads connection tracking, which has the parameters that were absent before.
    events.once('synced', () => void doDuties(live.config))
    const watch = watchForKubeProxy({ log, everyMs: config.syncPeriodMs, signal })
    log.info(`following ${source.description}`)
    const engine = { settings: config, source, modes, exec, events, interfaceAddresses, now: () => performance.now() }
    const following = live.follow(signal)
    await runEngine({ ...engine, onSettings: take => live.onChange(take) }, signal)
    await following
    await watch
    failure.signal.throwIfAborted()
  } finally {
    await observers?.close()
    await opened?.close()
    await claim.release()
  }
}
