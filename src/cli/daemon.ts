// The daemon: everything composed, until SIGTERM. The rules stay when it ends.
import { release } from 'node:os'
import { join } from 'node:path'
import { createExec } from '../kernel/exec.ts'
import { interfaceAddresses } from '../kernel/interfaces.ts'
import { openStateFile, stateFileName } from '../kernel/state-file.ts'
import { createSysctl } from '../kernel/sysctl.ts'
import { watchAddresses } from '../kernel/watch-addresses.ts'
import { serviceLink } from '../modes/ipvs/names.ts'
import { type Observers, startObservers } from '../server/observers.ts'
import { runEngine } from '../sync/engine.ts'
import { createSyncEmitter } from '../sync/events.ts'
import { inspection, type PlannedInspection, plannedInspection } from '../sync/inspect.ts'
import { originalsIn } from '../sync/originals.ts'
import { SharedInspections } from '../sync/shared-inspections.ts'
import { nodeDuties } from './do-node-duties.ts'
import { giveMemoryBack } from './give-memory-back.ts'
import { createIpvsParameters, keepIpvsParameters } from './ipvs-parameters.ts'
import { keepConntrackClean } from './keep-conntrack-clean.ts'
import { keepDrains } from './keep-drains.ts'
import { keepRouteLocalnet } from './keep-route-localnet.ts'
import type { LiveConfig } from './live-config.ts'
import type { Logger } from './log.ts'
import { logSyncEvents } from './log-events.ts'
import { startMode } from './mode-in-force.ts'
import { claimThisNode, waitForKubeProxyToEnd, watchForKubeProxy } from './only-writer.ts'
import { type OpenedSource, openSource } from './open-source.ts'
import { sweepNftables } from './sweep-nftables.ts'
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
  const state = await openStateFile({ path: join(config.stateDirectory, stateFileName), warn: message => log.warn(message) })
  let opened: OpenedSource | undefined
  let observers: Observers | undefined
  try {
    await waitForKubeProxyToEnd(log, signal)
    if (signal.aborted) return
    const exec = createExec()
    const events = createSyncEmitter()
    logSyncEvents(events, log)
    giveMemoryBack(events)
    const originals = originalsIn(state)
    const sysctl = createSysctl(config.sysctlRoot)
    const onRepair = () => void events.emit('driftRepaired', { family: 'IPv4', drifts: 1 })
    const parameters = createIpvsParameters({ exec, sysctl, originals, kernelRelease: release(), log, onRepair })
    const mode = await startMode({ config, exec, events, parameters, log })
    if (mode.name !== config.mode) live.runs(mode)
    live.onModeChange(changed => mode.change(changed))
    const ipvsSettings = () => (mode.name === 'ipvs' ? live.config.ipvs : undefined)
    keepIpvsParameters({ events, parameters, settings: ipvsSettings })
    opened = await openSource(config, log)
    const { source, api } = opened
    const onFatal = (error: Error): void => failure.abort(error)
    const { modes } = mode
    const now = () => performance.now()
    const inspected = new SharedInspections({ now })
    const planned = new SharedInspections<PlannedInspection>({ now })
    const inspections = () => inspected.get()
    const plans = () => planned.get()
    observers = startObservers({
      ...{ live, events, exec, source, api, inspections, plans, log, onFatal },
      modes: () => mode.modes,
      backend: () => mode.backend,
      version: version(),
    })
    const routed = () => (mode.name === 'ipvs' ? undefined : live.config.traffic)
    keepRouteLocalnet({ events, sysctl, originals, settings: routed, log })
    keepConntrackClean({ events, exec, log })
    sweepNftables({ events, exec, log })
    const earlierDrains = keepDrains({ events, state })
    watchConntrackTable({ events, sysctl: createSysctl('/proc/sys'), log })
    const doDuties = nodeDuties(log, 'node and process', originals)
    await doDuties(config)
    live.onChange(changed => {
      void doDuties(changed)
      if (mode.name === 'ipvs') void parameters.ensure(changed.ipvs)
    })
    // Loading the first rules loads connection tracking, which has the parameters that were absent before.
    events.once('synced', () => void doDuties(live.config))
    const watch = watchForKubeProxy({ log, everyMs: config.syncPeriodMs, signal })
    log.info(`following ${source.description}`)
    const { retiring, isAnythingLeft } = mode
    const engine = { settings: live.config, source, modes, retiring, isAnythingLeft, earlierDrains, exec, events }
    const following = live.follow(signal)
    await runEngine(
      {
        ...engine,
        interfaceAddresses: () => interfaceAddresses(serviceLink),
        watchAddresses: (onChange, ends) =>
          watchAddresses({
            except: serviceLink,
            onChange,
            onFailure: error => log.debug(`addresses are looked up every syncPeriod only: ${error}`),
            signal: ends,
          }),
        now,
        onInspect: inspect => {
          inspected.readBy(() => inspect(inspection))
          planned.readBy(() => inspect(plannedInspection))
        },
        onSettings: take => live.onChange(take),
        onModes: take => mode.onChange(take),
      },
      signal,
    )
    await following
    await watch
    failure.signal.throwIfAborted()
  } finally {
    await observers?.close()
    await opened?.close()
    await state.close()
    await claim.release()
  }
}
