// The configuration files of the running daemon: watched, read again when they change, applied as far as they can be, refused whole
// where they are wrong. A ConfigMap's symlink swap is a change like any other.
import { dirname } from 'node:path'
import type { Config } from '../config/config.ts'
import { difference, reloadedConfig } from '../config/difference.ts'
import type { LoadedConfig } from '../config/load.ts'
import { formatProblem } from '../config/problem.ts'
import { createFolderWatch, openInotify } from '../source/manifest/watch.ts'
import type { Logger } from './log.ts'

export interface LiveConfigOptions {
  readonly loaded: LoadedConfig
  readonly config: Config
  /** Reads the same files with the same flags again. */
  readonly load: () => LoadedConfig
  readonly log: Logger
}

const timing = { quietMs: 50, mostQuietMs: 1000, rescanMs: 30_000, blindRescanMs: 5_000 }

export class LiveConfig {
  readonly #options: LiveConfigOptions
  readonly #listeners: ((config: Config) => void)[] = []
  #loaded: LoadedConfig
  #config: Config
  #refused = ''

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

  onChange(listener: (config: Config) => void): void {
    this.#listeners.push(listener)
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
        this.reload()
        await watch.next(signal)
      }
    } finally {
      watch.close()
    }
  }

  /** Reads the files again now. */
  reload(): void {
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
      if (pending.has(path))
        log.warn(`${path} changed from ${before} to ${after} in the file: takes effect when Switchyard is restarted`)
      else log.info(`${path} is back to ${after} in the file, which is in force`)
    }
    const mode = live.find(({ path }) => path === 'mode')
    if (mode !== undefined)
      log.error(
        `mode changed from ${mode.before} to ${mode.after} in the file: not built yet for a running daemon; the old mode stays`,
      )
    const applied = live.filter(change => change !== mode)
    for (const { path, before, after } of applied) log.info(`${path} changed from ${before} to ${after}: applied`)
    // What needs a restart stays as the process started with it, however often the file changes.
    this.#config = { ...reloadedConfig(this.#options.loaded, fresh), mode: this.#config.mode }
    this.#loaded = fresh
    if (applied.length > 0) for (const listener of this.#listeners) listener(this.#config)
  }

  #refuse(reason: string): void {
    if (reason === this.#refused) return
    this.#refused = reason
    this.#options.log.error(`the changed configuration is refused, the old one stays in force: ${reason}`)
  }
}
