// /switchyard/v1/trace as a function: what is asked in a query, what comes back, and what it says where it cannot answer.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { TraceObject } from '../../src/explain/trace-object.ts'
import { traceHandler } from '../../src/server/trace-handler.ts'
import type { Unread } from '../../src/source/source.ts'
import { inspection } from '../../src/sync/inspect.ts'
import { endpoint, put, service, slice } from '../support/cluster.ts'
import { createHarness } from '../sync/support/harness.ts'

async function setUp() {
  const harness = createHarness()
  await harness.programmed(put(service()), put(slice({ endpoints: [endpoint('10.244.1.11')] })))
  const found = await harness.sync.inspect(harness.input, inspection)
  assert.ok(found !== undefined)
  const options = {
    inspections: async () => [found],
    cluster: () => harness.store,
    unread: (): readonly Unread[] => [],
    parameters: async () => ({ values: new Map<string, string>(), wrong: [] }),
    hasRoute: async () => true,
    now: () => Date.parse('2026-08-02T12:00:00Z'),
  }
  const ask = (query: Readonly<Record<string, string>>, other: Partial<typeof options> = {}) =>
    traceHandler({ ...options, ...other })({
      path: '/switchyard/v1/trace',
      query: new URLSearchParams(query),
      accept: undefined,
    } as never)
  return { ask }
}

describe('the trace of a daemon', () => {
  it('answers with the object that the command prints', async () => {
    const { ask } = await setUp()
    const { status, contentType, body } = await ask({ from: 'outside', to: 'svc/web' })
    assert.deepEqual([status, contentType], [200, 'application/json'])
    const { kind, time, verdict, candidates } = JSON.parse(body) as TraceObject
    assert.deepEqual([kind, time, verdict], ['Trace', '2026-08-02T12:00:00.000Z', 'endpoints'])
    assert.equal(candidates[0]?.endpoint, '10.244.1.11:8080')
  })

  const refusals: readonly (readonly [query: Readonly<Record<string, string>>, words: RegExp])[] = [
    [{}, /ask with \?from=FROM&to=TO/],
    [{ from: 'node' }, /ask with \?from=FROM&to=TO/],
    [{ from: 'node', to: 'svc/web', family: 'ipx' }, /family is IPv4 or IPv6, not "ipx"/],
    [{ from: 'node', to: 'svc/nothing' }, /there is no Service nothing/],
    [{ from: 'node', to: 'svc/wbe' }, /there is no Service wbe; did you mean svc\/default\/web\?/],
    [{ from: 'node', to: 'svc/web', familiy: 'IPv6' }, /there is no parameter "familiy"; expected from, to, family/],
    [{ from: 'node', to: 'x'.repeat(1000) }, /longer than any name/],
  ]
  it('refuses what it cannot understand, as text', async () => {
    const { ask } = await setUp()
    for (const [query, words] of refusals) {
      const { status, contentType, body } = await ask(query)
      assert.deepEqual([status, contentType], [400, 'text/plain; charset=utf-8'])
      assert.match(body, words)
    }
  })

  it('says of a Service that cannot be read that it cannot, and why', async () => {
    const { ask } = await setUp()
    const [where, problem] = ['/m/api.yaml: Service default/api', 'spec.ports is missing']
    const unread = () => [{ id: 'Service default/api' as const, where, problem, kept: false }]
    const file = () => [{ id: undefined, where: '/m/b.yaml', problem: 'is not UTF-8 text', kept: false }]
    for (const to of ['svc/api', 'svc/default/api'])
      assert.equal((await ask({ from: 'node', to }, { unread })).body, `${where} cannot be read: ${problem}\n`)
    assert.match((await ask({ from: 'node', to: 'svc/other' }, { unread })).body, /^there is no Service other$/m)
    const { body } = await ask({ from: 'node', to: 'svc/other' }, { unread: file })
    assert.equal(body, 'there is no Service other; but /m/b.yaml cannot be read, and it may be there: is not UTF-8 text\n')
  })

  it('says when it cannot answer now', async () => {
    const { ask } = await setUp()
    const query = { from: 'node', to: 'svc/web' }
    assert.equal((await ask(query, { inspections: async () => [] })).status, 503)
    const failed = await ask(query, { inspections: () => Promise.reject(new Error('iptables-save: not found')) })
    assert.equal(failed.status, 503)
    assert.match(failed.body, /the kernel cannot be read: iptables-save: not found/)
    assert.equal((await ask(query, { cluster: (() => undefined) as never })).status, 503)
  })
})
