// When garbage is collected: after a reading of all rules, in a quiet moment, once.
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { giveMemoryBack } from '../../src/cli/give-memory-back.ts'
import { createSyncEmitter } from '../../src/sync/events.ts'

function setUp({ mock }: TestContext) {
  mock.timers.enable({ apis: ['setTimeout'] })
  const events = createSyncEmitter()
  const done: string[] = []
  giveMemoryBack(events, { collect: () => void done.push('collected'), setFlag: flag => void done.push(flag) })
  const checked = (extent: 'everything' | 'base', milliseconds = 1000): void =>
    void events.emit('checked', { family: 'IPv4', extent, drifts: 0, milliseconds })
  const queued = (): void => void events.emit('queued', { family: 'IPv4', scope: 'everything' })
  return { done, checked, queued, pass: (milliseconds: number) => mock.timers.tick(milliseconds) }
}

describe('memory', () => {
  it('is given back after a reading of all rules, and grows slower from the first time on', context => {
    const { done, checked, pass } = setUp(context)
    checked('base')
    pass(5000)
    assert.equal(done.length, 0)
    checked('everything')
    checked('everything')
    pass(5000)
    const flags = done.filter(each => each !== 'collected')
    assert.ok(flags.includes('--heap-growing-percent=20'))
    assert.deepEqual([...done], [...flags, 'collected'])
    checked('everything')
    pass(5000)
    assert.deepEqual(done.slice(flags.length + 1), ['collected'])
  })

  it('is given back once after a short reading, which leaves little', context => {
    const { done, checked, pass } = setUp(context)
    const collections = (): number => done.filter(each => each === 'collected').length
    checked('everything', 10)
    pass(5000)
    assert.equal(collections(), 1)
    checked('everything', 10)
    pass(5000)
    assert.equal(collections(), 1)
    checked('everything', 1000)
    pass(5000)
    assert.equal(collections(), 2)
  })

  it('is given back when no change has come for a while', context => {
    const { done, checked, queued, pass } = setUp(context)
    queued()
    pass(5000)
    checked('everything')
    for (let count = 0; count < 5; count++) {
      pass(900)
      queued()
    }
    assert.equal(done.length, 0)
    pass(1000)
    assert.equal(done.at(-1), 'collected')
  })
})
