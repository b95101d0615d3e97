// The daemon's first complete sync and nothing more: for commands that program the node and end. Whoever runs after it goes on with what drains.
import { release } from 'node:os'
import { join } from 'node:path'
import type { Config } from '../config/config.ts'
import type { Exec } from '../kernel/exec.ts'
import { interfaceAddresses } from '../kernel/interfaces.ts'
import type { Backend } from '../kernel/iptables.ts'
import { openStateFile, type StateFile, stateFileName } from '../kernel/state-file.ts'
import { createSysctl } from '../kernel/sysctl.ts'
import type { IpFamily } from '../model/address.ts'
import { nodeFacts } from '../model/node.ts'
import { serviceLink } from '../modes/ipvs/names.ts'
import type { Drain } from '../modes/mode.ts'
import { runEngine } from '../sync/engine.ts'
import { createSyncEmitter, type SyncEmitter, type SyncReport } from '../sync/events.ts'
import { originalsIn } from '../sync/originals.ts'
import { retireOnce, waitForHalfOpen } from '../sync/retirement.ts'
import { enableRouteLocalnet } from '../sync/route-localnet.ts'
import { createIpvsParameters } from './ipvs-parameters.ts'
import { keepDrains } from './keep-drains.ts'
import type { Logger } from './log.ts'
import { type ModeInForce, startMode } from './mode-in-force.ts'
import { openSource } from './open-source.ts'

export interface ProgrammedOnce {
  readonly mode: Config['mode']
  readonly backend: Backend
  readonly reports: readonly SyncReport[]
  /** What ipvs mode, ours or kube-proxy's, left and still has connections: at weight 0, for the daemon to see to. */
  readonly drains: readonly Drain[]
}

/** How long the objects may take to be read, and the sync; how often that may fail. */
const readingMs = 60_000
const syncingMs = 300_000
const mostFailures = 3

/** Throws, in words for the user, where a family was not programmed completely; what stood there before goes on then. */
export async function programOnce({ config, exec, log }: { config: Config; exec: Exec; log: Logger }): Promise<ProgrammedOnce> {
  const state = await openStateFile({ path: join(config.stateDirectory, stateFileName), warn: message => log.warn(message) })
  try {
    return await program({ config, exec, log, state })
  } finally {
    await state.close()
  }
}

interface Setting {
  readonly config: Config
  readonly exec: Exec
  readonly log: Logger
  readonly state: StateFile
}

async function program({ config, exec, log, state }: Setting): Promise<ProgrammedOnce> {
  const [originals, sysctl, events] = [originalsIn(state), createSysctl(config.sysctlRoot), createSyncEmitter()]
  const parameters = createIpvsParameters({ exec, sysctl, originals, kernelRelease: release(), log })
  const mode = await startMode({ config, exec, events, parameters, log })
  const earlierDrains = keepDrains({ events, state })
  const reports = await syncAll({ config, exec, log, mode, events, earlierDrains })
  const hasNodePorts = reports.some(report => report.family === 'IPv4' && report.hasNodePorts)
  if (mode.name !== 'ipvs') {
    await enableRouteLocalnet({ sysctl, settings: config.traffic, hasNodePorts, originals }).catch((error: unknown) =>
      log.warn(`node ports do not answer on 127.0.0.1: ${error instanceof Error ? error.message : error}`),
    )
  }
  const drains: Drain[] = []
  const node = nodeFacts(config.nodeName, undefined, interfaceAddresses(serviceLink))
  const input = () => ({ node, settings: config.traffic, sweep: true })
  const isLeft = mode.name !== 'ipvs' && (await mode.isAnythingLeft())
  if (isLeft) await waitForHalfOpen()
  // One family after the other: the link goes with the later one.
  for (const each of mode.modes) {
    const retiring = mode.retiring(each)
    if (retiring === undefined || !(await mode.isAnythingLeft())) continue
    const left = await retireOnce({ mode: retiring, exec, input, now: () => performance.now(), earlierDrains })
    events.emit('draining', { family: each.family, retiring: true, drains: left })
    drains.push(...left)
  }
  return { mode: mode.name, backend: mode.backend, reports, drains }
}

type Syncing = Omit<Setting, 'state'> & {
  readonly mode: ModeInForce
  readonly events: SyncEmitter
  readonly earlierDrains: ReturnType<typeof keepDrains>
}

async function syncAll({ config, exec, log, mode, events, earlierDrains }: Syncing): Promise<readonly SyncReport[]> {
  const opened = await openSource(config, log)
  const stop = new AbortController()
  const outcome = followOutcome({ events, families: mode.modes.map(({ family }) => family), source: opened.source.description })
  const deadlines = [setTimeout(() => outcome.giveUpReading(), readingMs), setTimeout(() => outcome.giveUp(), syncingMs)]
  let engine: Promise<void> | undefined
  try {
    engine = runEngine(
      {
        settings: config,
        source: opened.source,
        modes: mode.modes,
        exec,
        events,
        earlierDrains,
        interfaceAddresses: () => interfaceAddresses(serviceLink),
        now: () => performance.now(),
      },
      stop.signal,
    )
    const reports = await Promise.race([outcome.reports, engine.then(() => outcome.reports)])
    stop.abort()
    await engine
    return reports
  } finally {
    stop.abort()
    // Until then a pass may write: nobody else is to have the node before.
    await engine?.catch(() => undefined)
    for (const deadline of deadlines) clearTimeout(deadline)
    await opened.close()
  }
}

/** `reports` rejects where it was all in vain. */
function followOutcome({ events, families, source }: { events: SyncEmitter; families: readonly IpFamily[]; source: string }) {
  const { promise: reports, resolve, reject } = Promise.withResolvers<readonly SyncReport[]>()
  const synced = new Map<IpFamily, SyncReport>()
  let state = { complete: false, unreadable: false }
  /** Of the pass that is under way: what the source told of meanwhile is not in it. */
  const inPass = new Map<IpFamily, typeof state>()
  events.on('changed', ({ complete, unreadable }) => {
    state = { complete, unreadable }
  })
  events.on('passStarted', ({ family }) => {
    inPass.set(family, state)
  })
  events.on('synced', report => {
    // Without all objects nothing was swept, and what another proxy holds may be for one of those.
    if (inPass.get(report.family)?.unreadable === false) synced.set(report.family, report)
    if (families.every(family => synced.has(family))) resolve(families.flatMap(family => synced.get(family) ?? []))
  })
  events.on('syncFailed', ({ family, error, failures }) => {
    if (failures >= mostFailures) reject(new Error(`${family} cannot be programmed: ${error.message}`))
  })
  events.on('quarantined', ({ service, reason }) =>
    reject(new Error(`the kernel refuses the rules of Service ${service}: ${reason}`)),
  )
  return {
    reports,
    giveUpReading: () => {
      const what = state.complete ? `not all of ${source} can be read` : `${source} gave no complete answer`
      if (!state.complete || state.unreadable)
        reject(new Error(`${what} within ${readingMs / 1000} s; the messages above say why`))
    },
    giveUp: () => reject(new Error(`the first sync took longer than ${syncingMs / 1000} s`)),
  }
}
