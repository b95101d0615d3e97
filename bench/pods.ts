// All pods of a made-up cluster, in a namespace whose own every address is: tells whoever connects at which of them it was reached.
import { once } from 'node:events'
import { createServer } from 'node:net'
import { answer } from './helper.ts'
import { podPort } from './objects.ts'

const server = createServer(socket => {
  socket.on('error', () => {})
  socket.write(socket.localAddress ?? '')
})
server.listen({ port: podPort, host: '0.0.0.0', backlog: 4096 })
await once(server, 'listening')
answer(() => 'listening')
