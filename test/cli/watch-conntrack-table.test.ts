// A table of connections that fills up is said once, and once more when it has room again.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { pino } from 'pino'
import { watchConntrackTable } from '../../src/cli/watch-conntrack-table.ts'
import { isUnderPressure } from '../../src/sync/conntrack-pressure.ts'
import { createSyncEmitter } from '../../src/sync/events.ts'

describe('the table of connections', () => {
  const rows = [
    { count: 94, max: 100, before: false, pressed: false },
    { count: 95, max: 100, before: false, pressed: true },
    { count: 94, max: 100, before: true, pressed: true },
    { count: 79, max: 100, before: true, pressed: false },
    { count: 0, max: 0, before: false, pressed: false },
  ]
  for (const { count, max, before, pressed } of rows) {
    it(`is ${pressed ? '' : 'not '}under pressure with ${count} of ${max}${before ? ' where it was before' : ''}`, () => {
      assert.equal(isUnderPressure({ count, max }, before), pressed)
    })
  }

  it('is spoken of when that changes, not at every check; a kernel without the parameters is none', async () => {
    const lines: string[] = []
    const log = pino({ level: 'info' }, { write: (line: string) => lines.push(JSON.parse(line).msg) })
    let count: string | undefined
    const read = async (name: string): Promise<string | undefined> => (name.endsWith('max') ? '1000' : count)
    const events = createSyncEmitter()
    watchConntrackTable({ events, sysctl: { read, write: async () => {} }, log })
    for (const now of [undefined, '10', '990', '1000', '900', '100', '100']) {
      count = now
      events.emit('checked', { family: 'IPv4', extent: 'base', drifts: 0, milliseconds: 1 })
      await turn()
      await turn()
    }
    assert.equal(lines.length, 2, lines.join('\n'))
    assert.match(
      lines[0] ?? '',
      /holds 990 of at most 1000; new connections are dropped when it is full: raise conntrack.maxPerCore/,
    )
    assert.match(lines[1] ?? '', /has room again: 100 of 1000/)
  })
})
