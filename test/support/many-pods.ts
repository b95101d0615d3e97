// A program inside a network namespace that is all pods, and their client: it serves on every local address and names the one that was asked.
// `connect COUNT ADDRESS PORT` on standard input connects so often, or until one fails, and prints {"answers": {ADDRESS: COUNT}, "failures": [...]};
// `load ADDRESS PORT` connects until `stop`, which prints the same.
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { createInterface, type Interface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import type { Namespace } from './namespace.ts'

export interface Answers {
  readonly answers: Readonly<Record<string, number>>
  readonly failures: readonly string[]
}

export class ManyPods implements AsyncDisposable {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>
  readonly #lines: AsyncIterator<string>
  readonly #input: Interface

  constructor({ prefix }: Namespace) {
    const [file = '', ...args] = [...prefix, process.execPath, import.meta.filename]
    this.#child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#input = createInterface({ input: this.#child.stdout })
    this.#lines = this.#input[Symbol.asyncIterator]()
  }

  /** Until the answer to the question is there. */
  async ask(question: string): Promise<Answers> {
    this.tell(question)
    const { value, done } = await this.#lines.next()
    if (done) throw new Error(`the pods ended before they answered "${question}"`)
    return JSON.parse(value) as Answers
  }

  tell(command: string): void {
    this.#child.stdin.write(`${command}\n`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const isAlive = this.#child.exitCode === null && this.#child.signalCode === null
    const ended = isAlive ? once(this.#child, 'exit') : undefined
    this.#child.kill('SIGKILL')
    await ended
  }
}

function whoAnswers(address: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port, timeout: 15_000 })
    socket.once('timeout', () => socket.destroy(new Error('silence')))
    socket.once('error', reject)
    socket.once('data', data => {
      socket.resetAndDestroy()
      resolve(data.toString())
    })
  })
}

async function serve(): Promise<void> {
  const server = createServer(socket => {
    socket.on('error', () => {})
    socket.write(socket.localAddress ?? '')
  })
  await new Promise<void>(resolve => server.listen(8080, '0.0.0.0', 4096, resolve))
  let isLoading = false
  let load: Promise<void> = Promise.resolve()
  let found = { answers: {} as Record<string, number>, failures: [] as string[] }
  const attempt = (address: string, port: number): Promise<void> =>
    whoAnswers(address, port).then(
      who => {
        found.answers[who] = (found.answers[who] ?? 0) + 1
      },
      (error: Error) => void found.failures.push(error.message),
    )
  const print = (): void => {
    process.stdout.write(`${JSON.stringify(found)}\n`)
    found = { answers: {}, failures: [] }
  }
  for await (const line of createInterface({ input: process.stdin })) {
    const [command, ...words] = line.split(' ')
    if (command === 'connect') {
      const [count, address = '', port] = words
      for (let left = Number(count); left > 0 && found.failures.length === 0; left -= 20)
        await Promise.all(Array.from({ length: Math.min(20, left) }, () => attempt(address, Number(port))))
      print()
    } else if (command === 'load') {
      const [address = '', port] = words
      isLoading = true
      load = (async () => {
        while (isLoading) await attempt(address, Number(port))
      })()
    } else {
      isLoading = false
      await load
      print()
    }
  }
  server.close()
}

if (process.argv[1] === import.meta.filename) await serve()
