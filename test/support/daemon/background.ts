// A process that runs in a node's namespace beside the daemon, and ends with its scope.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { TestNode } from './node.ts'

export interface Background extends AsyncDisposable {
  /** Its process: `ip netns exec` becomes the command. */
  readonly pid: number
  end(): Promise<void>
}

/** Gives it running; what it prints is dropped. */
export async function startBackground(node: TestNode, command: readonly string[]): Promise<Background> {
  const child: ChildProcess = spawn('ip', ['netns', 'exec', node.namespace, ...command], { stdio: 'ignore' })
  const ended = once(child, 'exit')
  await once(child, 'spawn')
  const { pid } = child
  if (pid === undefined) throw new Error(`${command.join(' ')} did not start`)
  const end = async (): Promise<void> => {
    child.kill('SIGKILL')
    await ended
  }
  return { pid, end, [Symbol.asyncDispose]: end }
}
