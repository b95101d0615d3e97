// Network namespaces and commands inside them. Needs root and Debian's iproute2.
import { readdir } from 'node:fs/promises'
import { execa } from 'execa'
import type { NamespaceLines } from './network-plan.ts'
import { poll } from './poll.ts'

export interface CommandOptions {
  /** Its standard input. */
  readonly input?: string
  readonly env?: Readonly<Record<string, string>>
}

export interface CommandResult {
  readonly stdout: string
  readonly stderr: string
}

/** Makes the namespaces. Where one exists already, nothing is made, and the error says which and what to do. */
export async function addNamespaces(names: readonly string[]): Promise<void> {
  const existing = await listNamespaces()
  const taken = names.filter(name => existing.includes(name))
  if (taken.length > 0) {
    throw new Error(
      `lab: network namespaces of another lab are in the way: ${taken.join(' ')}; remove them first:\n${removalScript(taken)}`,
    )
  }
  await run(['ip', '-batch', '-'], { input: names.map(name => `netns add ${name}\n`).join('') })
}

/** Ends every process inside, then removes the namespaces and with them all links and rules. Those that are gone are fine. */
export async function removeNamespaces(names: readonly string[]): Promise<void> {
  const existing = new Set(await listNamespaces())
  const present = names.filter(name => existing.has(name))
  await Promise.all(present.map(endProcesses))
  if (present.length > 0) await run(['ip', '-batch', '-'], { input: present.map(name => `netns del ${name}\n`).join('') })
}

/** What a person types to remove namespaces that were kept. */
export function removalScript(names: readonly string[]): string {
  return `for n in ${names.join(' ')}; do ip netns pids $n | xargs -r kill; ip netns del $n; done`
}

export async function listNamespaces(): Promise<readonly string[]> {
  return readdir('/run/netns').catch(() => [])
}

/** Runs `ip` with many lines in one process: a process a line would make a lab slow. */
export async function configure({ namespace, lines }: NamespaceLines): Promise<void> {
  await run(['ip', '-n', namespace, '-batch', '-'], { input: lines.map(line => `${line}\n`).join('') })
}

/** Runs a command inside a namespace. Throws (with its output) unless it exits 0. */
export function runIn(namespace: string, command: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  return run(['ip', 'netns', 'exec', namespace, ...command], options)
}

async function run([file = '', ...args]: readonly string[], { input, env }: CommandOptions = {}): Promise<CommandResult> {
  return execa(file, args, { ...(input === undefined ? { stdin: 'ignore' } : { input }), ...(env === undefined ? {} : { env }) })
}

/** Kills until nothing is left: what a killed daemon had started may still write to its files. */
async function endProcesses(namespace: string): Promise<void> {
  const left = async (): Promise<readonly number[]> => {
    const { stdout } = await run(['ip', 'netns', 'pids', namespace])
    return stdout.split('\n').filter(Boolean).map(Number)
  }
  const kill = async (): Promise<true | undefined> => {
    const pids = await left()
    for (const pid of pids) killIfThere(pid)
    return pids.length === 0 ? true : undefined
  }
  await poll(kill, { what: `the end of all processes in ${namespace}` })
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
