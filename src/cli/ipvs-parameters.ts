// Kernel parameters and timeouts of ipvs mode: set before the first virtual server, looked at with every check of the kernel, put
// back where ipvs.strictARP is switched off or the mode is left. What the kernel refuses is a warning, said once; all else goes on.
import type { IpvsSettings } from '../config/config.ts'
import type { Exec } from '../kernel/exec.ts'
import type { Sysctl } from '../kernel/sysctl.ts'
import type { SyncEmitter } from '../sync/events.ts'
import { ipvsModeSysctls, performTimeouts, plannedIpvsSysctls, strictArpSysctls } from '../sync/ipvs-duties.ts'
import { type ChangedParameter, perform } from '../sync/node-duties.ts'
import { type Originals, restoreOriginals } from '../sync/originals.ts'
import type { Logger } from './log.ts'

export interface IpvsParameters {
  /** Before virtual servers are written by these settings, and when the settings change. Never rejects. */
  ensure(settings: IpvsSettings): Promise<void>
  /** When no virtual server of ours is left. Never rejects. */
  restore(): Promise<void>
}

export interface IpvsParametersOptions {
  readonly exec: Exec
  readonly sysctl: Sysctl
  readonly originals: Originals
  /** As `uname -r` prints it. */
  readonly kernelRelease: string
  readonly log: Logger
  /** Called where somebody else had changed one and it was set back. */
  readonly onRepair?: () => void
}

/** One call after the other: each reads what the one before it wrote. */
export function createIpvsParameters(options: IpvsParametersOptions): IpvsParameters {
  const keeper = new Keeper(options)
  let last = Promise.resolve()
  const queue = (work: () => Promise<void>): Promise<void> => {
    last = last.then(work).catch((error: unknown) => options.log.error(`parameters of ipvs mode: ${reasonOf(error)}`))
    return last
  }
  return {
    ensure: settings => queue(() => keeper.ensure(settings)),
    restore: () => queue(() => keeper.restore(ipvsModeSysctls)),
  }
}

/** With each check of the kernel. @param options.settings undefined while ipvs mode is not in force. */
export function keepIpvsParameters(options: {
  readonly events: SyncEmitter
  readonly parameters: IpvsParameters
  readonly settings: () => IpvsSettings | undefined
}): void {
  const { events, parameters, settings } = options
  events.on('checked', ({ family }) => {
    const current = settings()
    if (family === 'IPv4' && current !== undefined) void parameters.ensure(current)
  })
}

class Keeper {
  readonly #options: IpvsParametersOptions
  /** What was right when last looked at, by name: whatever differs from it since then is somebody else's doing. */
  readonly #settled = new Map<string, string>()
  readonly #said = new Set<string>()

  constructor(options: IpvsParametersOptions) {
    this.#options = options
  }

  async ensure(settings: IpvsSettings): Promise<void> {
    const { sysctl, originals, kernelRelease } = this.#options
    if (!settings.strictArp) await this.restore(strictArpSysctls)
    const planned = plannedIpvsSysctls(settings, { kernelRelease })
    const { changed, refused } = await perform({ planned, sysctl, files: sysctl, originals })
    for (const change of changed) this.#tell(change)
    for (const { message } of refused) this.#warn(message)
    const wrong = new Set(refused.map(({ name }) => name))
    for (const { name, value } of planned) if (!wrong.has(name)) this.#settled.set(name, String(value))
    await this.#ensureTimeouts(settings)
  }

  async #ensureTimeouts(settings: IpvsSettings): Promise<void> {
    try {
      const changed = await performTimeouts(settings, this.#options.exec)
      if (changed === undefined) return
      this.#tell(changed)
      this.#settled.set(changed.name, changed.to)
    } catch (error) {
      this.#warn(`cannot set ipvs.tcpTimeout, ipvs.tcpFinTimeout and ipvs.udpTimeout: ${reasonOf(error)}`)
    }
  }

  async restore(names: readonly string[]): Promise<void> {
    const { sysctl, originals, log } = this.#options
    for (const name of names) this.#settled.delete(name)
    for (const { outcome, message } of await restoreOriginals({ names, sysctl, originals })) {
      if (outcome === 'failed') this.#warn(message)
      else log.info(message)
    }
  }

  #tell({ name, from, to, why }: ChangedParameter): void {
    const { log, onRepair } = this.#options
    if (this.#settled.get(name) === to) {
      log.warn(`someone changed ${name} to ${from}: set back to ${to} (${why})`)
      onRepair?.()
    } else log.info(`${name}: ${from} -> ${to} (${why})`)
  }

  #warn(message: string): void {
    if (!this.#said.has(message)) this.#options.log.warn(message)
    this.#said.add(message)
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
