// A UDP client inside a network namespace that keeps its sockets open, each on a source port of its own, as DNS clients do:
// to the kernel, all that it ever sends from one port to one destination is one flow.
// As a program it does what it is told on standard input, `PORT ADDRESS PORT` a line, and prints `PORT ANSWER` a line.
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { poll } from './lab/poll.ts'

export interface UdpTarget {
  /** The client's own port. */
  readonly from: number
  readonly address: string
  readonly port: number
}

export class UdpClient implements AsyncDisposable {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>
  readonly #answers = new Map<number, string[]>()

  constructor(namespace: string) {
    this.#child = spawn('ip', ['netns', 'exec', namespace, process.execPath, import.meta.filename], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    createInterface({ input: this.#child.stdout }).on('line', line => {
      const [port = '', answer = ''] = line.split(' ')
      this.#answersTo(Number(port)).push(answer)
    })
  }

  /** Sends one datagram and waits for nothing. */
  send({ from, address, port }: UdpTarget): void {
    this.#child.stdin.write(`${from} ${address} ${port}\n`)
  }

  /** Sends until there is an answer, and gives its first word: the name of who answered. */
  async ask(target: UdpTarget): Promise<string> {
    const answers = this.#answersTo(target.from)
    answers.length = 0
    const probe = (): string | undefined => {
      if (answers.length === 0) this.send(target)
      return answers[0]
    }
    return poll(probe, { what: `an answer from ${target.address} port ${target.port}`, everyMs: 25 })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const closed = once(this.#child, 'close')
    this.#child.stdin.end()
    await closed
  }

  #answersTo(port: number): string[] {
    const found = this.#answers.get(port) ?? []
    this.#answers.set(port, found)
    return found
  }
}

const sockets = new Map<string, Promise<Socket>>()

async function open(from: number, type: 'udp4' | 'udp6'): Promise<Socket> {
  const socket = createSocket(type)
  // A destination that nobody has a way to is what some flows are about: the attempt is all that counts.
  socket.on('error', () => {})
  socket.on('message', message => process.stdout.write(`${from} ${message.toString('utf8').split(' ')[0]}\n`))
  socket.bind(from)
  await once(socket, 'listening')
  return socket
}

async function obey(line: string): Promise<void> {
  const [from = '', address = '', port = ''] = line.split(' ')
  const type = address.includes(':') ? 'udp6' : 'udp4'
  const key = `${type} ${from}`
  const opening = sockets.get(key) ?? open(Number(from), type)
  sockets.set(key, opening)
  const socket = await opening
  socket.send('who are you?', Number(port), address, () => {})
}

if (process.argv[1] === import.meta.filename) {
  for await (const line of createInterface({ input: process.stdin })) await obey(line)
  for (const socket of await Promise.all(sockets.values())) socket.close()
}
