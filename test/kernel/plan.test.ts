// A plan as a value: how much it is, and whose line a tool complains of.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { emptyPlan, idle, lineAt, lineCount, ownersOf, type Plan, type Step } from '../../src/kernel/plan.ts'
import type { ServiceKey } from '../../src/model/objects.ts'

const web = 'default/web' as ServiceKey
const api = 'default/api' as ServiceKey
const step: Step = {
  why: 'a test',
  argv: ['iptables-restore'],
  input: [
    { owner: undefined, lines: ['*nat'] },
    { owner: web, lines: [':A - [0:0]', '-A A -j B'] },
    { owner: api, lines: [] },
    { owner: api, lines: ['-A C -j D'] },
    { owner: undefined, lines: ['COMMIT'] },
  ],
}

describe('lineAt', () => {
  const rows: readonly (readonly [number: number, owner: ServiceKey | undefined, line: string])[] = [
    [1, undefined, '*nat'],
    [2, web, ':A - [0:0]'],
    [3, web, '-A A -j B'],
    [4, api, '-A C -j D'],
    [5, undefined, 'COMMIT'],
  ]
  for (const [number, owner, line] of rows) {
    it(`gives line ${number}, counted from 1 over all chunks`, () => assert.deepEqual(lineAt(step, number), { owner, line }))
  }
  for (const number of [0, -1, 6, 1000])
    it(`gives nothing for line ${number}`, () => assert.equal(lineAt(step, number), undefined))
})

describe('a plan', () => {
  const plan: Plan = { ...emptyPlan, steps: [step, step] }
  it('counts its lines over all steps', () => assert.equal(lineCount(plan), 10))
  it('is nothing where it has no steps', () => assert.equal(lineCount(emptyPlan), 0))
  it('knows everyone who has a line, and no one who has none', () => {
    assert.deepEqual(ownersOf(step), new Set([web, api]))
    assert.deepEqual(ownersOf({ ...step, input: [{ owner: undefined, lines: ['COMMIT'] }] }), new Set())
  })
  it('can be run with nothing to do, and then nothing is missing afterwards', () => {
    const readBack = { when: 'always', query: { argv: ['ipvsadm', '-Sn'] }, missing: () => [...step.input] } as const
    const { why, argv } = step
    const input = [{ owner: undefined, lines: ['*nat', 'COMMIT'] }]
    assert.deepEqual(idle({ ...step, idleInput: ['*nat', 'COMMIT'], readBack }), {
      why,
      argv,
      input,
      idleInput: ['*nat', 'COMMIT'],
    })
  })
  it('may be read again and again', () => {
    assert.equal(lineCount(plan), lineCount(plan))
    assert.deepEqual(lineAt(step, 3), lineAt(step, 3))
  })
})
