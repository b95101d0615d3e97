// However many ask, the kernel is read at most once a second; no answer is older than its question; and a failure is everybody's who shares it.
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { Inspection } from '../../src/sync/inspect.ts'
import { SharedInspections } from '../../src/sync/shared-inspections.ts'
import { createFakeClock } from './support/fake-clock.ts'

function setUp(t: TestContext) {
  const clock = createFakeClock(t)
  const reads: PromiseWithResolvers<readonly Inspection[]>[] = []
  const shared = new SharedInspections({ now: clock.now })
  shared.readBy(() => {
    const read = Promise.withResolvers<readonly Inspection[]>()
    reads.push(read)
    return read.promise
  })
  return { reads, clock, shared }
}

describe('SharedInspections', () => {
  it('reads once for all who ask before it begins, and again for who asks later', async t => {
    const { reads, clock, shared } = setUp(t)
    const together = [shared.get(), shared.get()]
    await clock.advance(5000)
    const later = [shared.get(), shared.get()]
    await clock.advance(100)
    assert.equal(reads.length, 1)
    const [first, second] = [[], []]
    reads[0]?.resolve(first)
    for (const each of together) assert.equal(await each, first)
    await clock.advance(60_000)
    assert.equal(reads.length, 2)
    reads[1]?.resolve(second)
    for (const each of later) assert.equal(await each, second)
  })

  it('reads again a second after the last read ended, not before', async t => {
    const { reads, clock, shared } = setUp(t)
    void shared.get()
    await clock.advance(100)
    reads[0]?.resolve([])
    await clock.advance(500)
    void shared.get()
    await clock.advance(499)
    assert.equal(reads.length, 1)
    await clock.advance(1)
    assert.equal(reads.length, 2)
  })

  it('takes a quarter of the time at most where a read takes long', async t => {
    const { reads, clock, shared } = setUp(t)
    void shared.get()
    await clock.advance(5000)
    reads[0]?.resolve([])
    await clock.advance(0)
    void shared.get()
    await clock.advance(14_999)
    assert.equal(reads.length, 1)
    await clock.advance(1)
    assert.equal(reads.length, 2)
  })

  it('gives a failure to all who share it, and reads again for others', async t => {
    const { reads, clock, shared } = setUp(t)
    const asked = [shared.get(), shared.get()].map(each => assert.rejects(each, /no such program/))
    await clock.advance(0)
    reads[0]?.reject(new Error('no such program'))
    await Promise.all(asked)
    const again = shared.get()
    await clock.advance(1000)
    reads[1]?.resolve([])
    assert.deepEqual(await again, [])
  })
})
