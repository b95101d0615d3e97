import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { createMetrics } from '../../src/metrics/metrics.ts'
import { recordDrains } from '../../src/metrics/record-drains.ts'
import type { IpFamily } from '../../src/model/address.ts'
import type { Drain } from '../../src/modes/mode.ts'
import { createSyncEmitter } from '../../src/sync/events.ts'
import { drain } from '../support/drain.ts'
import { scrape } from './support.ts'

function setUp(context: TestContext) {
  const events = createSyncEmitter()
  const metrics = createMetrics({ families: ['IPv4', 'IPv6'], resources: [] })
  const time = { ms: Date.parse('2026-08-02T12:01:00Z') }
  const mistakes: string[] = []
  const complain = (message: string): void => void mistakes.push(message)
  const log = { debug: complain, info: complain, warn: complain, error: complain }
  const end = recordDrains({ metrics, events, clock: { now: () => 0, wall: () => time.ms }, log })
  context.after(() => metrics.close())
  context.after(() => assert.deepEqual(mistakes, []))
  const tell = (drains: readonly Drain[], retiring = false, family: IpFamily = 'IPv4'): void =>
    void events.emit('draining', { family, retiring, drains })
  const value = async (series: string) => (await scrape(metrics)).value(`switchyard_${series}`)
  const ended = async () =>
    Promise.all(
      ['no connections', 'deadline', 'other'].map(reason => value(`drains_ended_total{ip_family="IPv4",reason="${reason}"}`)),
    )
  return { tell, value, ended, time, events, end }
}

describe('metrics of draining', () => {
  it('are there from the start, at 0', async context => {
    const { value, ended } = setUp(context)
    for (const family of ['IPv4', 'IPv6']) {
      assert.equal(await value(`draining_connections{ip_family="${family}"}`), 0)
      for (const retiring of ['false', 'true'])
        assert.equal(await value(`draining_real_servers{ip_family="${family}",retiring="${retiring}"}`), 0)
    }
    assert.deepEqual(await ended(), [0, 0, 0])
  })

  it('count real servers by what left them, and the connections of all', async context => {
    const { tell, value } = setUp(context)
    tell([drain({ connections: 3 }), drain({ realServer: '10.244.1.2:8080' })])
    tell([drain({ connections: 4 })], true)
    tell([drain({ connections: 50 })], false, 'IPv6')
    assert.equal(await value('draining_real_servers{ip_family="IPv4",retiring="false"}'), 2)
    assert.equal(await value('draining_real_servers{ip_family="IPv4",retiring="true"}'), 1)
    assert.equal(await value('draining_connections{ip_family="IPv4"}'), 7)
    tell([])
    assert.equal(await value('draining_real_servers{ip_family="IPv4",retiring="false"}'), 0)
    assert.equal(await value('draining_connections{ip_family="IPv4"}'), 4)
  })

  it('tell what ended a drain', async context => {
    const { tell, ended, time } = setUp(context)
    const [quiet, stuck, back] = [1, 2, 3].map(number => drain({ realServer: `10.244.1.${number}:8080`, connections: 2 }))
    assert.ok(quiet !== undefined && stuck !== undefined && back !== undefined)
    tell([quiet, stuck, back])
    tell([{ ...quiet, connections: 0 }, stuck, back])
    assert.deepEqual(await ended(), [0, 0, 0])
    tell([stuck, back])
    assert.deepEqual(await ended(), [1, 0, 0])
    tell([stuck])
    assert.deepEqual(await ended(), [1, 0, 1])
    time.ms = stuck.until
    tell([])
    assert.deepEqual(await ended(), [1, 1, 1])
  })

  it('stand still once it is ended', async context => {
    const { tell, value, events, end } = setUp(context)
    end()
    tell([drain()])
    assert.equal(await value('draining_real_servers{ip_family="IPv4",retiring="false"}'), 0)
    assert.deepEqual(events.eventNames(), [])
  })
})
