// The measured thing: the bundle that ships, as a process of its own inside a node's namespace, and what the kernel says of that process.
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import type { Namespace } from '../test/support/namespace.ts'
import { clock } from './helper.ts'

export interface LogLine {
  readonly msg: string
  /** When it was read here, by `clock`. */
  readonly at: number
  readonly [field: string]: unknown
}

export interface ProcessTimes {
  /** Milliseconds on a core, of the daemon alone. */
  readonly own: number
  /** Of the tools that it ran, in them and in the kernel for them. */
  readonly toolsUser: number
  readonly toolsKernel: number
}

export interface Memory {
  readonly residentMB: number
  readonly peakMB: number
}

const ticksPerSecond = 100

export class MeasuredDaemon implements AsyncDisposable {
  readonly log: LogLine[] = []
  readonly startedAt = clock()
  readonly #child: ChildProcessByStdio<null, Readable, null>

  /** @param program argv of the daemon without its flags. */
  constructor({ prefix }: Namespace, program: readonly string[], flags: readonly string[]) {
    const [file = '', ...args] = [...prefix, ...program, ...flags]
    this.#child = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    createInterface({ input: this.#child.stdout }).on('line', line => this.#take(line))
  }

  /** Waits for the first line after the first `since` ones that `matches`. */
  async waitFor(matches: (line: LogLine) => boolean, { since = 0, what = 'a log line' } = {}): Promise<LogLine> {
    let next = since
    const deadline = clock() + 900_000
    while (clock() < deadline) {
      for (; next < this.log.length; next++) {
        const line = this.log[next]
        if (line !== undefined && matches(line)) return line
      }
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) break
      await new Promise(resolve => setTimeout(resolve, 2))
    }
    throw new Error(
      `bench: waited in vain for ${what}; the daemon said last:\n${this.log
        .slice(-5)
        .map(each => each.msg)
        .join('\n')}`,
    )
  }

  /** The pass of IPv4 that ended first after the first `since` log lines. */
  waitForSync(since = 0): Promise<LogLine> {
    return this.waitFor(({ msg }) => msg.startsWith('synced IPv4'), { since, what: 'a sync' })
  }

  async memory(): Promise<Memory> {
    const status = await readFile(`/proc/${this.#child.pid}/status`, 'utf8')
    const megabytes = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1]) / 1024
    return { residentMB: megabytes('VmRSS'), peakMB: megabytes('VmHWM') }
  }

  async times(): Promise<ProcessTimes> {
    const stat = await readFile(`/proc/${this.#child.pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const milliseconds = (field: number) => (Number(fields[field - 3]) * 1000) / ticksPerSecond
    return { own: milliseconds(14) + milliseconds(15), toolsUser: milliseconds(16), toolsKernel: milliseconds(17) }
  }

  /** As an upgrade does; the rules stay. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = once(this.#child, 'exit')
    this.#child.kill('SIGTERM')
    await ended
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await ended
  }

  #take(text: string): void {
    try {
      this.log.push({ ...(JSON.parse(text) as { msg: string }), at: clock() })
    } catch {
      this.log.push({ msg: text, at: clock() })
    }
  }
}
