// What --keep does when the tour is over: the laboratory and a Switchyard stay, and how to explore them is printed.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import type { Lab } from '../test/support/lab/lab.ts'
import { command, say, title } from './screen.ts'

export interface Kept {
  readonly lab: Lab
  readonly mode: 'iptables' | 'ipvs'
  readonly manifests: string
  /** Of a Switchyard that is to run on. */
  readonly flags: readonly string[]
}

const program = join(import.meta.dirname, '../bin/switchyard')

/** For good: all stays when this process has ended. */
export async function leave(kept: Kept): Promise<void> {
  const logFile = await startDetached(kept)
  await kept.lab.keep()
  title('The laboratory stays. Explore it:')
  printCommands(kept, logFile)
  title('Remove it, Switchyard included:')
  command(kept.lab.removal)
}

/** Where all ends with this process: a shell, and the end when the shell ends. */
export async function exploreInside(kept: Kept): Promise<void> {
  const logFile = await startDetached(kept)
  title('This is a shell in user-mode Linux, where the laboratory is. Explore it:')
  printCommands(kept, logFile)
  title('`exit` ends and removes it all.')
  const shell = spawn('bash', ['--norc'], { stdio: 'inherit', env: { ...process.env, PS1: 'demo# ' } })
  await once(shell, 'close')
}

/** A Switchyard that outlives this process and its terminal; gives where its log is. */
async function startDetached({ lab, flags }: Kept): Promise<string> {
  const logFile = join(lab.directory, 'switchyard.log')
  const log = await open(logFile, 'a')
  const argv = ['netns', 'exec', lab.node.namespace, program, ...flags]
  spawn('ip', argv, { stdio: ['ignore', log.fd, log.fd], detached: true }).unref()
  await log.close()
  return logFile
}

function printCommands({ lab, mode, manifests }: Kept, logFile: string): void {
  const node = lab.node.namespace
  const commands: [line: string, purpose: string][] = [
    [`ip netns exec ${lab.plan.client.namespace} curl 192.168.100.240`, 'as the client outside'],
    [`ip netns exec ${node} ${mode === 'ipvs' ? 'ipvsadm -ln' : 'iptables -t nat -S'}`, 'what Switchyard programmed'],
    [`ip netns exec ${node} bin/switchyard status`, 'what it says of itself'],
    [`ip netns exec ${lab.pods[0]?.namespace} bash`, 'a shell in a pod'],
  ]
  const width = Math.max(...commands.map(([line]) => line.length))
  for (const [line, purpose] of commands) command(`${line.padEnd(width)}  # ${purpose}`)
  say(`Edit the manifests in ${manifests} and see what Switchyard makes of it:`)
  command(`tail -f ${logFile}`)
}
