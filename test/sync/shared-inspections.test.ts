// However many ask, the kernel is read at most once a second, and a failure is everybody's who shares it.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Inspection } from '../../src/sync/inspect.ts'
import { SharedInspections } from '../../src/sync/shared-inspections.ts'

function setUp() {
  const reads: PromiseWithResolvers<readonly Inspection[]>[] = []
  const time = { now: 0 }
  const shared = new SharedInspections({ now: () => time.now })
  shared.readBy(() => {
    const read = Promise.withResolvers<readonly Inspection[]>()
    reads.push(read)
    return read.promise
  })
  return { reads, time, shared }
}

/** What waits for a promise that is settled has run. */
const settled = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

describe('SharedInspections', () => {
  it('lets all who ask meanwhile share one read, however long it takes', async () => {
    const { reads, time, shared } = setUp()
    const first = shared.get()
    time.now = 5000
    const second = shared.get()
    assert.equal(reads.length, 1)
    reads[0]?.resolve([])
    assert.equal(await first, await second)
  })

  it('reads again a second after the last read ended, not before', async () => {
    const { reads, time, shared } = setUp()
    void shared.get()
    time.now = 100
    reads[0]?.resolve([])
    await settled()
    time.now = 1099
    void shared.get()
    assert.equal(reads.length, 1)
    time.now = 1100
    void shared.get()
    assert.equal(reads.length, 2)
  })

  it('takes a quarter of the time at most where a read takes long', async () => {
    const { reads, time, shared } = setUp()
    void shared.get()
    time.now = 5000
    reads[0]?.resolve([])
    await settled()
    time.now = 19_999
    void shared.get()
    assert.equal(reads.length, 1)
    time.now = 20_000
    void shared.get()
    assert.equal(reads.length, 2)
  })

  it('gives a failure to all who share it, and reads again later', async () => {
    const { reads, time, shared } = setUp()
    const asked = [shared.get(), shared.get()]
    reads[0]?.reject(new Error('no such program'))
    for (const each of asked) await assert.rejects(each, /no such program/)
    await assert.rejects(shared.get(), /no such program/)
    assert.equal(reads.length, 1)
    time.now = 1000
    void shared.get()
    assert.equal(reads.length, 2)
  })
})
