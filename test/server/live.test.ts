// Server-sent events: what comes when, how often, and for how many.
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { OpenResponse } from '../../src/server/http.ts'
import { LiveFeed, liveTiming, mostReaders } from '../../src/server/live.ts'
import { createSyncEmitter, type SyncEvents } from '../../src/sync/events.ts'
import { subscribe } from '../../src/sync/subscribe.ts'
import { recordLog, until } from './support.ts'

interface SetUp {
  readonly timing?: Partial<typeof liveTiming>
  readonly service?: (name: string) => string | undefined
}

function setUp(context: TestContext, { timing = {}, service = () => undefined }: SetUp = {}) {
  const errors: unknown[] = []
  let said = 0
  const feed = new LiveFeed({
    status: () => ({ kind: 'Status', number: ++said }),
    service,
    onError: error => errors.push(error),
    timing: { ...liveTiming, leastGapMs: 20, ...timing },
  })
  const events = createSyncEmitter()
  const end = subscribe<SyncEvents>(events, feed.listeners, recordLog())
  context.after(() => {
    end()
    feed.close()
    assert.deepEqual(errors, [])
  })
  const news = (): void => void events.emit('retired', { family: 'IPv4' })
  return { feed, news, said: () => said }
}

interface Reading {
  readonly texts: string[]
  /** Whether it takes what it is given. */
  takes: boolean
  ended: boolean
  readonly leave: () => void
}

async function read(feed: LiveFeed, service?: string): Promise<Reading> {
  const query = new URLSearchParams(service === undefined ? {} : { service })
  const answered = await feed.handler({ path: '/switchyard/v1/live', query, accept: undefined })
  assert.equal(answered.contentType, 'text/event-stream')
  const gone = new AbortController()
  const reading: Reading = { texts: [], takes: true, ended: false, leave: () => gone.abort() }
  const open: OpenResponse = {
    write: text => {
      if (reading.takes) reading.texts.push(text)
      return reading.takes
    },
    end: () => {
      reading.ended = true
      gone.abort()
    },
    gone: gone.signal,
  }
  answered.follow?.(open)
  return reading
}

const received = (reading: Reading, atLeast: number) =>
  until(() => (reading.texts.length >= atLeast ? reading.texts : undefined), `${atLeast} texts`)

describe('the live feed', () => {
  it('tells the status at once, and again when something changed', async context => {
    const { feed, news } = setUp(context)
    const reading = await read(feed)
    assert.deepEqual(await received(reading, 1), ['event: status\ndata: {"kind":"Status","number":1}\n\n'])
    news()
    assert.deepEqual((await received(reading, 2))[1], 'event: status\ndata: {"kind":"Status","number":2}\n\n')
  })

  it('gathers what changes within the gap: a storm costs one text a gap', async context => {
    const { feed, news, said } = setUp(context, { timing: { leastGapMs: 200 } })
    const reading = await read(feed)
    await received(reading, 1)
    const begin = performance.now()
    while (performance.now() - begin < 500) {
      for (let i = 0; i < 50; i += 1) news()
      await sleep(1)
    }
    const [times, most] = [said(), 2 + Math.floor((performance.now() - begin) / 200)]
    assert.ok(times <= most, `${times} texts, at most ${most}`)
    await received(reading, 2)
  })

  it('costs nothing while nobody looks', async context => {
    const { feed, news, said } = setUp(context)
    news()
    await sleep(50)
    assert.equal(said(), 0)
    const reading = await read(feed)
    await received(reading, 1)
    reading.leave()
    assert.equal(feed.readers, 0)
    const before = said()
    news()
    await sleep(50)
    assert.equal(said(), before)
  })

  it('beats while nothing happens', async context => {
    const { feed } = setUp(context, { timing: { heartbeatMs: 30 } })
    await received(await read(feed), 3)
  })

  it('tells a Service at once, then when it is another, and null where there is none', async context => {
    let detail: string | undefined = '{"time":"1","ports":[]}'
    const { feed, news } = setUp(context, { service: name => (name === 'default/web' ? detail : undefined) })
    const reading = await read(feed, 'default/web')
    const last = () => reading.texts.at(-1) ?? ''
    await received(reading, 1)
    assert.match(last(), /^event: status\n.*\n\nevent: service\ndata: \{"time":"1","ports":\[\]\}\n\n$/)
    detail = '{"time":"2","ports":[]}'
    news()
    await received(reading, 2)
    assert.doesNotMatch(last(), /event: service/, 'when it was said is no news')
    detail = '{"time":"3","ports":[1]}'
    news()
    await received(reading, 3)
    assert.match(last(), /event: service\ndata: \{"time":"3","ports":\[1\]\}/)
    detail = undefined
    news()
    await received(reading, 4)
    assert.doesNotMatch(last(), /event: service/, 'nothing is known')
    detail = 'null'
    news()
    await received(reading, 5)
    assert.match(last(), /event: service\ndata: null\n\n$/)
  })

  it('asks once for a Service that several look at', async context => {
    let asked = 0
    const service = () => `{"number":${++asked}}`
    const { feed } = setUp(context, { service })
    const readings = await Promise.all([1, 2, 3].map(() => read(feed, 'default/web')))
    for (const reading of readings) await received(reading, 1)
    assert.equal(asked, 1)
  })

  it('puts no line of its own into what it is told', async context => {
    const { feed } = setUp(context, { service: () => '{\n"a":\r1}\n' })
    assert.match((await received(await read(feed, 'a/b'), 1))[0] ?? '', /event: service\ndata: \{ "a": 1\} \n\n$/)
  })

  it('keeps nothing for who does not take it, and gives the newest later', async context => {
    const { feed, news, said } = setUp(context, { timing: { patienceMs: 600_000 } })
    const reading = await read(feed)
    await received(reading, 1)
    reading.takes = false
    news()
    await until(() => said() >= 4 || undefined, 'tries')
    reading.takes = true
    const [, second] = await received(reading, 2)
    assert.match(second ?? '', new RegExp(`"number":${said()}\\}`))
  })

  it('leaves who takes nothing for long', async context => {
    const { feed, news } = setUp(context, { timing: { patienceMs: 100 } })
    const reading = await read(feed)
    await received(reading, 1)
    reading.takes = false
    news()
    await until(() => reading.ended || undefined, 'an end')
    assert.equal(feed.readers, 0)
  })

  it('takes no more readers than it has places, and one again when a place is free', async context => {
    const { feed } = setUp(context)
    const readings = await Promise.all(Array.from({ length: mostReaders }, () => read(feed)))
    const request = { path: '/', query: new URLSearchParams(), accept: undefined }
    const refused = await feed.handler(request)
    assert.deepEqual([refused.status, refused.headers?.['retry-after'], refused.follow], [503, '10', undefined])
    readings[0]?.leave()
    assert.equal((await feed.handler(request)).status, 200)
  })

  it('ends all when it is closed', async context => {
    const { feed } = setUp(context)
    const reading = await read(feed)
    feed.close()
    assert.deepEqual([reading.ended, feed.readers], [true, 0])
  })
})
