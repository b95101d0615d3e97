import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createChangeQueue } from '../../../src/source/kubernetes/change-queue.ts'
import type { ObjectChange } from '../../../src/source/source.ts'

const change = (name: string): ObjectChange => ({ id: `Service default/${name}`, object: undefined })
const never = new AbortController().signal

describe('the queue of changes', () => {
  it('gives everything that waits at once, in order', async () => {
    const queue = createChangeQueue(10)
    queue.push([change('a'), change('b')])
    queue.push([change('c')])
    assert.deepEqual(await queue.take(never), [change('a'), change('b'), change('c')])
  })

  it('wakes a consumer that waits, also for no change at all', async () => {
    const queue = createChangeQueue(10)
    const taken = queue.take(never)
    queue.push([])
    assert.deepEqual(await taken, [])
  })

  it('lets nobody put more before the consumer took, once it is full', async () => {
    const queue = createChangeQueue(2)
    await queue.ready(never)
    queue.push([change('a'), change('b'), change('c')])
    assert.deepEqual([queue.full(), queue.size()], [true, 3])
    let passed = false
    const ready = queue.ready(never).then(() => {
      passed = true
    })
    await new Promise(setImmediate)
    assert.equal(passed, false)
    await queue.take(never)
    await ready
    assert.deepEqual([queue.full(), queue.size()], [false, 0])
  })

  it('takes a replacement of a large cluster in one piece', async () => {
    const queue = createChangeQueue(10)
    queue.push(Array.from({ length: 300_000 }, (_, index) => change(String(index))))
    assert.equal((await queue.take(never))?.length, 300_000)
  })

  it('lets go whoever waits when all is over', async () => {
    const controller = new AbortController()
    const queue = createChangeQueue(1)
    const taken = queue.take(controller.signal)
    controller.abort()
    assert.equal(await taken, undefined)
    queue.push([change('a')])
    await queue.ready(controller.signal)
    assert.equal(await queue.take(controller.signal), undefined)
  })
})
