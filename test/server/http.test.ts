import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { type Handler, jsonResponse, type OpenResponse, openServer, routed, textResponse } from '../../src/server/http.ts'
import { ask, isListening, until } from './support.ts'

async function serve(context: TestContext, handler: Handler, onError: (error: unknown) => void = unexpected) {
  const server = await openServer({ at: { host: '127.0.0.1', port: 0 }, handler, onError })
  context.after(() => server.close())
  return server
}

function unexpected(error: unknown): void {
  assert.fail(String(error))
}

const hello: Handler = () => textResponse(200, 'hello', { 'x-extra': 'yes' })

describe('an HTTP server', () => {
  it('answers GET', async context => {
    const { port } = await serve(context, hello)
    const { status, headers, body } = await ask({ port })
    assert.deepEqual([status, body], [200, 'hello'])
    assert.equal(headers['content-type'], 'text/plain; charset=utf-8')
    assert.equal(headers['content-length'], '5')
    assert.equal(headers['x-content-type-options'], 'nosniff')
    assert.equal(headers['x-extra'], 'yes')
    assert.equal(headers.server, 'switchyard')
  })

  it('answers HEAD with the same headers and no body', async context => {
    const { port } = await serve(context, hello)
    const { status, headers, body } = await ask({ port, method: 'HEAD' })
    assert.deepEqual([status, headers['content-length'], body], [200, '5', ''])
  })

  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
    it(`refuses ${method}`, async context => {
      const { port } = await serve(context, () => assert.fail('the handler must not be asked'))
      const { status, headers } = await ask({ port, method })
      assert.deepEqual([status, headers.allow], [405, 'GET, HEAD'])
    })
  }

  it('gives the handler path, query and Accept', async context => {
    const { port } = await serve(context, ({ path, query, accept }) =>
      jsonResponse(200, JSON.stringify([path, query.get('a'), accept])),
    )
    const { headers, body } = await ask({ port, path: '/x/y?a=b%20c&d', headers: { accept: 'text/plain' } })
    assert.deepEqual([JSON.parse(body), headers['content-type']], [['/x/y', 'b c', 'text/plain'], 'application/json'])
  })

  it('keeps a response open, says when its reader is gone, and drops what a slow one does not take', async context => {
    const opened: OpenResponse[] = []
    const { port } = await serve(context, () => ({
      status: 200,
      contentType: 'text/event-stream',
      body: 'begin\n',
      follow: open => opened.push(open),
    }))
    assert.deepEqual((await ask({ port, method: 'HEAD' })).body, '')
    assert.equal(opened.length, 0)
    const socket = connect({ port, host: '127.0.0.1' })
    let text = ''
    socket.on('data', chunk => {
      text += chunk
    })
    socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await until(() => text.includes('begin') || undefined, 'the beginning')
    const [open] = opened
    assert.ok(open !== undefined)
    await until(() => open.write('more\n') || undefined, 'room')
    await until(() => text.includes('more') || undefined, 'more')
    socket.pause()
    const piece = 'x'.repeat(1_000_000)
    let taken = 0
    await until(() => {
      if (open.write(piece)) taken += 1
      else return true
      return undefined
    }, 'a full socket')
    for (let i = 0; i < 100; i += 1) assert.equal(open.write(piece), false)
    assert.ok(taken < 20, `${taken} MB fit into the kernel's buffers`)
    assert.equal(open.gone.aborted, false)
    socket.destroy()
    await until(() => open.gone.aborted || undefined, 'the end')
    assert.equal(open.write('x'), false)
  })

  it('tells the handler who asks', async context => {
    const { port } = await serve(context, ({ from }) => jsonResponse(200, JSON.stringify(from)))
    const headers = { host: 'a.example', origin: 'http://b.example', 'sec-fetch-site': 'cross-site' }
    const { body } = await ask({ port, headers })
    const ends = { localAddress: '127.0.0.1', remoteAddress: '127.0.0.1' }
    assert.deepEqual(JSON.parse(body), { ...ends, host: 'a.example', origin: 'http://b.example', fetchSite: 'cross-site' })
  })

  it('names IPv4 by its own address where the socket is one for both families', async context => {
    const handler: Handler = ({ from }) => textResponse(200, `${from?.localAddress} ${from?.remoteAddress}`)
    const server = await openServer({ at: { host: undefined, port: 0 }, handler, onError: unexpected })
    context.after(() => server.close())
    assert.equal((await ask({ port: server.port })).body, '127.0.0.1 127.0.0.1')
    assert.equal((await ask({ port: server.port, host: '::1' })).body, '::1 ::1')
  })

  it('finds handlers by exact path and names them where there is none', async context => {
    const { port } = await serve(context, routed({ '/a': hello, '/b': hello }))
    assert.equal((await ask({ port, path: '/a?x' })).status, 200)
    for (const path of ['/', '/a/', '/c', '/__proto__']) {
      const { status, body } = await ask({ port, path })
      assert.deepEqual([status, body], [404, `there is no ${path} here; there is /a, /b\n`])
    }
  })

  it('does not take what every object has for a path', async () => {
    for (const path of ['constructor', '__proto__', 'toString']) {
      const { status } = await routed({ '/a': hello })({ path, query: new URLSearchParams(), accept: undefined })
      assert.equal(status, 404, path)
    }
  })

  it('answers 500 where a handler throws, and goes on', async context => {
    const errors: unknown[] = []
    const { port } = await serve(
      context,
      ({ path }) => {
        if (path === '/bad') throw new Error('broken')
        return textResponse(200, 'fine')
      },
      error => errors.push(error),
    )
    assert.equal((await ask({ port, path: '/bad' })).status, 500)
    assert.equal((await ask({ port })).status, 200)
    assert.deepEqual(errors.map(String), ['Error: broken'])
  })

  it('survives what is not HTTP', async context => {
    const { port } = await serve(context, hello)
    const answer = await new Promise<string>(resolve => {
      const socket = connect({ port, host: '127.0.0.1' })
      let text = ''
      socket.on('data', chunk => {
        text += chunk.toString('latin1')
      })
      socket.on('close', () => resolve(text))
      socket.write('\0\x01 nonsense\r\n\r\n')
    })
    assert.match(answer, /^HTTP\/1\.1 400 /)
    assert.equal((await ask({ port })).status, 200)
  })

  it('frees its port when it is closed, whoever is connected', async context => {
    const { port, close } = await serve(context, hello)
    const socket = connect({ port, host: '127.0.0.1' })
    await new Promise(resolve => socket.once('connect', resolve))
    const ended = new Promise(resolve => socket.once('close', resolve))
    socket.on('error', () => {})
    socket.resume()
    await close()
    await ended
    assert.equal(await isListening(port), false)
  })

  it('listens on both families where no host is named', async context => {
    const server = await openServer({ at: { host: undefined, port: 0 }, handler: hello, onError: unexpected })
    context.after(() => server.close())
    assert.equal((await ask({ port: server.port, host: '127.0.0.1' })).status, 200)
    assert.equal((await ask({ port: server.port, host: '::1' })).status, 200)
  })

  it('listens on IPv6 alone where told to', async context => {
    const server = await openServer({ at: { host: '::', port: 0, ipv6Only: true }, handler: hello, onError: unexpected })
    context.after(() => server.close())
    assert.equal((await ask({ port: server.port, host: '::1' })).status, 200)
    assert.equal(await isListening(server.port, '127.0.0.1'), false)
  })
})
