// A test API server that runs inside a namespace, where the daemon under test can reach it, and the requests to it.
//
//   await using server = await startApiServerIn(namespace, { tokens: ['secret'], objects })
//   await server.ask({ do: 'put', objects })
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Answers, Command } from '../apiserver/control.ts'
import type { ApiServerOptions } from '../apiserver/index.ts'

/** What the server says of itself, in one line, when it listens. */
export interface Whereabouts {
  readonly url: string
  /** The path of a kubeconfig for it. */
  readonly kubeconfig: string
  /** The folder of the kubeconfig, with the files that it names. */
  readonly folder: string
}

export interface CommandLine {
  readonly id: number
  readonly command: Command
}

export type AnswerLine = { readonly id: number; readonly gives: unknown } | { readonly id: number; readonly error: string }

export interface NamespacedApiServer extends Whereabouts, AsyncDisposable {
  /** Does one command. Commands that are asked for side by side are done side by side. */
  ask<Asked extends Command>(command: Asked): Promise<Answers[Asked['do']]>
  /** Ends it; nothing of it is left. */
  close(): Promise<void>
}

const program = new URL('api-server-program.ts', import.meta.url).pathname

/** Gives it listening, on the namespace's 127.0.0.1 unless told otherwise. */
export async function startApiServerIn(namespace: string, options: ApiServerOptions = {}): Promise<NamespacedApiServer> {
  const command = [process.execPath, '--disable-warning=ExperimentalWarning', program, JSON.stringify(options)]
  const child = spawn('ip', ['netns', 'exec', namespace, ...command], { stdio: ['pipe', 'pipe', 'inherit'], detached: true })
  const waiting = new Map<number, PromiseWithResolvers<unknown>>()
  const started = Promise.withResolvers<Whereabouts>()
  const ended = once(child, 'close').then(([status]) => {
    const error = new Error(`the API server in ${namespace} ended (exit status ${status})`)
    started.reject(error)
    for (const { reject } of waiting.values()) reject(error)
    waiting.clear()
  })
  // What is written to one that is gone fails by its end, which says more.
  child.stdin.on('error', () => {})
  createInterface({ input: child.stdout }).on('line', line => take(JSON.parse(line) as Whereabouts | AnswerLine))
  let lastId = 0
  return { ...(await started.promise), ask, close, [Symbol.asyncDispose]: close }

  function take(line: Whereabouts | AnswerLine): void {
    if ('url' in line) started.resolve(line)
    else settle(line)
  }

  function settle(line: AnswerLine): void {
    const asked = waiting.get(line.id)
    waiting.delete(line.id)
    if ('error' in line) asked?.reject(new Error(line.error))
    else asked?.resolve(line.gives)
  }

  async function ask<Asked extends Command>(command: Asked): Promise<Answers[Asked['do']]> {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`no API server runs in ${namespace}`)
    const id = ++lastId
    const answer = Promise.withResolvers<unknown>()
    waiting.set(id, answer)
    child.stdin.write(`${JSON.stringify({ id, command } satisfies CommandLine)}\n`)
    return (await answer.promise) as Answers[Asked['do']]
  }

  async function close(): Promise<void> {
    child.stdin.end()
    await ended
  }
}
