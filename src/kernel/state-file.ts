// What survives a restart: the values that kernel parameters had before we changed them, and since when real servers drain.
// Takes a path, gives the state and a way to change it. One JSON file, replaced as a whole, readable by its owner alone.
// Invariants: a file that is broken, or that cannot be written, is one warning and never a failure; what is on disk is always a
// whole state; writes of many changes coalesce, and the last state is always the one that ends up there.
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type IpFamily, ipFamilies } from '../model/address.ts'

/** A kernel parameter that we changed. */
export interface ParameterRecord {
  /** Before our first change. */
  readonly before: string
  /** What we set last: another value is somebody else's choice. */
  readonly set: string
}

/** A real server that takes no new connections. */
export interface DrainRecord {
  readonly family: IpFamily
  /** By the names that ipvsadm gives them. */
  readonly virtualServer: string
  readonly realServer: string
  /** Milliseconds since 1970: it outlasts the process, and a reboot ends both the drain and the file. */
  readonly since: number
  /** Since when its endpoint is in no EndpointSlice; absent while it is in one. */
  readonly gone?: number
  /** When it ends at the latest, by the settings of that time; absent in files of versions that did not note it. */
  readonly until?: number
}

export interface State {
  readonly sysctls: Readonly<Record<string, ParameterRecord>>
  readonly drains: readonly DrainRecord[]
}

export interface StateFile {
  readonly state: State
  /** Resolves once this state or a later one is on disk, or was given up; never rejects. */
  update(part: Partial<State>): Promise<void>
  /** Resolves when nothing waits to be written. */
  close(): Promise<void>
  /** Empties the state and deletes the file; never rejects. */
  discard(): Promise<void>
}

export const emptyState: State = { sysctls: {}, drains: [] }

export const stateFileName = 'state.json'

const version = 1

/** Never rejects: what cannot be read counts as empty, and `warn` is told, with what to do. */
export async function openStateFile(options: {
  readonly path: string
  readonly warn: (message: string) => void
}): Promise<StateFile> {
  return new CoalescingStateFile(options, await readState(options))
}

/** For those who only look: leaves a broken file as it is. Never rejects; what cannot be read counts as empty. */
export async function lookAtState(path: string): Promise<State> {
  const decoded = decodeState(await readFile(path, 'utf8').catch(() => ''))
  return typeof decoded === 'string' ? emptyState : decoded
}

async function readState({ path, warn }: { path: string; warn: (message: string) => void }): Promise<State> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (!isAbsence(error)) warn(`${path} cannot be read and counts as empty: ${reasonOf(error)}`)
    return emptyState
  }
  const decoded = decodeState(text)
  if (typeof decoded !== 'string') return decoded
  const kept = await rename(path, `${path}.broken`).then(
    () => `kept as ${path}.broken`,
    (error: unknown) => `it will be replaced (${reasonOf(error)})`,
  )
  warn(`${path} counts as empty: ${decoded}; ${kept}. Drains start anew, and values from before cannot be put back`)
  return emptyState
}

/** The state, or what is wrong with the text. */
export function decodeState(text: string): State | string {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    return `it is no JSON (${reasonOf(error)})`
  }
  if (!isObject(value)) return 'it holds no JSON object'
  if (value['version'] !== version) return `its version is ${JSON.stringify(value['version'])}, expected ${version}`
  const { sysctls, drains } = value
  if (!isObject(sysctls) || !Object.values(sysctls).every(isParameterRecord)) return 'sysctls is no map of {before, set}'
  if (!Array.isArray(drains) || !drains.every(isDrainRecord))
    return 'drains is no list of {family, virtualServer, realServer, since}'
  return { sysctls: sysctls as State['sysctls'], drains }
}

class CoalescingStateFile implements StateFile {
  readonly #options: { readonly path: string; readonly warn: (message: string) => void }
  #state: State
  #writing: Promise<void> | undefined
  /** Waits for the write in flight, and then writes whatever the state is by that time. */
  #next: Promise<void> | undefined
  #complained = false

  constructor(options: { readonly path: string; readonly warn: (message: string) => void }, state: State) {
    this.#options = options
    this.#state = state
  }

  get state(): State {
    return this.#state
  }

  update(part: Partial<State>): Promise<void> {
    this.#state = { ...this.#state, ...part }
    if (this.#next !== undefined) return this.#next
    if (this.#writing === undefined) return this.#start()
    this.#next = this.#writing.then(() => {
      this.#next = undefined
      return this.#start()
    })
    return this.#next
  }

  async close(): Promise<void> {
    await (this.#next ?? this.#writing)
  }

  async discard(): Promise<void> {
    await this.close()
    this.#state = emptyState
    await rm(this.#options.path, { force: true }).catch((error: unknown) => this.#options.warn(reasonOf(error)))
  }

  #start(): Promise<void> {
    this.#writing = this.#write().finally(() => {
      this.#writing = undefined
    })
    return this.#writing
  }

  async #write(): Promise<void> {
    const { path, warn } = this.#options
    const text = `${JSON.stringify({ version, ...this.#state }, undefined, 1)}\n`
    try {
      await mkdir(dirname(path), { recursive: true })
      await writeFile(`${path}.new`, text, { mode: 0o600 })
      await rename(`${path}.new`, path)
      this.#complained = false
    } catch (error) {
      const advice = 'mount a folder there that can be written, or name another with --state-dir'
      const lost = 'after a restart drains start anew, and cleanup cannot put back kernel parameters'
      if (!this.#complained) warn(`${path} cannot be written: ${reasonOf(error)}; ${lost}; ${advice}`)
      this.#complained = true
    }
  }
}

function isParameterRecord(value: unknown): value is ParameterRecord {
  return isObject(value) && typeof value['before'] === 'string' && typeof value['set'] === 'string'
}

function isDrainRecord(value: unknown): value is DrainRecord {
  if (!isObject(value)) return false
  const { family, virtualServer, realServer, since, gone, until } = value
  const named = ipFamilies.some(known => known === family) && typeof virtualServer === 'string' && typeof realServer === 'string'
  return named && Number.isFinite(since) && [gone, until].every(time => time === undefined || Number.isFinite(time))
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isAbsence(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
