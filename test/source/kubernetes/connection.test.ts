// Requests that nobody answers, directly and through a proxy: each ends, by its own limit or its signal.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer as createHttpServer, type ServerResponse } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { type AddressInfo, connect, createServer as createTcpServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it, type TestContext } from 'node:test'
import { createConnections } from '../../../src/source/kubernetes/connection.ts'
import type { Access } from '../../../src/source/kubernetes/credentials.ts'
import { createAuthority, createServerCertificate, readCertificate } from '../../support/apiserver/certificates.ts'

const settings = { path: '/api', method: 'GET', headers: {}, body: undefined }
const never = new AbortController().signal

function access(server: string, more: Partial<Access> = {}): Access {
  return { server, headers: {}, tls: {}, proxyUrl: undefined, ...more }
}

function connectionsFor(context: TestContext) {
  const connections = createConnections()
  context.after(() => connections.destroy())
  return connections
}

/** Listens on a port of its own until the test is over, and cuts what is open then. */
async function listen(context: TestContext, server: Server): Promise<number> {
  const open = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    open.add(socket)
    socket.on('error', () => {})
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  context.after(() => {
    server.close()
    for (const socket of open) socket.destroy()
  })
  return (server.address() as AddressInfo).port
}

/** A proxy that makes the tunnel to `target`, or says that it did and leads nowhere. */
async function startProxy(context: TestContext, target: number | undefined) {
  const proxy = createHttpServer()
  const asked = once(proxy, 'connect')
  proxy.on('connect', (_request, socket) => {
    socket.on('error', () => {})
    socket.write('HTTP/1.1 200 Connection Established\r\n\r\n')
    if (target === undefined) return
    const through = connect(target, '127.0.0.1')
    through.on('error', () => socket.destroy())
    socket.on('close', () => through.destroy())
    through.pipe(socket).pipe(through)
  })
  return { url: `http://127.0.0.1:${await listen(context, proxy)}`, asked }
}

describe('a request through a proxy that leads nowhere', () => {
  it('ends with its signal', async context => {
    const proxy = await startProxy(context, undefined)
    const stop = new AbortController()
    const at = access('https://127.0.0.1:6443', { proxyUrl: proxy.url })
    const sent = connectionsFor(context).send(at, { ...settings, signal: stop.signal })
    await proxy.asked
    stop.abort(new Error('enough'))
    await assert.rejects(sent, { message: 'enough' })
  })

  it('ends by the limit for connections', async context => {
    const proxy = await startProxy(context, undefined)
    context.mock.timers.enable({ apis: ['setTimeout'] })
    const at = access('https://127.0.0.1:6443', { proxyUrl: proxy.url })
    const sent = connectionsFor(context).send(at, { ...settings, signal: never })
    await proxy.asked
    context.mock.timers.tick(9999)
    assert.equal(await Promise.race([sent.catch(() => 'ended'), new Promise(resolve => setImmediate(resolve, 'waits'))]), 'waits')
    context.mock.timers.tick(1)
    await assert.rejects(sent, { name: 'TooSlow', code: 'ETIMEDOUT', message: 'no connection within 10 s' })
  })
})

describe('a server that takes its time', () => {
  let folder: string
  let certificate: { readonly cert: Buffer; readonly key: Buffer }
  let ca: Buffer
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'connection-'))
    const authority = await createAuthority(folder, 'ca')
    ca = await readFile(authority.certificate)
    certificate = await readCertificate(await createServerCertificate(folder, 'server', authority))
  })
  after(() => rm(folder, { recursive: true }))

  for (const way of ['directly', 'through a proxy'] as const) {
    it(`is waited for as long as an API server may think, ${way}`, async context => {
      const server = createHttpsServer(certificate)
      const asked = once(server, 'request')
      const port = await listen(context, server)
      const { url } = await startProxy(context, port)
      const at = access(`https://127.0.0.1:${port}`, { tls: { ca }, proxyUrl: way === 'directly' ? undefined : url })
      context.mock.timers.enable({ apis: ['setTimeout'] })
      const sent = connectionsFor(context).send(at, { ...settings, signal: never })
      const [, response] = (await asked) as [unknown, ServerResponse]
      context.mock.timers.tick(60_000)
      response.end('{}')
      assert.equal((await sent).statusCode, 200)
    })
  }

  it('is given up by the limit for answers', async context => {
    const server = createHttpServer()
    const asked = once(server, 'request')
    const port = await listen(context, server)
    context.mock.timers.enable({ apis: ['setTimeout'] })
    const sent = connectionsFor(context).send(access(`http://127.0.0.1:${port}`), { ...settings, signal: never })
    await asked
    context.mock.timers.tick(65_000)
    await assert.rejects(sent, { name: 'TooSlow', message: 'no answer within 65 s' })
  })
})

describe('a request', () => {
  it('whose signal has aborted before is not answered', async context => {
    const port = await listen(
      context,
      createHttpServer((_, response) => response.end('{}')),
    )
    const sent = connectionsFor(context).send(access(`http://127.0.0.1:${port}`), {
      ...settings,
      signal: AbortSignal.abort(new Error('enough')),
    })
    await assert.rejects(sent)
  })

  it('that is answered by a change of protocol fails', async context => {
    const odd = createTcpServer(socket =>
      socket.once('data', () => socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n')),
    )
    const port = await listen(context, odd)
    const sent = connectionsFor(context).send(access(`http://127.0.0.1:${port}`), { ...settings, signal: never })
    await assert.rejects(sent, { message: 'the connection was closed without an answer' })
  })
})
