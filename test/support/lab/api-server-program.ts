// The test API server inside a namespace: takes ApiServerOptions as JSON in its only argument, says where it is, then obeys
// commands (one JSON object a line) and answers each; ends when its input does. Over pipes, since nobody outside of the
// namespace could reach a control port in it.
import { createInterface } from 'node:readline'
import { obey } from '../apiserver/control.ts'
import { type ApiServerOptions, startApiServer } from '../apiserver/index.ts'
import type { AnswerLine, CommandLine, Whereabouts } from './api-server.ts'

const server = await startApiServer(JSON.parse(process.argv[2] ?? '{}') as ApiServerOptions)
const { url, kubeconfig, folder } = server
say({ url, kubeconfig, folder } satisfies Whereabouts)

// The starter may be gone before an answer is written.
process.stdout.on('error', () => {})
const lines = createInterface({ input: process.stdin })
lines.on('line', line => void handle(JSON.parse(line) as CommandLine))
lines.on('close', async () => {
  await server.close()
  process.exit(0)
})

/** Commands run side by side: a restart takes its time, and what changes meanwhile is what it is for. */
async function handle({ id, command }: CommandLine): Promise<void> {
  try {
    say({ id, gives: await obey(server, command) } satisfies AnswerLine)
  } catch (error) {
    say({ id, error: error instanceof Error ? error.message : String(error) } satisfies AnswerLine)
  }
}

function say(line: AnswerLine | Whereabouts): void {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}
