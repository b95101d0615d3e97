import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { describe, it } from 'node:test'
import { subscribe } from '../../src/sync/subscribe.ts'
import { recordLog } from '../server/support.ts'

interface Moments {
  began: [{ readonly at: number }]
  ended: [{ readonly at: number }]
}

describe('listening to moments', () => {
  it('gives each listener its moments, until it is ended', () => {
    const emitter = new EventEmitter<Moments>()
    const heard: string[] = []
    const log = recordLog()
    const end = subscribe<Moments>(
      emitter,
      { began: ({ at }) => heard.push(`began ${at}`), ended: ({ at }) => heard.push(`ended ${at}`) },
      log,
    )
    emitter.emit('began', { at: 1 })
    emitter.emit('ended', { at: 2 })
    end()
    emitter.emit('began', { at: 3 })
    assert.deepEqual([heard, log.lines], [['began 1', 'ended 2'], []])
    assert.deepEqual(emitter.eventNames(), [])
  })

  it('says a listener’s mistake once, and spares whoever emits and all other listeners', () => {
    const emitter = new EventEmitter<Moments>()
    const heard: number[] = []
    const log = recordLog()
    const broken = (): void => {
      throw new TypeError('not a function')
    }
    subscribe<Moments>(emitter, { began: broken }, log)
    subscribe<Moments>(emitter, { began: ({ at }) => heard.push(at) }, log)
    emitter.emit('began', { at: 1 })
    emitter.emit('began', { at: 2 })
    assert.deepEqual(heard, [1, 2])
    assert.deepEqual(log.lines, [
      { level: 'error', message: 'a listener of began failed: not a function; this is a mistake in Switchyard, report it' },
    ])
  })
})
