// A process that runs in a node's namespace beside the daemon, and ends with its scope.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { poll } from '../lab/poll.ts'
import type { TestNode } from './node.ts'

export interface Background extends AsyncDisposable {
  /** Its process: `ip netns exec` becomes the command. */
  readonly pid: number
  end(): Promise<void>
}

/** Gives it running, which is when `ip` has become the command, in the namespace and by its own name; what it prints is dropped. */
export async function startBackground(node: TestNode, command: readonly string[]): Promise<Background> {
  const child: ChildProcess = spawn('ip', ['netns', 'exec', node.namespace, ...command], { stdio: 'ignore' })
  const ended = once(child, 'exit')
  await once(child, 'spawn')
  const { pid } = child
  if (pid === undefined) throw new Error(`${command.join(' ')} did not start`)
  const commandLine = `${command.join('\0')}\0`
  const runs = async (): Promise<true | undefined> =>
    (await readFile(`/proc/${pid}/cmdline`, 'utf8')) === commandLine ? true : undefined
  await poll(runs, { what: `${command.join(' ')} to run` })
  const end = async (): Promise<void> => {
    child.kill('SIGKILL')
    await ended
  }
  return { pid, end, [Symbol.asyncDispose]: end }
}
