// A switchyard that is expected to end by itself: its exit status and all that it said.
import { execa } from 'execa'
import { slowness } from '../slowness.ts'
import type { TestNode } from './node.ts'

export interface Ended {
  readonly exitStatus: number | undefined
  /** Both outputs: the `msg` of JSON lines, other lines as they are. */
  readonly said: readonly string[]
}

export interface RunOnceOptions {
  readonly node: TestNode
  readonly arguments: readonly string[]
  /** What goes before the program: `setpriv ...`. */
  readonly through?: readonly string[]
}

const program = new URL('../../../bin/switchyard', import.meta.url).pathname

/** Throws where it has not ended in time; one that is killed is an error of the program, not a wait of the test. */
export async function runOnce({ node, arguments: flags, through = [] }: RunOnceOptions): Promise<Ended> {
  const result = await execa('ip', ['netns', 'exec', node.namespace, ...through, program, ...flags], {
    stdin: 'ignore',
    all: true,
    reject: false,
    timeout: 30_000 * slowness,
    forceKillAfterDelay: 1000,
  })
  const said = result.all.split('\n').filter(Boolean).map(messageOf)
  if (result.timedOut) throw new Error(`switchyard did not end by itself; it said:\n${said.join('\n')}`)
  return { exitStatus: result.exitCode, said }
}

function messageOf(line: string): string {
  try {
    const value: unknown = JSON.parse(line)
    if (typeof value === 'object' && value !== null && 'msg' in value) return String(value.msg)
  } catch {
    // Not JSON: what is said before there is a log.
  }
  return line
}
