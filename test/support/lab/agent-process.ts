// The lab's side of an agent: starts it inside a namespace and asks it things.
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import type { AnswerLine, RequestName, Requests } from './agent/protocol.ts'

export class AgentProcess {
  readonly #namespace: string
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>()
  #child: ChildProcessByStdio<Writable, Readable, Readable> | undefined
  #lastId = 0

  constructor(namespace: string) {
    this.#namespace = namespace
  }

  /** Starts `program` (see agent-program.ts); it answers as soon as it is up, requests before that wait. In a session of its own: Ctrl-C is for the starter. */
  start(program: string): void {
    const child = spawn('ip', ['netns', 'exec', this.#namespace, process.execPath, program], {
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    })
    this.#child = child
    createInterface({ input: child.stdout }).on('line', line => this.#settle(JSON.parse(line) as AnswerLine))
    // Copied rather than inherited: one that is left running must not hold the starter's own output open.
    child.stderr.on('data', (chunk: Uint8Array) => process.stderr.write(chunk))
    child.stdin.on('error', error => this.#fail(error))
    child.on('error', error => this.#fail(error))
    child.on('close', (code, signal) =>
      this.#fail(new Error(`the agent in ${this.#namespace} ended (${signal ?? `exit status ${code}`})`)),
    )
  }

  async ask<Name extends RequestName>(name: Name, takes: Requests[Name]['takes']): Promise<Requests[Name]['gives']> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null)
      throw new Error(`no agent runs in ${this.#namespace}`)
    const id = ++this.#lastId
    const waiting = Promise.withResolvers<unknown>()
    this.#waiting.set(id, waiting)
    child.stdin.write(`${JSON.stringify({ id, name, takes })}\n`)
    return (await waiting.promise) as Requests[Name]['gives']
  }

  /** Closes its input, upon which it ends, and waits for that. */
  async stop(): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const closed = once(child, 'close')
    child.stdin.end()
    await closed
  }

  /** Leaves it running for good: this process may end before it. */
  async leave(): Promise<void> {
    await this.ask('outlive', null)
    const child = this.#child
    child?.stdin.end()
    child?.stdout.destroy()
    child?.stderr.destroy()
    child?.unref()
  }

  #settle(line: AnswerLine): void {
    const waiting = this.#waiting.get(line.id)
    this.#waiting.delete(line.id)
    if ('error' in line) waiting?.reject(new Error(`in ${this.#namespace}: ${line.error}`))
    else waiting?.resolve(line.gives)
  }

  #fail(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
  }
}
