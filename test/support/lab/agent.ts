// The program that a lab starts inside each namespace: reads requests from standard input, writes answers to standard output,
// ends when its input does. See agent/protocol.ts for what it can be asked.
import { createInterface } from 'node:readline'
import { connectMany } from './agent/connect.ts'
import { type Held, hold } from './agent/hold.ts'
import { type Load, startLoad } from './agent/load.ts'
import type { AnswerLine, RequestLine, RequestName, Requests } from './agent/protocol.ts'
import { serve } from './agent/serve.ts'

type Handlers = { readonly [Name in RequestName]: (takes: Requests[Name]['takes']) => Promise<Requests[Name]['gives']> }

const loads = new Map<number, Load>()
const held = new Map<number, Held>()
let lastNumber = 0
let outlives = false

const handlers: Handlers = {
  serve: async options => {
    await serve(options)
    return null
  },
  connect: connectMany,
  startLoad: async options => keep(loads, startLoad(options)),
  loadAttempts: async number => taken(loads, number).attempts(),
  stopLoad: async number => {
    const load = taken(loads, number)
    loads.delete(number)
    return load.stop()
  },
  hold: async target => keep(held, await hold(target)),
  pingHeld: async options => taken(held, options.held).ping(options.timeoutMs),
  release: async number => {
    taken(held, number).release()
    held.delete(number)
    return null
  },
  reset: async number => {
    taken(held, number).reset()
    held.delete(number)
    return null
  },
  outlive: async () => {
    outlives = true
    return null
  },
}

function keep<T>(store: Map<number, T>, value: T): number {
  store.set(++lastNumber, value)
  return lastNumber
}

function taken<T>(store: Map<number, T>, number: number): T {
  const value = store.get(number)
  if (value === undefined) throw new Error(`nothing runs under number ${number}`)
  return value
}

async function handle<Name extends RequestName>({ id, name, takes }: RequestLine<Name>): Promise<void> {
  try {
    answer({ id, gives: await handlers[name](takes) })
  } catch (error) {
    answer({ id, error: error instanceof Error ? error.message : String(error) })
  }
}

function answer(line: AnswerLine): void {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

// The starter may be gone before an answer is written.
process.stdout.on('error', () => {})
process.stderr.on('error', () => {})
const lines = createInterface({ input: process.stdin })
// Both ends are files of this folder and of one version, so a line is what its type says.
lines.on('line', line => void handle(JSON.parse(line) as RequestLine))
lines.on('close', () => outlives || process.exit(0))
