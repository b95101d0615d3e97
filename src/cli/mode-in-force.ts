// The mode that runs, and its change while the daemon lives: a new one is prepared first, and refused with the reason where it cannot work; the old
// one stays then. Kernel parameters of ipvs mode are in place before its first virtual server, and go after its last.
import type { Config } from '../config/config.ts'
import type { Exec } from '../kernel/exec.ts'
import type { Backend } from '../kernel/iptables.ts'
import { hasIpvsLeftovers } from '../kernel/ipvs-leftovers.ts'
import { addDummyLink, batchArgv, dummyLinksQuery, hasLink } from '../kernel/link.ts'
import { serviceLink } from '../modes/ipvs/names.ts'
import type { SyncEmitter } from '../sync/events.ts'
import type { AnyMode } from '../sync/lane.ts'
import type { IpvsParameters } from './ipvs-parameters.ts'
import type { Logger } from './log.ts'
import { type PreparedModes, prepareModes } from './prepare-modes.ts'

/** What runs, and why that is not what is configured, where it is not. */
export type RunningMode = Pick<PreparedModes, 'name' | 'insteadBecause'>

export interface ModeInForce extends RunningMode {
  readonly backend: Backend
  readonly modes: readonly AnyMode[]
  /** For the engine: what cleans up after ipvs mode, where another one is in force. */
  readonly retiring: (mode: AnyMode) => AnyMode | undefined
  readonly isAnythingLeft: () => Promise<boolean>
  /** Gives the mode that runs then. Throws where that of `config` cannot work here; then nothing has changed. */
  change(config: Config): Promise<RunningMode>
  /** Called when a change is prepared. */
  onChange(take: (modes: readonly AnyMode[]) => void): void
}

export async function startMode(options: {
  readonly config: Config
  readonly exec: Exec
  readonly events: SyncEmitter
  readonly parameters: IpvsParameters
  readonly log: Logger
}): Promise<ModeInForce> {
  const { exec, events, parameters, log } = options
  let prepared: PreparedModes = await prepareModes({ config: options.config, exec, log })
  const takers: ((modes: readonly AnyMode[]) => void)[] = []
  const isAnythingLeft = (): Promise<boolean> => hasIpvsLeftovers(exec, serviceLink)
  const restoreIfNothingIsLeft = async (): Promise<void> => {
    if (prepared.name !== 'ipvs' && !(await isAnythingLeft())) await parameters.restore()
  }
  const makeReady = async (config: Config): Promise<void> => {
    await parameters.ensure(config.ipvs)
    await makeServiceLink(exec)
  }
  if (prepared.name === 'ipvs') await makeReady(options.config)
  else await restoreIfNothingIsLeft()
  events.on('retired', () => void restoreIfNothingIsLeft())
  return {
    get name() {
      return prepared.name
    },
    get insteadBecause() {
      return prepared.insteadBecause
    },
    get backend() {
      return prepared.backend
    },
    get modes() {
      return prepared.modes
    },
    retiring: mode => (mode.name === 'ipvs' ? undefined : prepared.retiring.find(({ family }) => family === mode.family)),
    isAnythingLeft,
    change: async config => {
      const fresh = await prepareModes({ config, exec, log })
      if (fresh.name === 'ipvs') await makeReady(config)
      const before = prepared.name
      prepared = fresh
      for (const take of takers) take(fresh.modes)
      if (before !== fresh.name) log.info({ mode: fresh.name }, `mode ${before} gives way to mode ${fresh.name}`)
      return fresh
    },
    onChange: take => void takers.push(take),
  }
}

/** Both families need the link; made here, neither meets the other making it. A failure shows again, and in full, when addresses are to be added. */
async function makeServiceLink(exec: Exec): Promise<void> {
  const { stdout } = await exec(dummyLinksQuery)
  if (hasLink(stdout, serviceLink)) return
  await exec({ argv: batchArgv, input: `${addDummyLink(serviceLink)}\n` }).catch(() => undefined)
}
