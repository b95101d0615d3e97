// A program of ours in a process of its own inside a namespace, which answers what it is asked. Times are those of the kernel's
// monotonic clock in milliseconds, the same in every process of a machine.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Namespace } from '../test/support/namespace.ts'

interface Question {
  readonly id: number
  readonly asked: unknown
}

type Reply = { readonly id: number; readonly gives: unknown } | { readonly id: number; readonly error: string }

/** Milliseconds of the clock that all processes share. */
export function clock(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

export class Helper<Asked, Given> implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, PromiseWithResolvers<Given>>()
  #lastId = 0

  /** @param script the program's file, in this folder. */
  constructor({ prefix }: Namespace, script: string, options: unknown = {}) {
    const path = new URL(script, import.meta.url).pathname
    const [file = '', ...args] = [
      ...prefix,
      process.execPath,
      '--disable-warning=ExperimentalWarning',
      path,
      JSON.stringify(options),
    ]
    this.#child = spawn(file, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    this.#child.on('message', (reply: Reply) => {
      const waiting = this.#waiting.get(reply.id)
      this.#waiting.delete(reply.id)
      if ('error' in reply) waiting?.reject(new Error(`${script}: ${reply.error}`))
      else waiting?.resolve(reply.gives as Given)
    })
    this.#child.on('exit', status => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`${script} ended with ${status}`))
    })
  }

  ask(asked: Asked): Promise<Given> {
    const waiting = Promise.withResolvers<Given>()
    const question: Question = { id: ++this.#lastId, asked }
    this.#waiting.set(question.id, waiting)
    this.#child.send(question)
    return waiting.promise
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await ended
  }
}

/** The program's side. */
export function answer<Asked>(give: (asked: Asked) => unknown): void {
  process.on('message', async ({ id, asked }: Question) => {
    try {
      process.send?.({ id, gives: (await give(asked as Asked)) ?? null } satisfies Reply)
    } catch (error) {
      process.send?.({ id, error: error instanceof Error ? error.message : String(error) } satisfies Reply)
    }
  })
  process.on('disconnect', () => process.exit(0))
}
