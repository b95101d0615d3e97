// Log lines of draining, of what a former mode left, and of remarks: once where once is enough.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { pino } from 'pino'
import { logSyncEvents } from '../../src/cli/log-events.ts'
import type { ServiceKey } from '../../src/model/objects.ts'
import { createSyncEmitter, type SyncEmitter } from '../../src/sync/events.ts'
import { node, settings } from '../support/cluster.ts'
import { drain } from '../support/drain.ts'

function setUp() {
  const lines: { readonly level: string; readonly msg: string }[] = []
  const log = pino(
    { level: 'debug', base: null, formatters: { level: label => ({ level: label }) } },
    { write: (line: string) => void lines.push(JSON.parse(line)) },
  )
  const events = createSyncEmitter()
  logSyncEvents(events, log)
  const said = (...levels: readonly string[]) => lines.filter(({ level }) => levels.includes(level)).map(({ msg }) => msg)
  return { events, lines, said }
}

const [one, other] = [drain(), drain({ realServer: '10.244.1.2:8080', until: Date.parse('2026-08-02T12:20:00Z') })]

describe('the log of draining', () => {
  it('says when it begins and when it is over, and single real servers for debugging alone', () => {
    const { events, said } = setUp()
    for (const drains of [[one, other], [one, other], [other], []])
      events.emit('draining', { family: 'IPv4', retiring: false, drains })
    assert.deepEqual(said('info', 'warn', 'error'), [
      'draining of IPv4 begins: 2 real servers keep their connections and get no new ones, until 2026-08-02T12:20:00.000Z at the latest',
      'draining of IPv4 is over',
    ])
    assert.deepEqual(said('debug'), [
      'drains from now on: -t 10.96.0.10:80 10.244.1.1:8080',
      'drains from now on: -t 10.96.0.10:80 10.244.1.2:8080',
      'drains no more: -t 10.96.0.10:80 10.244.1.1:8080',
      'drains no more: -t 10.96.0.10:80 10.244.1.2:8080',
    ])
  })

  it('tells what another mode left from what the mode itself has, and says nothing of nothing', () => {
    const { events, said } = setUp()
    for (const retiring of [false, true]) events.emit('draining', { family: 'IPv6', retiring, drains: [] })
    events.emit('draining', { family: 'IPv6', retiring: true, drains: [one] })
    events.emit('draining', { family: 'IPv6', retiring: true, drains: [] })
    events.emit('retired', { family: 'IPv6' })
    assert.deepEqual(
      said('debug', 'info').filter(line => !line.startsWith('drains')),
      [
        'draining of what ipvs mode left in IPv6 begins: 1 real server keeps its connections and gets no new ones, until 2026-08-02T12:15:00.000Z at the latest',
        'draining of what ipvs mode left in IPv6 is over',
        'nothing of ipvs mode is left in IPv6',
      ],
    )
  })

  it('says once that connections cannot be counted, and that they are again', () => {
    const { events, said } = setUp()
    const fail = () => events.emit('lookFailed', { family: 'IPv4', error: new Error('no such program') })
    events.emit('looked', { family: 'IPv4' })
    fail()
    fail()
    events.emit('looked', { family: 'IPv4' })
    events.emit('looked', { family: 'IPv4' })
    fail()
    assert.deepEqual(
      said('info', 'warn').map(line => line.replace(/;.*/, '')),
      [
        'connections that drain in IPv4 cannot be counted: no such program',
        'connections that drain in IPv4 are counted again',
        'connections that drain in IPv4 cannot be counted: no such program',
      ],
    )
  })

  it('says what could not be removed at once, and then more and more rarely', () => {
    const { events, said } = setUp()
    for (let failures = 1; failures <= 40; failures++)
      events.emit('retireFailed', { family: 'IPv4', error: new Error('busy'), failures })
    const errors = said('error')
    assert.deepEqual(
      errors.map(line => /left in IPv4 could not be read or removed(.*): busy/.exec(line)?.[1]),
      ['', ' 8 times in a row', ' 16 times in a row', ' 32 times in a row'],
    )
  })
})

describe('the log of remarks', () => {
  const web = 'default/web' as ServiceKey
  const pass = (events: SyncEmitter, message: string | undefined): void => {
    for (const family of ['IPv4', 'IPv6'] as const) {
      events.emit('passStarted', { family, scope: 'everything' })
      if (message !== undefined) events.emit('remarked', { family, service: web, reason: 'SchedulerUnavailable', message })
      const rules = { written: {}, total: () => ({}) }
      events.emit('programmed', {
        family,
        scope: 'everything',
        decisions: new Map(),
        quarantined: new Map(),
        node,
        settings,
        rules,
      })
    }
  }

  it('says each once, and again when it changed', () => {
    const { events, said } = setUp()
    for (const scheduler of ['x', 'x', 'y', undefined, 'y'])
      pass(events, scheduler && `asks for the IPVS scheduler "${scheduler}", which nobody knows; it gets rr`)
    assert.deepEqual(
      said('warn').map(line => line.replace(/,.*/, '')),
      ['x', 'y', 'y'].map(scheduler => `Service default/web asks for the IPVS scheduler "${scheduler}"`),
    )
  })
})
