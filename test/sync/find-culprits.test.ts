// The search for who is to blame, as far as it does not depend on a mode: that it ends.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CommandError } from '../../src/kernel/exec.ts'
import type { Step } from '../../src/kernel/plan.ts'
import type { ServiceKey } from '../../src/model/objects.ts'
import { ApplyError } from '../../src/sync/apply.ts'
import { findCulprits } from '../../src/sync/find-culprits.ts'

const web = 'default/web' as ServiceKey

describe('the search', () => {
  it('ends with the error where one that keeps what it has is named all the same', async () => {
    const step: Step = { why: 'a test', argv: ['ipvsadm', '-R'], input: [{ owner: web, lines: ['-D -t 10.96.0.7:80'] }] }
    const error = new ApplyError(
      step,
      new CommandError({ argv: step.argv, failure: 'failed', stderr: '', reason: 'no' }),
      '',
      web,
    )
    let trials = 0
    const apply = async () => {
      trials++
      throw error
    }
    await assert.rejects(findCulprits(error, { apply, runIdle: async () => {} }), error)
    assert.equal(trials, 2)
  })
})
