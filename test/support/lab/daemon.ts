// The proxy under test as a process: starts bin/switchyard inside a node's namespace and reads its log.
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { type PollOptions, poll } from './poll.ts'

export interface DaemonOptions {
  readonly namespace: string
  readonly arguments: readonly string[]
  /** Beside what this process has; a PATH of its own decides which tools the daemon finds. */
  readonly environment?: Readonly<Record<string, string>>
}

/** One line of the daemon's JSON log; a line that is not JSON is a `msg` alone. */
export interface LogLine {
  readonly level?: unknown
  readonly msg: string
  readonly [key: string]: unknown
}

const program = new URL('../../../bin/switchyard', import.meta.url).pathname

/** How many of the last log lines an error shows. */
const linesInErrors = 15

export class Daemon implements AsyncDisposable {
  readonly log: LogLine[] = []
  readonly #options: DaemonOptions
  #child: ChildProcessByStdio<null, Readable, Readable> | undefined

  constructor(options: DaemonOptions) {
    this.#options = options
  }

  start(): void {
    const child = spawn('ip', ['netns', 'exec', this.#options.namespace, program, ...this.#options.arguments], {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      env: { ...process.env, ...this.#options.environment },
    })
    this.#child = child
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', line => this.log.push(parseLine(line)))
    }
  }

  /** `code N` or the signal that ended it; undefined while it runs. */
  get ended(): string | undefined {
    const { exitCode = null, signalCode = null } = this.#child ?? {}
    return exitCode === null ? (signalCode ?? undefined) : `code ${exitCode}`
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** Polls while the daemon runs; one that ends meanwhile is an error at once. Errors show the end of the log. */
  async waitFor<T>(probe: () => T | undefined | Promise<T | undefined>, options: Omit<PollOptions, 'context'>): Promise<T> {
    const watched = async () => {
      if (this.ended !== undefined)
        throw new Error(`switchyard ended (${this.ended}) before ${options.what}\n${this.lastLines()}`)
      return probe()
    }
    return poll(watched, { ...options, context: () => this.lastLines() })
  }

  /** The first log line, from line number `since` on, that has this property. */
  waitForLog(
    matches: (line: LogLine) => boolean,
    options: Omit<PollOptions, 'context'> & { readonly since?: number },
  ): Promise<LogLine> {
    const { since = 0, ...pollOptions } = options
    return this.waitFor(() => this.log.slice(since).find(matches), pollOptions)
  }

  lastLines(): string {
    return this.log
      .slice(-linesInErrors)
      .map(line => `  ${JSON.stringify(line)}`)
      .join('\n')
  }

  /** SIGTERM, which leaves the rules in place, and what it ended with: `code 0` where all is well. */
  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<string> {
    const child = this.#child
    if (child !== undefined && this.ended === undefined) {
      const closed = once(child, 'close')
      child.kill(signal)
      await closed
    }
    return this.ended ?? 'never started'
  }

  /** Leaves it running for good: this process may end before it. */
  leave(): void {
    this.#child?.stdout.destroy()
    this.#child?.stderr.destroy()
    this.#child?.unref()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop('SIGKILL')
  }
}

function parseLine(text: string): LogLine {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return { msg: '', ...value }
  } catch {
    // A line of another program or of a crash: kept as it is.
  }
  return { msg: text }
}
