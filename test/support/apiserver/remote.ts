// A test API server in a process of its own, with the methods of one in this process as promises.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Announcement, Answers, Command, StartOptions } from './control.ts'

export interface RemoteApiServer extends Announcement {
  /** Sends one command and gives its answer. */
  send<Sent extends Command>(command: Sent): Promise<Answers[Sent['do']]>
  close(): Promise<void>
}

export async function spawnApiServer(options: StartOptions = {}): Promise<RemoteApiServer> {
  const path = new URL('main.ts', import.meta.url).pathname
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', path, JSON.stringify(options)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const [line] = (await Promise.race([
    once(createInterface(child.stdout), 'line'),
    once(child, 'exit').then(([status]) => {
      throw new Error(`the test API server ended with ${status} before it was ready`)
    }),
  ])) as [string]
  const announcement = JSON.parse(line) as Announcement
  return { ...announcement, send, close }

  async function send<Sent extends Command>(command: Sent): Promise<Answers[Sent['do']]> {
    const response = await fetch(announcement.control, { method: 'POST', body: JSON.stringify(command) })
    if (!response.ok) throw new Error(`${command.do}: ${await response.text()}`)
    return (await response.json()) as Answers[Sent['do']]
  }

  async function close(): Promise<void> {
    const ended = child.exitCode === null ? once(child, 'exit') : undefined
    child.stdin.end()
    await ended
  }
}
