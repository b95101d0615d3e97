// HTTP and programs inside of a network namespace, seen from a test outside of it.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { configure, runIn } from '../support/lab/namespaces.ts'

export interface AnswerInside {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

const fetchScript = `
const [url, init] = JSON.parse(process.argv[1])
try {
  const response = await fetch(url, init)
  const body = await response.text()
  console.log(JSON.stringify({ status: response.status, headers: Object.fromEntries(response.headers), body }))
} catch (error) {
  console.log(JSON.stringify({ error: error.cause?.code ?? error.name }))
}`

/** One request from inside; or the code of its failure: `ECONNREFUSED`. */
export async function fetchInside(
  namespace: string,
  url: string,
  init: { readonly method?: string; readonly body?: string; readonly headers?: Readonly<Record<string, string>> } = {},
): Promise<AnswerInside | { readonly error: string }> {
  const command = [process.execPath, '--input-type=module', '--eval', fetchScript, JSON.stringify([url, init])]
  return JSON.parse((await runIn(namespace, command)).stdout) as AnswerInside | { readonly error: string }
}

/** A link between two namespaces, each with its address. */
export async function connectNamespaces(ends: readonly [End, End]): Promise<void> {
  const [one, other] = ends
  const link = 'between'
  await configure({ namespace: one.namespace, lines: [`link add ${link} type veth peer name ${link} netns ${other.namespace}`] })
  for (const { namespace, address } of ends) {
    await configure({ namespace, lines: ['link set lo up', `address add ${address}/24 dev ${link}`, `link set ${link} up`] })
  }
}

export interface End {
  readonly namespace: string
  readonly address: string
}

export interface ProgramInside extends AsyncDisposable {
  /** The first line that it printed. */
  readonly announcement: string
}

/** A Node program inside, from when it has printed a line until it is disposed of. */
export async function startInside(namespace: string, argv: readonly string[]): Promise<ProgramInside> {
  const child = spawn('ip', ['netns', 'exec', namespace, process.execPath, ...argv], { stdio: ['pipe', 'pipe', 'inherit'] })
  const closed = once(child, 'close')
  const [announcement] = (await Promise.race([
    once(createInterface(child.stdout), 'line'),
    closed.then(([status]) => {
      throw new Error(`${argv.join(' ')} ended with ${status} before it said anything`)
    }),
  ])) as [string]
  return {
    announcement,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await closed
    },
  }
}

/** Someone else's program on a TCP port of all addresses. */
export function occupyInside(namespace: string, port: number): Promise<ProgramInside> {
  const script = `require('node:net').createServer(socket => socket.destroy()).listen(${port}, () => console.log('listening'))`
  return startInside(namespace, ['--eval', script])
}
