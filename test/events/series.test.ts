import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Note } from '../../src/events/note.ts'
import { forgottenAfterMs, SeriesBook, updateEveryMs } from '../../src/events/series.ts'
import { TokenBucket } from '../../src/events/token-bucket.ts'

const note = (text: string): Note => ({
  regarding: { kind: 'Node', name: 'node1' },
  type: 'Warning',
  reason: 'SyncFailed',
  action: 'Program',
  note: text,
})

/** Observes and says whether it is new. */
function observe(book: SeriesBook, text: string, now: number) {
  return book.observe(note(text), { name: `e.${now}`, now })
}

describe('what is said again', () => {
  it('is new once, then counts', () => {
    const book = new SeriesBook()
    const series = observe(book, 'a', 0)
    assert.equal(series?.count, 1)
    assert.equal(observe(book, 'a', 1000), undefined)
    assert.equal(observe(book, 'a', 2000), undefined)
    assert.deepEqual([series.count, series.lastObserved], [3, 2000])
    assert.ok(observe(book, 'b', 2000) !== undefined)
  })

  it('is brought up to date once a minute, after it was created', () => {
    const book = new SeriesBook()
    const series = observe(book, 'a', 0)
    assert.ok(series !== undefined)
    observe(book, 'a', 1000)
    assert.deepEqual(book.due(updateEveryMs), [], 'not created yet')
    book.sent(series, { count: 1, now: 5000 })
    assert.deepEqual(book.due(5000 + updateEveryMs - 1), [])
    assert.deepEqual(book.due(5000 + updateEveryMs), [series])
    book.sent(series, { count: 2, now: 5000 + updateEveryMs })
    assert.deepEqual(book.due(5000 + 3 * updateEveryMs), [], 'nothing new to say')
  })

  it('is a new Event after a long pause', () => {
    const book = new SeriesBook()
    observe(book, 'a', 0)
    assert.equal(observe(book, 'a', forgottenAfterMs - 1), undefined)
    assert.equal(observe(book, 'a', 2 * forgottenAfterMs - 2), undefined, 'the pause is since the last time')
    assert.ok(observe(book, 'a', 3 * forgottenAfterMs) !== undefined)
  })

  it('is forgotten when it is over and said, not before', () => {
    const book = new SeriesBook()
    const series = observe(book, 'a', 0)
    assert.ok(series !== undefined)
    book.sent(series, { count: 1, now: 0 })
    observe(book, 'a', 1000)
    assert.deepEqual(book.due(10 * forgottenAfterMs), [series], 'a count that was not sent yet')
    book.sent(series, { count: 2, now: 10 * forgottenAfterMs })
    assert.equal(book.size, 1)
    book.due(10 * forgottenAfterMs)
    assert.equal(book.size, 0)
  })

  it('is new again where its Event could not be created', () => {
    const book = new SeriesBook()
    const series = observe(book, 'a', 0)
    assert.ok(series !== undefined)
    book.forget(series)
    const again = observe(book, 'a', 1)
    assert.ok(again !== undefined)
    book.forget(series)
    assert.equal(observe(book, 'a', 2), undefined, 'forgetting the old one does not touch the new one')
  })

  it('is remembered for a bounded number of things: the one that was silent longest goes', () => {
    const book = new SeriesBook()
    for (let index = 0; index < 500; index++) observe(book, `note ${index}`, index)
    observe(book, 'note 0', 600)
    observe(book, 'one more', 601)
    assert.equal(book.size, 500)
    assert.equal(observe(book, 'note 0', 602), undefined)
    assert.ok(observe(book, 'note 1', 603) !== undefined)
  })
})

describe('the rate limit', () => {
  it('lets a burst pass and then one at a time', () => {
    const bucket = new TokenBucket({ burst: 3, everyMs: 1000 })
    const passed = (now: number, attempts: number) =>
      Array.from({ length: attempts }, () => bucket.take(now)).filter(Boolean).length
    assert.equal(passed(0, 10), 3)
    assert.equal(passed(999, 5), 0)
    assert.equal(passed(1000, 5), 1)
    assert.equal(passed(3500, 5), 2)
    assert.equal(passed(4000, 5), 1, 'half a token was left')
    assert.equal(passed(1_000_000, 10), 3, 'never more than the burst')
  })
})
