// Each problem is said once, again when it reads otherwise, and once more when it is solved.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createProblemLog } from '../../../src/source/manifest/problem-log.ts'
import type { SourceProblem } from '../../../src/source/source.ts'

const problem = (severity: SourceProblem['severity'], text: string): SourceProblem => ({
  severity,
  where: 'here',
  problem: text,
  advice: 'Mend it.',
})

describe('the problem log', () => {
  it('says what is new, what changed and what is solved, and nothing else', () => {
    const said: string[] = []
    const log = createProblemLog(({ severity, problem: text }) => said.push(`${severity}: ${text}`))
    const expect = (problems: Record<string, SourceProblem>, lines: readonly string[]): void => {
      said.length = 0
      log.update(new Map(Object.entries(problems)))
      assert.deepEqual(said, lines)
    }
    const one = problem('error', 'one')
    const two = problem('warning', 'two')
    const three = problem('info', 'three')
    expect({ one }, ['error: one'])
    expect({ one, two, three }, ['warning: two', 'info: three'])
    expect({ one, two, three }, [])
    expect({ one: { ...one, problem: 'one, elsewhere' }, two, three }, ['error: one, elsewhere'])
    expect({ two }, ['info: solved: one, elsewhere'])
    expect({}, ['info: solved: two'])
    expect({ one }, ['error: one'])
  })
})
