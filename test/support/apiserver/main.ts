// The test API server as a process of its own, so that its memory and CPU time are not those of whoever follows it.
// Takes ApiServerOptions as JSON in its only argument, prints one line of JSON (see Announcement), obeys POST /control, and
// ends on `{"do":"close"}`, when its standard input ends, or on SIGTERM.
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Announcement, type Command, obey, type StartOptions } from './control.ts'
import { startApiServer } from './index.ts'

const options = JSON.parse(process.argv[2] ?? '{}') as StartOptions
const server = await startApiServer(options)
const control = createServer(async (request, response) => {
  try {
    const command = JSON.parse(await readBody(request)) as Command
    const answer = await obey(server, command)
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
    if (command.do === 'close') control.close()
    if (command.do === 'close') process.stdin.destroy()
  } catch (error) {
    response.writeHead(400).end(error instanceof Error ? error.message : String(error))
  }
})
await new Promise<void>(resolve => {
  control.listen(0, '127.0.0.1', resolve)
})

const { url, kubeconfig, folder } = server
const { port } = control.address() as AddressInfo
const announcement: Announcement = { url, kubeconfig, folder, control: `http://127.0.0.1:${port}/control` }
process.stdout.write(`${JSON.stringify(announcement)}\n`)

process.on('SIGTERM', stop)
process.stdin.on('end', stop).resume()

async function stop(): Promise<void> {
  await server.close()
  process.exit(0)
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}
