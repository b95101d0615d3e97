// The configuration files of the running daemon: watched, read again when they change, applied as far as they can be, refused whole
// where they are wrong. A ConfigMap's symlink swap is a change like any other.
import { dirname } from 'node:path'
import type { Config } from '../config/config.ts'
import { type Change, difference, type Kept, reloadedConfig } from '../config/difference.ts'
import type { LoadedConfig } from '../config/load.ts'
import { type NotInForce, notTaken, wrongFiles } from '../config/not-in-force.ts'
import { formatProblem } from '../config/problem.ts'
import { createFolderWatch, openInotify } from '../source/manifest/watch.ts'
import type { Logger } from './log.ts'
import type { RunningMode } from './mode-in-force.ts'

export interface LiveConfigOptions {
  readonly loaded: LoadedConfig
  readonly config: Config
  /** Reads the same files with the same flags again. */
  readonly load: () => LoadedConfig
  readonly log: Logger
}

/** Asked before another mode or scheduler is taken. Gives the mode that runs then; throws, with the reason, where it cannot work. */
export type ModeGate = (config: Config) => Promise<RunningMode>

const atNextStart = 'takes effect when Switchyard is restarted'

const nothingKept = { settings: {}, because: '' }

const timing = { quietMs: 50, mostQuietMs: 1000, rescanMs: 30_000, blindRescanMs: 5_000 }

export class LiveConfig {
  readonly #options: LiveConfigOptions
  #modeGate: ModeGate = async ({ mode }) => ({ name: mode, insteadBecause: undefined })
  #kept: { readonly settings: Kept; readonly because: string } = nothingKept
  readonly #listeners: ((config: Config) => void)[] = []
  #loaded: LoadedConfig
  #config: Config
  #refused = ''
  #reloading: Promise<void> = Promise.resolve()

  constructor(options: LiveConfigOptions) {
    this.#options = options
    this.#loaded = options.loaded
    this.#config = options.config
  }

  get config(): Config {
    return this.#config
  }

  /** What is in force, value by value, with its origin. */
  get loaded(): LoadedConfig {
    return this.#loaded
  }

  /** What the files ask for and is not done, and why. */
  get notInForce(): readonly NotInForce[] {
    const { loaded: started } = this.#options
    const kept = { ...this.#loaded, effective: { ...this.#loaded.effective, ...this.#kept.settings } }
    return [
      ...(this.#refused === '' ? [] : [wrongFiles(this.#refused)]),
      ...difference(kept, this.#loaded).live.map(change => notTaken(change, this.#kept.because)),
      ...difference(started, this.#loaded).restart.map(change => notTaken(change, atNextStart)),
    ]
  }

  onChange(listener: (config: Config) => void): void {
    this.#listeners.push(listener)
  }

  /** What runs, where that is not what is configured. */
  runs({ name, insteadBecause = '' }: RunningMode): void {
    this.#kept = { settings: { mode: name }, because: insteadBecause }
    this.#config = reloadedConfig(this.#options.loaded, this.#loaded, this.#kept.settings)
  }

  onModeChange(gate: ModeGate): void {
    this.#modeGate = gate
  }

  /** Watches until the signal aborts. Without files there is nothing to watch. */
  async follow(signal: AbortSignal): Promise<void> {
    const folders = new Set(this.#options.loaded.files.map(dirname))
    await Promise.all([...folders].map(folder => this.#followFolder(folder, signal)))
  }

  async #followFolder(folder: string, signal: AbortSignal): Promise<void> {
    const watch = createFolderWatch({ folder, timing, open: openInotify })
    try {
      while (!signal.aborted) {
        const problem = await watch.renew()
        if (problem !== undefined) this.#options.log.debug(`${problem.where}: ${problem.problem}`)
        await this.reload()
        await watch.next(signal)
      }
    } finally {
      watch.close()
    }
  }

  /** Reads the files again now; one reading follows the other, since files in several folders may change at once and a new mode takes its time. */
  reload(): Promise<void> {
    const next = this.#reloading.then(() => this.#reload())
    this.#reloading = next.catch(() => {})
    return next
  }

  async #reload(): Promise<void> {
    const { log, load } = this.#options
    const fresh = load()
    if (fresh.errors.length > 0) {
      this.#refuse(fresh.errors.map(formatProblem).join('; '))
      return
    }
    this.#refused = ''
    const { live, restart } = difference(this.#loaded, fresh)
    if (live.length + restart.length === 0) return
    for (const problem of fresh.warnings) log.warn(formatProblem(problem))
    const pending = new Set(difference(this.#options.loaded, fresh).restart.map(({ path }) => path))
    for (const { path, before, after } of restart) {
      if (pending.has(path)) log.warn(`${path} changed from ${before} to ${after} in the file: ${atNextStart}`)
      else log.info(`${path} is back to ${after} in the file, which is in force`)
    }
    const gated = live.filter(({ path }) => path === 'mode' || path === 'ipvs.scheduler')
    const refused = gated.length > 0 && !(await this.#passGate(fresh, gated))
    const applied = refused ? live.filter(change => !gated.includes(change)) : live
    for (const { path, before, after } of applied) log.info(`${path} changed from ${before} to ${after}: applied`)
    // What needs a restart stays as the process started with it, however often the file changes.
    this.#config = reloadedConfig(this.#options.loaded, fresh, this.#kept.settings)
    this.#loaded = fresh
    if (applied.length > 0) for (const listener of this.#listeners) listener(this.#config)
  }

  /** False, and what was in force is kept, where the new mode or scheduler cannot work here. */
  async #passGate(fresh: LoadedConfig, changes: readonly Change[]): Promise<boolean> {
    try {
      const wished = reloadedConfig(this.#options.loaded, fresh)
      const { name, insteadBecause = '' } = await this.#modeGate(wished)
      this.#kept = name === wished.mode ? nothingKept : { settings: { mode: name }, because: insteadBecause }
      return true
    } catch (error) {
      const what = changes.map(({ path, before, after }) => `${path} from ${before} to ${after}`).join(', ')
      const reason = error instanceof Error ? error.message : String(error)
      this.#options.log.error(`the change of ${what} is refused, what was in force stays: ${reason}`)
      const settings = { mode: this.#config.mode, 'ipvs.scheduler': this.#config.ipvs.scheduler }
      this.#kept = { settings, because: reason }
      return false
    }
  }

  #refuse(reason: string): void {
    if (reason === this.#refused) return
    this.#refused = reason
    this.#options.log.error(`the changed configuration is refused, the old one stays in force: ${reason}`)
  }
}
