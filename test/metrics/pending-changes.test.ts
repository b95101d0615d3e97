import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { PendingChanges } from '../../src/metrics/pending-changes.ts'
import { address, endpoint, gone, put, service, slice } from '../support/cluster.ts'

const startedAt = 1_000_000
const web = put(service())
const stamped = (time: number | undefined, name = 'web-abc') => put(slice({ name, lastChangeTriggerTime: time }))

function start(families: readonly ('IPv4' | 'IPv6')[] = ['IPv4']): PendingChanges {
  return new PendingChanges({ families, startedAt })
}

describe('changes that the kernel does not have yet', () => {
  it('are counted by object, however often it changed', () => {
    const pending = start()
    pending.changed([web, stamped(undefined), stamped(undefined, 'web-def')], 0)
    pending.changed([web, stamped(undefined)], 1)
    assert.deepEqual([pending.count('services'), pending.count('slices')], [1, 2])
  })

  it('stay until a pass that began after them succeeded', () => {
    const pending = start()
    pending.changed([web], 100)
    pending.passStarted('IPv4')
    pending.changed([stamped(undefined)], 200)
    assert.deepEqual([pending.count('services'), pending.count('slices'), pending.oldestMs('IPv4', 250)], [1, 1, 150])
    pending.synced('IPv4')
    assert.deepEqual([pending.count('services'), pending.count('slices'), pending.oldestMs('IPv4', 250)], [0, 1, 50])
    pending.passStarted('IPv4')
    pending.synced('IPv4')
    assert.deepEqual([pending.count('slices'), pending.oldestMs('IPv4', 1e9)], [0, 0])
  })

  it('have been waiting all the time where their pass failed', () => {
    const pending = start()
    pending.changed([web], 100)
    pending.passStarted('IPv4')
    pending.changed([web], 200)
    pending.failed('IPv4')
    assert.equal(pending.oldestMs('IPv4', 300), 200)
    pending.passStarted('IPv4')
    pending.failed('IPv4')
    assert.equal(pending.oldestMs('IPv4', 400), 300)
  })

  it('wait in each family for themselves', () => {
    const pending = start(['IPv4', 'IPv6'])
    pending.changed([web], 100)
    pending.passStarted('IPv4')
    pending.synced('IPv4')
    assert.deepEqual([pending.oldestMs('IPv4', 300), pending.oldestMs('IPv6', 300), pending.count('services')], [0, 200, 1])
  })

  it('are of Services and EndpointSlices only', () => {
    const pending = start()
    pending.changed([{ id: 'Node node1', object: undefined }], 0)
    assert.deepEqual([pending.count('services'), pending.count('slices'), pending.oldestMs('IPv4', 100)], [0, 0, 0])
  })

  it('are counted when they are deletions', () => {
    const pending = start()
    pending.changed([gone(service()), gone(slice())], 0)
    assert.deepEqual([pending.count('services'), pending.count('slices')], [1, 1])
  })
})

describe('what triggered a pass', () => {
  it('is what the slices that changed say, all of it', () => {
    const pending = start()
    pending.changed([stamped(startedAt + 1), stamped(startedAt + 2, 'web-def')], 0)
    pending.changed([stamped(startedAt + 3)], 0)
    pending.passStarted('IPv4')
    assert.deepEqual(
      pending.synced('IPv4').map(({ time }) => time - startedAt),
      [1, 2, 3],
    )
    assert.deepEqual(pending.synced('IPv4'), [], 'once')
  })

  it('is not older than the process, no deletion, and not of the other family', () => {
    const pending = start()
    const six = put(
      slice({ name: 'six', family: 'IPv6', lastChangeTriggerTime: startedAt + 9, endpoints: [endpoint('fd00::1')] }),
    )
    pending.changed([stamped(startedAt), stamped(startedAt - 5, 'old'), gone(slice()), stamped(undefined, 'unstamped'), six], 0)
    pending.passStarted('IPv4')
    assert.deepEqual(pending.synced('IPv4'), [])
    assert.equal(address('fd00::1'), 'fd00::1')
  })

  it('waits for the pass that succeeds', () => {
    const pending = start()
    pending.changed([stamped(startedAt + 1)], 0)
    pending.passStarted('IPv4')
    pending.failed('IPv4')
    pending.changed([stamped(startedAt + 2)], 0)
    pending.passStarted('IPv4')
    assert.deepEqual(
      pending.synced('IPv4').map(({ time }) => time - startedAt),
      [1, 2],
    )
  })

  it('is bounded, while nothing can be programmed for long', () => {
    const pending = start()
    const some = Array.from({ length: 1000 }, (_, index) => stamped(startedAt + 1 + index, `web-${index}`))
    for (let round = 0; round < 150; round++) {
      pending.changed(
        some.map(change => ({ ...change, id: `EndpointSlice default/${round}-${change.id}` as const })),
        0,
      )
    }
    assert.equal(pending.count('slices'), 100_000)
    pending.passStarted('IPv4')
    assert.equal(pending.synced('IPv4').length, 100_000)
  })
})
