// Events against the test API server, which checks them as a real one does.
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { Note } from '../../src/events/note.ts'
import { createPublisher, type PublisherTiming } from '../../src/events/publisher.ts'
import { updateEveryMs } from '../../src/events/series.ts'
import { createApiClient } from '../../src/source/kubernetes/client.ts'
import { loadCredentials } from '../../src/source/kubernetes/credentials.ts'
import { recordLog, until } from '../server/support.ts'
import { type ApiObject, startApiServer } from '../support/apiserver/index.ts'

const timing: PublisherTiming = { tickMs: 10, retryMs: 5, uselessAfterMs: 1_800_000, requestTimeoutMs: 5000 }

async function setUp(context: TestContext, changed: Partial<PublisherTiming> = {}) {
  const server = await startApiServer({ tls: false })
  context.after(() => server.close())
  const client = createApiClient({ credentials: await loadCredentials({ master: server.url }), userAgent: 'test' })
  context.after(() => client.close())
  const time = { ms: Date.parse('2026-08-02T12:00:00Z') }
  const log = recordLog()
  const outcomes: string[] = []
  const requests: string[] = []
  const publisher = createPublisher({
    client,
    nodeName: 'node1',
    clock: { now: () => time.ms, wall: () => time.ms },
    log,
    onOutcome: outcome => outcomes.push(outcome),
    onRequest: ({ method, status }) => requests.push(`${method} ${status}`),
    timing: { ...timing, ...changed },
  })
  context.after(() => publisher.close(0))
  const stored = (count: number): Promise<readonly ApiObject[]> =>
    until(() => {
      const events = server.list('events')
      return events.length >= count ? events : undefined
    }, `${count} Events`)
  /** Sent, and the answer is here. */
  const sent = (count: number): Promise<true> =>
    until(() => (outcomes.filter(outcome => outcome === 'sent').length >= count ? true : undefined), `${count} Events sent`)
  return { server, publisher, time, log, outcomes, requests, stored, sent }
}

function note(text: string, fields: Partial<Note> = {}): Note {
  const regarding = { kind: 'Service', namespace: 'shop', name: 'web', uid: 'u-1' } as const
  return { regarding, type: 'Warning', reason: 'ServiceQuarantined', action: 'Program', note: text, ...fields }
}

describe('the publisher of Events', () => {
  it('creates an Event that the API server takes', async context => {
    const { publisher, stored, outcomes, requests } = await setUp(context)
    publisher.publish(note('refused'))
    publisher.publish(note('started', { regarding: { kind: 'Node', name: 'node1' }, type: 'Normal', reason: 'Starting' }))
    const [started, quarantined] = await stored(2)
    assert.deepEqual([started?.['reason'], started?.metadata.namespace], ['Starting', 'default'])
    assert.deepEqual([quarantined?.['note'], quarantined?.metadata.namespace], ['refused', 'shop'])
    assert.match(quarantined?.metadata.name ?? '', /^web\.[0-9a-f]{16}$/)
    await until(() => (outcomes.length === 2 ? true : undefined), 'both outcomes')
    assert.deepEqual(outcomes, ['sent', 'sent'])
    assert.deepEqual(requests, ['POST 201', 'POST 201'])
  })

  it('counts what is said again, and tells once a minute', async context => {
    const { server, publisher, time, sent } = await setUp(context)
    publisher.publish(note('refused'))
    await sent(1)
    for (let times = 0; times < 9; times++) publisher.publish(note('refused'))
    time.ms += updateEveryMs
    const series = await until(() => server.list('events')[0]?.['series'], 'the series')
    assert.deepEqual(series, { count: 10, lastObservedTime: '2026-08-02T12:00:00.000000Z' })
    assert.equal(server.list('events').length, 1)
    assert.deepEqual(
      server.requests.map(({ verb }) => verb),
      ['create', 'patch'],
    )
  })

  it('tries again while the API server is in trouble, and says nothing of it', async context => {
    const { server, publisher, stored, log, requests } = await setUp(context)
    await server.fault({ fault: 'status', status: 503, resource: 'events', times: 2 })
    await server.fault({ fault: 'status', status: 429, resource: 'events', times: 1 })
    publisher.publish(note('refused'))
    await stored(1)
    await until(() => (requests.length === 4 ? true : undefined), 'four requests')
    assert.deepEqual(requests.sort(), ['POST 201', 'POST 429', 'POST 503', 'POST 503'])
    assert.deepEqual(log.lines, [])
  })

  it('keeps order and loses nothing while the API server is away', async context => {
    const { server, publisher, stored } = await setUp(context)
    const back = server.fault({ fault: 'restart', history: 'kept', downMilliseconds: 100 })
    for (const text of ['one', 'two', 'three']) publisher.publish(note(text))
    await back
    const events = await stored(3)
    const byCreation = [...events].sort((a, b) => Number(a.metadata.resourceVersion) - Number(b.metadata.resourceVersion))
    assert.deepEqual(
      byCreation.map(event => event['note']),
      ['one', 'two', 'three'],
    )
  })

  it('drops an Event that is not allowed, says so once, and goes on', async context => {
    const { server, publisher, stored, log, outcomes } = await setUp(context)
    await server.fault({ fault: 'forbid', resource: 'events' })
    publisher.publish(note('one'))
    publisher.publish(note('two'))
    await until(() => (outcomes.length === 2 ? true : undefined), 'both outcomes')
    assert.deepEqual(outcomes, ['dropped', 'dropped'])
    const warnings = log.lines.filter(({ level }) => level === 'warn').map(({ message }) => message)
    assert.equal(warnings.length, 1)
    assert.match(
      warnings[0] ?? '',
      /^an Event is not sent: cannot create events in namespace shop at http.*: 403 .*Allow create on events/,
    )
    server.mend()
    publisher.publish(note('one'))
    assert.equal((await stored(1))[0]?.['note'], 'one', 'what was dropped is new when it happens again')
  })

  it('gives up on what is of no use any more', async context => {
    const { server, publisher, time, outcomes } = await setUp(context)
    await server.fault({ fault: 'status', status: 503, resource: 'events' })
    publisher.publish(note('old'))
    await until(() => (server.requests.length > 0 ? true : undefined), 'a first try')
    time.ms += timing.uselessAfterMs + 1
    await until(() => outcomes[0], 'the outcome')
    assert.deepEqual(outcomes, ['dropped'])
  })

  it('limits how much it sends', async context => {
    const { publisher, time, outcomes, stored, server } = await setUp(context)
    for (let index = 0; index < 100; index++) publisher.publish(note(`note ${index}`))
    await stored(25)
    await until(() => (outcomes.length === 100 ? true : undefined), 'all outcomes')
    assert.equal(outcomes.filter(outcome => outcome === 'sent').length, 25)
    time.ms += 5000
    publisher.publish(note('one more'))
    publisher.publish(note('too many'))
    await stored(26)
    assert.equal(server.list('events').filter(event => event['note'] === 'one more').length, 1)
  })

  it('keeps a bounded number waiting while the API server does not answer', async context => {
    const { publisher, time, outcomes, server } = await setUp(context)
    await server.fault({ fault: 'status', status: 503, resource: 'events' })
    for (let index = 0; index < 1000; index++) {
      time.ms += 5000
      publisher.publish(note(`note ${index}`))
    }
    assert.equal(outcomes.length, 800)
    assert.ok(outcomes.every(outcome => outcome === 'dropped'))
  })

  it('ends at once, or after what waits was sent', async context => {
    const { publisher, server } = await setUp(context)
    publisher.publish(note('last words'))
    await publisher.close(10_000)
    assert.equal(server.list('events').length, 1)
    publisher.publish(note('too late'))
    const other = await setUp(context)
    await other.server.fault({ fault: 'status', status: 503, resource: 'events' })
    other.publisher.publish(note('never'))
    await other.publisher.close(0)
    assert.equal(server.list('events').length, 1)
    assert.equal(other.server.list('events').length, 0)
  })

  it('makes a new Event where the old one is gone at the server', async context => {
    const { server, publisher, time, stored, sent } = await setUp(context)
    publisher.publish(note('refused'))
    const [first] = await stored(1)
    await sent(1)
    assert.ok(first !== undefined)
    server.remove(first)
    publisher.publish(note('refused'))
    time.ms += updateEveryMs
    await until(
      () => (server.requests.some(({ verb, status }) => verb === 'patch' && status === 404) ? true : undefined),
      'the 404',
    )
    await until(() => {
      publisher.publish(note('refused'))
      return server.list('events')[0]
    }, 'the new Event')
    assert.notEqual(server.list('events')[0]?.metadata.name, first.metadata.name)
  })
})
