// What may have been meant: slips of the finger are seen through, another word is not.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { closest } from '../../src/model/suggest.ts'

describe('closest', () => {
  for (const [name, known, expected] of [
    ['stauts', ['run', 'status'], 'status'],
    // Neighbours exchanged are one slip, so a short word is found too.
    ['wbe', ['api', 'web'], 'web'],
    ['paln', ['plan', 'run'], 'plan'],
    ['plna', ['plan'], 'plan'],
    ['PLAN', ['plan'], 'plan'],
    ['we', ['web'], 'web'],
    ['webb', ['web'], 'web'],
    ['default/wbe', ['default/api', 'default/web'], 'default/web'],
    ['logs', ['plan', 'run'], undefined],
    ['abc', ['xyz'], undefined],
    ['', ['a'], undefined],
  ] as const) {
    it(`of ${JSON.stringify(name)} among ${known.join(', ')} is ${expected}`, () => assert.equal(closest(name, known), expected))
  }
})
