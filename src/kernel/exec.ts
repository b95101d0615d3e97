// The only file that starts a process. Takes argv and standard input, gives the output or a CommandError.
// Invariant: a failure of any kind (no such binary, signal, time-out, exit status) is the same error type with the tool's own words.
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { execa } from 'execa'

export interface CommandResult {
  readonly stdout: string
  readonly stderr: string
  readonly milliseconds: number
}

/** Runs `argv` with `input` and then `more` as standard input (empty where undefined). Throws CommandError, also where `signal` ends it. */
export type Exec = (command: {
  readonly argv: readonly string[]
  readonly input?: string
  /** Taken piece by piece as the tool reads; only beside `input`. */
  readonly more?: Iterable<string>
  /** Gets standard output in pieces, as it comes; what it throws is thrown. `stdout` has what it was not given: nothing, or all where an Exec knows no pieces. */
  readonly onOutput?: (piece: string) => void
  readonly signal?: AbortSignal
}) => Promise<CommandResult>

export type CommandFailure = 'not found' | 'not permitted' | 'busy' | 'timed out' | 'failed'

export class CommandError extends Error {
  override readonly name = 'CommandError'
  readonly argv: readonly string[]
  readonly failure: CommandFailure
  readonly stderr: string

  constructor(options: { argv: readonly string[]; failure: CommandFailure; stderr: string; reason: string; cause?: unknown }) {
    super(`${options.argv.join(' ')}: ${options.reason}`, { cause: options.cause })
    this.argv = options.argv
    this.failure = options.failure
    this.stderr = options.stderr
  }
}

/**
 * @param options.prefix argv that goes before every command: `ip netns exec node1` to act in another network namespace.
 * @param options.timeoutMs when a command is killed; generous by default, since 170,000 rules take a slow machine minutes.
 */
export function createExec(options: { readonly prefix?: readonly string[]; readonly timeoutMs?: number } = {}): Exec {
  const { prefix = [], timeoutMs = 300_000 } = options
  return async ({ argv, input, more, onOutput, signal }) => {
    const [file, ...args] = [...prefix, ...argv]
    if (file === undefined) throw new TypeError('exec: empty command')
    const child = execa(file, args, {
      ...(more === undefined ? { input: input ?? '' } : { stdin: inTurn(input ?? '', more) }),
      reject: false,
      stripFinalNewline: false,
      maxBuffer: 1024 ** 3,
      timeout: timeoutMs,
      env: { LC_ALL: 'C' },
      ...(onOutput === undefined ? {} : { buffer: { stdout: false } as const }),
      ...(signal === undefined ? {} : { cancelSignal: signal }),
    })
    const refused = onOutput === undefined ? undefined : handOver(child, onOutput)
    const result = await child
    if (refused?.error !== undefined) throw refused.error
    if (!result.failed) return { stdout: result.stdout ?? '', stderr: result.stderr, milliseconds: result.durationMs }
    throw toError(argv, result)
  }
}

/** Gives where to look for what `onOutput` threw: that ends the tool. */
function handOver(child: { readonly stdout: Readable; kill(): void }, onOutput: (piece: string) => void): { error: unknown } {
  const refused: { error: unknown } = { error: undefined }
  child.stdout.setEncoding('utf8').on('data', (piece: string) => {
    if (refused.error !== undefined) return
    try {
      onOutput(piece)
    } catch (error) {
      refused.error = error
      child.kill()
    }
  })
  return refused
}

function* inTurn(first: string, more: Iterable<string>): Generator<string, undefined> {
  yield first
  yield* more
}

interface FailedResult {
  readonly code?: string | undefined
  readonly exitCode?: number | undefined
  readonly signal?: string | undefined
  readonly timedOut: boolean
  readonly stderr?: unknown
  readonly originalMessage?: string | undefined
  readonly durationMs: number
}

function toError(argv: readonly string[], result: FailedResult): CommandError {
  const stderr = typeof result.stderr === 'string' ? result.stderr.trim() : ''
  const failure = classify(result, stderr)
  return new CommandError({
    argv,
    failure,
    stderr,
    reason: reasonOf({ failure, stderr, result, tool: argv[0] ?? '' }),
    cause: result,
  })
}

/** iptables exits 4 for a lock that it did not get and says so; a missing binary has no exit status at all. */
function classify(result: FailedResult, stderr: string): CommandFailure {
  if (result.code === 'ENOENT') return 'not found'
  if (result.timedOut) return 'timed out'
  if (result.code === 'EACCES' || /Permission denied|Operation not permitted|must be root/i.test(stderr)) return 'not permitted'
  if (/holding the xtables lock|Resource temporarily unavailable/i.test(stderr)) return 'busy'
  return 'failed'
}

function reasonOf(failed: { failure: CommandFailure; stderr: string; result: FailedResult; tool: string }): string {
  const { failure, stderr, result, tool } = failed
  switch (failure) {
    case 'not found':
      return `no such program; install the package that has ${tool} (Debian: apt-get install ${packageOf(tool)}) or put it on the PATH`
    case 'timed out':
      return `killed after ${Math.round(result.durationMs / 1000)} s without an end`
    case 'not permitted':
      return `not permitted (${firstLines(stderr) || result.originalMessage}); run as root or with CAP_NET_ADMIN (and CAP_NET_RAW for the legacy backend)`
    case 'busy':
      return `another program holds the xtables lock (${firstLines(stderr)})`
    case 'failed':
      return (
        firstLines(stderr) ||
        result.originalMessage ||
        (result.signal ? `ended by ${result.signal}` : `exit status ${result.exitCode}`)
      )
  }
}

/** Debian's package of a tool that we start. */
function packageOf(tool: string): string {
  if (tool.startsWith('ip6tables') || tool.startsWith('iptables')) return 'iptables'
  return { ip: 'iproute2', modprobe: 'kmod' }[tool] ?? tool
}

/** A tool's complaint without its many repetitions. iptables-nft-restore introduces itself in a line of its own. */
function firstLines(stderr: string): string {
  const lines = stderr.split('\n').filter(line => line.trim() !== '' && !line.startsWith('Try `'))
  const shown = lines.slice(0, 3).join('; ').replaceAll(/: *; /g, ': ')
  return lines.length > 3 ? `${shown} (${lines.length - 3} more lines)` : shown
}

/**
 * Runs `argv` until the signal aborts or it ends by itself, and gives each line of its output as it comes. Rejects with CommandError
 * where it cannot be started or ends with an error; its end by the signal is none.
 */
export async function watchLines(
  argv: readonly string[],
  { onLine, signal }: { readonly onLine: (line: string) => void; readonly signal: AbortSignal },
): Promise<void> {
  const [file, ...args] = argv
  if (file === undefined) throw new TypeError('watchLines: empty command')
  if (signal.aborted) return
  const child = execa(file, args, {
    reject: false,
    stdin: 'ignore',
    buffer: { stdout: false },
    cancelSignal: signal,
    env: { LC_ALL: 'C' },
  })
  createInterface({ input: child.stdout }).on('line', onLine)
  // Not only the end of the child: what it started in turn may hold its output open.
  const stopped = new Promise<'stopped'>(resolve => signal.addEventListener('abort', () => resolve('stopped'), { once: true }))
  const result = await Promise.race([child, stopped])
  child.stdout.destroy()
  child.stderr.destroy()
  if (result !== 'stopped' && result.failed && !signal.aborted) throw toError(argv, result)
}
