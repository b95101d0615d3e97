// Who answers a question to the daemon, and what is said where it is not a Switchyard.
import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { askDaemon } from '../../src/cli/ask-daemon.ts'
import { flags, main } from '../../src/cli/status.ts'
import { parseFlagsOf } from '../../src/config/flag-parser.ts'
import { type Handler, jsonResponse, openServer, routed, textResponse } from '../../src/server/http.ts'
import { freePort } from '../server/support.ts'

async function serve(context: TestContext, handler: Handler): Promise<string> {
  const server = await openServer({ at: { host: '127.0.0.1', port: 0 }, handler, onError: error => assert.fail(String(error)) })
  context.after(() => server.close())
  return `127.0.0.1:${server.port}`
}

function ask(at: string, timeoutMs = 5000) {
  return askDaemon({ place: { 'metrics-bind-address': at }, path: '/switchyard/v1/status', kind: 'Status', timeoutMs })
}

async function problemAt(at: string, timeoutMs?: number): Promise<string> {
  const answer = await ask(at, timeoutMs)
  return 'problem' in answer ? answer.problem : assert.fail('it has a status')
}

describe('a question to the daemon', () => {
  it('is answered by a Switchyard', async context => {
    const status = { apiVersion: 'switchyard/v1', kind: 'Status', families: [] }
    const at = await serve(context, routed({ '/switchyard/v1/status': () => jsonResponse(200, JSON.stringify(status)) }))
    assert.deepEqual(await ask(at), { object: status })
  })

  it('is answered at a port that a browser would not ask', async context => {
    const status = { apiVersion: 'switchyard/v1', kind: 'Status', families: [] }
    const handler = routed({ '/switchyard/v1/status': () => jsonResponse(200, JSON.stringify(status)) })
    const server = await openServer({
      ...{ at: { host: '127.0.0.1', port: 10_080 }, handler },
      onError: error => assert.fail(String(error)),
    })
    context.after(() => server.close())
    assert.deepEqual(await ask('127.0.0.1:10080'), { object: status })
  })

  it('finds nobody', async () => {
    const at = `127.0.0.1:${await freePort()}`
    const expected = `nothing answers at ${at} (ECONNREFUSED); is switchyard running on this node (in its network namespace)?`
    assert.ok((await problemAt(at)).startsWith(expected))
  })

  it('finds someone else, or a Switchyard that has no status', async context => {
    const other = await serve(context, routed({}))
    assert.match(await problemAt(other), /^the Switchyard at .* is of another version/)
    const strange = await serve(context, () => ({ ...textResponse(200, 'ok') }))
    assert.equal(await problemAt(strange), `what answers at ${strange} is no Switchyard`)
    const list = await serve(context, () => jsonResponse(200, '{"apiVersion":"switchyard/v1","kind":"Other"}'))
    assert.equal(await problemAt(list), `what answers at ${list} is no Switchyard`)
  })

  it('hears from a Switchyard that there is no such thing, in its own words', async context => {
    const at = await serve(
      context,
      routed({ '/switchyard/v1/status': () => textResponse(404, 'there is no Service default/wbe\n') }),
    )
    assert.equal(await problemAt(at), 'there is no Service default/wbe')
  })

  it('does not wait for ever', async context => {
    const silent = createServer(() => {})
    await new Promise<void>(resolve => void silent.listen(0, '127.0.0.1', resolve))
    context.after(() => silent.close())
    const address = silent.address()
    assert.ok(typeof address === 'object' && address !== null)
    assert.match(await problemAt(`127.0.0.1:${address.port}`, 50), /takes connections and says nothing/)
  })
})

describe('the command line of status', () => {
  it('takes a pause as a word of its own', () => {
    for (const argv of [['-w', '5'], ['-w5'], ['--watch', '5'], ['--watch=5']])
      assert.deepEqual(parseFlagsOf(flags, [...argv, 'services']), {
        values: { watch: 5 },
        positionals: ['services'],
        errors: [],
      })
    assert.deepEqual(parseFlagsOf(flags, ['-w', 'services']), { values: { watch: 2 }, positionals: ['services'], errors: [] })
  })

  it('says which Service may have been meant', async context => {
    const services = ['default/web', 'shop/api'].map(service => ({ service }))
    const list = (found: readonly object[]) => ({ apiVersion: 'switchyard/v1', kind: 'ServiceList', unread: [], services: found })
    const at = await serve(context, ({ query }) => jsonResponse(200, JSON.stringify(list(query.has('name') ? [] : services))))
    const said: string[] = []
    context.mock.method(process.stderr, 'write', (text: string) => said.push(text) > 0)
    const status = await main(['services', 'wbe', '--metrics-bind-address', at])
    context.mock.restoreAll()
    assert.deepEqual([status, said], [1, ['switchyard: there is no Service wbe in any namespace; did you mean default/web?\n']])
  })

  for (const [title, argv, status] of [
    ['a flag that there is not', ['--bogus'], 64],
    ['an argument', ['endpoints'], 64],
    ['two names', ['services', 'web', 'other'], 64],
    ['a search without Services', ['--search', 'web'], 64],
    ['a search beside a name', ['services', 'web', '--search', 'b'], 64],
    ['a pause of nothing', ['--watch=0'], 64],
    ['a pause of nothing in a word of its own', ['-w', '0'], 64],
    ['another format', ['-o', 'yaml'], 64],
    ['no metrics port', ['--metrics-bind-address', ''], 1],
    ['a file that is not there', ['--config', '/no/such/file'], 64],
    ['help', ['--help'], 0],
  ] as const) {
    it(`knows ${title}`, async context => {
      context.mock.method(process.stdout, 'write', () => true)
      context.mock.method(process.stderr, 'write', () => true)
      const code = await main(argv)
      context.mock.restoreAll()
      assert.equal(code, status)
    })
  }
})
