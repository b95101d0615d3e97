// Servers that answer with their name and the source that they saw: HTTP and line echo on TCP ports, datagrams on UDP ports,
// a greeting on SCTP ports.
// The client closes first (the answer has a length), so that the port's memory of old connections stays with the client.
import { createSocket, type Socket as DatagramSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { endText, greeting, type ServeOptions } from './protocol.ts'
import { serveSctp } from './sctp.ts'

const serving = new Map<string, Promise<void>>()

/**
 * Listens on every port in both families; one that is served already stays as it is. Ends only with the process.
 * Throws where another process has a port.
 */
export async function serve({ name, tcp, udp, sctp = [] }: ServeOptions): Promise<void> {
  const once = (key: string, start: () => Promise<void>) => serving.get(key) ?? serving.set(key, start()).get(key)
  await Promise.all([
    ...tcp.map(port => once(`TCP ${port}`, () => listen(createServer(answerTcp(name)), port))),
    ...udp.map(port => once(`UDP ${port}`, () => bind(answerUdp(name, port), port))),
    ...sctp.map(port => once(`SCTP ${port}`, () => serveSctp(name, port))),
  ])
}

async function listen(server: Server, port: number): Promise<void> {
  server.listen({ port, host: '::', ipv6Only: false, backlog: 4096 })
  await once(server, 'listening')
}

async function bind(socket: DatagramSocket, port: number): Promise<void> {
  socket.bind(port)
  await once(socket, 'listening')
}

function answerTcp(name: string): (socket: Socket) => void {
  return socket => {
    const source = endText(socket.remoteAddress ?? '', socket.remotePort ?? 0)
    const text = greeting({ name, port: socket.localPort ?? 0, source })
    let received = ''
    socket.setEncoding('latin1')
    socket.on('error', () => socket.destroy())
    socket.on('data', chunk => {
      received += chunk
      received = received.startsWith('GET ') ? answerHttp(socket, text, received) : echoLines(socket, text, received)
    })
  }
}

/** One request, one answer; returns what is left unread. */
function answerHttp(socket: Socket, text: string, received: string): string {
  if (!received.includes('\r\n\r\n')) return received
  socket.write(
    `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${text.length}\r\nConnection: close\r\n\r\n${text}`,
  )
  return ''
}

/** Each line is answered by the greeting: a connection that is held can be asked who is at its other end. */
function echoLines(socket: Socket, text: string, received: string): string {
  const lines = received.split('\n')
  for (const _ of lines.slice(1)) socket.write(text)
  return lines.at(-1) ?? ''
}

function answerUdp(name: string, port: number): DatagramSocket {
  const socket = createSocket({ type: 'udp6', ipv6Only: false })
  socket.on('message', (_, remote) => {
    socket.send(greeting({ name, port, source: endText(remote.address, remote.port) }), remote.port, remote.address)
  })
  return socket
}
