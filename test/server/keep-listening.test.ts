import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { SocketAddress } from '../../src/config/socket-address.ts'
import { textResponse } from '../../src/server/http.ts'
import { keepListening } from '../../src/server/keep-listening.ts'
import { address } from '../support/cluster.ts'
import { ask, freePort, isListening, occupy, recordLog, until } from './support.ts'

function start(context: TestContext, bind: SocketAddress, { hardFail = false } = {}) {
  const log = recordLog()
  const failures: Error[] = []
  const failed = Promise.withResolvers<Error>()
  const attempts = { failed: 0 }
  const server = keepListening({
    name: 'health server',
    bind,
    handler: () => textResponse(200, 'here'),
    hardFail,
    onFailure: error => {
      failures.push(error)
      failed.resolve(error)
    },
    log,
    retryAfterMs: count => {
      attempts.failed = count
      return 20
    },
  })
  context.after(() => server.close())
  return { server, log, failures, failed: failed.promise, attempts }
}

const loopback = address('127.0.0.1')

describe('a server that is to listen', () => {
  it('listens, and says where', async context => {
    const port = await freePort()
    const { server, log } = start(context, { address: loopback, port })
    await until(() => server.port, 'the server')
    assert.equal((await ask({ port })).body, 'here')
    assert.deepEqual(log.lines, [{ level: 'info', message: `health server: listening on 127.0.0.1:${port}` }])
  })

  it('takes 0.0.0.0 for every address of both families, as Go does', async context => {
    const port = await freePort()
    const { server } = start(context, { address: address('0.0.0.0'), port })
    await until(() => server.port, 'the server')
    assert.equal((await ask({ port, host: '::1' })).body, 'here')
    assert.equal((await ask({ port, host: '127.0.0.1' })).body, 'here')
  })

  it('says once that its port is taken, and by how to find whom, and takes it when it is free', async context => {
    const other = await occupy(0, '127.0.0.1')
    const { server, log, failures, attempts } = start(context, { address: loopback, port: other.port })
    await until(() => (attempts.failed >= 3 ? true : undefined), 'a third attempt')
    assert.equal(server.port, undefined)
    assert.equal(failures.length, 1)
    await other.close()
    await until(() => server.port, 'the port')
    assert.equal((await ask({ port: other.port })).body, 'here')
    assert.deepEqual(log.lines, [
      {
        level: 'error',
        message:
          `health server: cannot listen on 127.0.0.1:${other.port}: another program has the port; ` +
          `\`ss -ltnp sport = :${other.port}\` shows which; tried again every few seconds; all else goes on`,
      },
      { level: 'info', message: `health server: listening on 127.0.0.1:${other.port} at last` },
    ])
  })

  it('names an address that this node does not have', async context => {
    const { failed } = start(context, { address: address('192.0.2.1'), port: 10_256 })
    const { message } = await failed
    assert.match(
      message,
      /^health server: cannot listen on 192\.0\.2\.1:10256: this node does not have the address; `ip address` shows/,
    )
  })

  it('gives up at once with bindAddressHardFail', async context => {
    const other = await occupy(0, '127.0.0.1')
    const { server, log, failed, attempts } = start(context, { address: loopback, port: other.port }, { hardFail: true })
    const { message } = await failed
    assert.match(message, /; the process ends \(bindAddressHardFail\)$/)
    await server.close()
    await other.close()
    assert.equal(attempts.failed, 0, 'no other attempt was planned')
    assert.deepEqual(log.lines, [], 'whoever ends the process says why')
  })

  it('frees its port when it is closed', async context => {
    const port = await freePort()
    const { server } = start(context, { address: loopback, port })
    await until(() => server.port, 'the server')
    await server.close()
    assert.equal(await isListening(port), false)
  })

  it('stops trying when it is closed', async context => {
    const other = await occupy(0, '127.0.0.1')
    context.mock.timers.enable({ apis: ['setTimeout'] })
    const { server, failed, log } = start(context, { address: loopback, port: other.port })
    await failed
    await server.close()
    await other.close()
    context.mock.timers.tick(3_600_000)
    // Were an attempt made, it would be under way now, and closing again would wait for it.
    await server.close()
    assert.deepEqual(
      log.lines.filter(({ level }) => level === 'info'),
      [],
      'it never listened',
    )
  })
})
