import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Failure, FailureKind } from '../../../src/source/kubernetes/failure.ts'
import {
  type Activity,
  firstState,
  nextState,
  type Outcome,
  type ReflectorState,
} from '../../../src/source/kubernetes/reflector-state.ts'
import { defaultTiming } from '../../../src/source/kubernetes/timing.ts'

const watching: ReflectorState = { ...firstState, version: '7', activity: { doing: 'watch', after: '7' } }
const listing: ReflectorState = { ...firstState, version: '7', activity: { doing: 'stream list', notOlderThan: '7' } }
const unstreamed: ReflectorState = { ...firstState, activity: { doing: 'list', notOlderThan: '0' }, streamRefusedAt: 0 }

function step(state: ReflectorState, outcome: Outcome, nowMs = 0): ReflectorState {
  return nextState(state, outcome, { nowMs, random: () => 0, timing: defaultTiming })
}

function failed(
  kind: FailureKind,
  more: {
    readonly version?: string
    readonly lastedMs?: number
    readonly messages?: number
    readonly retryAfterMs?: number
  } = {},
): Outcome {
  const { version, lastedMs = 5000, messages = 1, retryAfterMs } = more
  const failure: Failure = { kind, message: '', advice: '', retryAfterMs }
  return { outcome: 'failed', failure, version, lastedMs, messages }
}

function steps(state: ReflectorState, outcomes: readonly Outcome[]): ReflectorState {
  return outcomes.reduce((reached, outcome) => step(reached, outcome), state)
}

const waited: Outcome = { outcome: 'waited' }
const verified: Outcome = { outcome: 'verified' }
const reloaded: Outcome = { outcome: 'reloaded' }
const resume: Activity = { doing: 'watch', after: '9' }
const afterWait = (next: Activity & { readonly doing: 'verify' | 'list' | 'stream list' }): Activity => ({
  doing: 'wait',
  milliseconds: 800,
  next,
})

describe('a reflector that starts', () => {
  it('asks for everything as a stream, as of now', () => {
    assert.deepEqual(firstState.activity, { doing: 'stream list', notOlderThan: '' })
  })

  it('goes on watching where the streamed list ended', () => {
    assert.deepEqual(step(firstState, { outcome: 'read', version: '7' }), watching)
  })

  it('asks the same again after a wait where the server cannot be reached', () => {
    assert.deepEqual(step(firstState, failed('network')).activity, afterWait({ doing: 'stream list', notOlderThan: '' }))
  })

  it('lists at once, from whatever the server has at hand, where streaming is refused or not known', () => {
    for (const kind of ['stream refused', 'no end bookmark'] as const) {
      assert.deepEqual(step(firstState, failed(kind)).activity, { doing: 'list', notOlderThan: '0' })
    }
  })

  it('drops an optional field selector that the server does not know, once', () => {
    const dropped = step(firstState, failed('selector rejected'))
    assert.equal(dropped.withoutFieldSelector, true)
    assert.deepEqual(dropped.activity, firstState.activity)
    assert.equal(step(dropped, failed('selector rejected')).activity.doing, 'wait')
  })
})

describe('a watch that the server ends in order', () => {
  it('is resumed at once and without a list', () => {
    const closed: Outcome = { outcome: 'closed', version: '9', lastedMs: 400_000, events: 0 }
    assert.deepEqual(step({ ...watching, failures: 3 }, closed), { ...watching, version: '9', failures: 0, activity: resume })
  })

  it('is resumed at most once a second', () => {
    const closed: Outcome = { outcome: 'closed', version: '9', lastedMs: 100, events: 1 }
    assert.deepEqual(step(watching, closed).activity, { doing: 'wait', milliseconds: 900, next: resume })
  })
})

describe('a watch that fails', () => {
  const cures: Readonly<Record<FailureKind, Activity>> = {
    network: afterWait({ doing: 'verify', after: '9' }),
    'timed out': afterWait({ doing: 'verify', after: '9' }),
    'cut off': afterWait({ doing: 'verify', after: '9' }),
    silent: afterWait({ doing: 'verify', after: '9' }),
    'short watch': afterWait({ doing: 'verify', after: '9' }),
    'server error': afterWait({ doing: 'verify', after: '9' }),
    'too many requests': afterWait({ doing: 'verify', after: '9' }),
    forbidden: afterWait({ doing: 'verify', after: '9' }),
    'not found': afterWait({ doing: 'verify', after: '9' }),
    credentials: afterWait({ doing: 'verify', after: '9' }),
    'ended early': afterWait({ doing: 'verify', after: '9' }),
    unauthorized: { doing: 'reload credentials', next: { doing: 'verify', after: '9' } },
    certificate: { doing: 'reload credentials', next: { doing: 'verify', after: '9' } },
    expired: afterWait({ doing: 'stream list', notOlderThan: '9' }),
    malformed: afterWait({ doing: 'stream list', notOlderThan: '9' }),
    'too long': afterWait({ doing: 'stream list', notOlderThan: '9' }),
    handler: afterWait({ doing: 'stream list', notOlderThan: '9' }),
    rejected: afterWait({ doing: 'stream list', notOlderThan: '' }),
    'version too new': afterWait({ doing: 'stream list', notOlderThan: '' }),
    'history changed': afterWait({ doing: 'stream list', notOlderThan: '' }),
    'selector rejected': { doing: 'watch', after: '7' },
    'no end bookmark': afterWait({ doing: 'verify', after: '9' }),
    'stream refused': afterWait({ doing: 'verify', after: '9' }),
  }
  for (const [kind, activity] of Object.entries(cures) as [FailureKind, Activity][]) {
    it(`as "${kind}" goes on with ${JSON.stringify(activity)}`, () => {
      assert.deepEqual(step(watching, failed(kind, { version: '9' })).activity, activity)
    })
  }

  it('is resumed from the last version that was seen before it failed', () => {
    assert.equal(step(watching, failed('network', { version: '9' })).version, '9')
  })

  it('waits longer each time, until a stream has held for two minutes', () => {
    const thrice = steps(watching, [failed('network'), waited, failed('network'), waited, failed('network', { lastedMs: 0 })])
    assert.deepEqual(
      [thrice.failures, thrice.activity],
      [3, { doing: 'wait', milliseconds: 3200, next: { doing: 'verify', after: '7' } }],
    )
    assert.equal(steps(thrice, [waited, failed('network', { lastedMs: 119_999 })]).failures, 4)
    assert.equal(steps(thrice, [waited, failed('network', { lastedMs: 120_000 })]).failures, 1)
  })

  it('waits as long as the server says', () => {
    const { activity } = step(watching, failed('too many requests', { retryAfterMs: 9000 }))
    assert.deepEqual(activity, { doing: 'wait', milliseconds: 9000, next: { doing: 'verify', after: '7' } })
  })

  it('loads the credentials again once for each try, then waits', () => {
    const again = steps(watching, [failed('unauthorized'), reloaded])
    assert.deepEqual(again.activity, { doing: 'verify', after: '7' })
    const refused = step(again, failed('unauthorized'))
    assert.deepEqual(refused.activity, afterWait({ doing: 'verify', after: '7' }))
    assert.equal(steps(refused, [waited, failed('unauthorized')]).activity.doing, 'reload credentials')
  })

  it('waits where the credentials cannot be loaded', () => {
    assert.deepEqual(
      steps(watching, [failed('unauthorized'), failed('credentials')]).activity,
      afterWait({ doing: 'verify', after: '7' }),
    )
  })

  it('is resumed when the server turns out to have come as far, and replaced by a list as of now when it has not', () => {
    const verifying = steps(watching, [failed('network', { version: '9' }), waited])
    assert.deepEqual(verifying.activity, { doing: 'verify', after: '9' })
    assert.deepEqual(step(verifying, verified).activity, { doing: 'watch', after: '9' })
    assert.deepEqual(step(verifying, failed('version too new', { lastedMs: 0 })).activity, {
      doing: 'wait',
      milliseconds: 1600,
      next: { doing: 'stream list', notOlderThan: '' },
    })
    assert.deepEqual(steps(verifying, [failed('server error'), waited]).activity, verifying.activity)
  })

  it('is replaced by a list where it never says a word, since the server may have been set back to before our version', () => {
    const silentAfterEvents = step(watching, failed('silent', { version: '9', messages: 3 }))
    assert.deepEqual(silentAfterEvents.activity, afterWait({ doing: 'verify', after: '9' }))
    const silentAtAll = steps(silentAfterEvents, [waited, verified, failed('silent', { messages: 0, lastedMs: 180_000 })])
    assert.deepEqual(silentAtAll.activity, afterWait({ doing: 'stream list', notOlderThan: '9' }))
    assert.deepEqual(steps(silentAtAll, [waited, failed('version too new', { messages: 0 })]).activity, {
      doing: 'wait',
      milliseconds: 800,
      next: { doing: 'stream list', notOlderThan: '' },
    })
  })

  it('is replaced by a list where the server fails on it five times without a word', () => {
    const broken = failed('server error', { messages: 0 })
    const four = steps(watching, [broken, waited, broken, waited, broken, waited, broken])
    assert.equal('next' in four.activity && four.activity.next.doing, 'verify')
    const five = steps(four, [waited, broken])
    assert.equal('next' in five.activity && five.activity.next.doing, 'stream list')
  })
})

describe('a list that fails', () => {
  it('as too old or too new is asked for as of now', () => {
    for (const kind of ['expired', 'version too new'] as const) {
      assert.deepEqual(step(listing, failed(kind)).activity, afterWait({ doing: 'stream list', notOlderThan: '' }))
    }
  })

  it('is asked for again as it was after anything that passes', () => {
    for (const kind of ['network', 'server error', 'ended early', 'cut off', 'too many requests'] as const) {
      assert.deepEqual(step(listing, failed(kind)).activity, afterWait({ doing: 'stream list', notOlderThan: '7' }))
      assert.deepEqual(step(unstreamed, failed(kind)).activity, afterWait({ doing: 'list', notOlderThan: '0' }))
    }
  })

  it('is not streamed again for an hour after the server refused that, then it is', () => {
    const refused = step(firstState, failed('stream refused'), 1000)
    const synced = step(refused, { outcome: 'read', version: '7' })
    assert.deepEqual(step(synced, failed('expired'), 3_600_999).activity, afterWait({ doing: 'list', notOlderThan: '7' }))
    assert.deepEqual(step(synced, failed('expired'), 3_601_000).activity, afterWait({ doing: 'stream list', notOlderThan: '7' }))
  })

  it('is asked for as of now where streaming it as of now was refused', () => {
    const afresh: ReflectorState = { ...listing, activity: { doing: 'stream list', notOlderThan: '' } }
    assert.deepEqual(step(afresh, failed('stream refused')).activity, { doing: 'list', notOlderThan: '' })
  })
})

describe('whatever happens', () => {
  it('no two failures follow each other without a wait, but for one change of the request or the credentials', () => {
    const kinds: readonly FailureKind[] = [
      'unauthorized',
      'certificate',
      'rejected',
      'no end bookmark',
      'selector rejected',
      'network',
    ]
    for (const state of [firstState, watching, listing, unstreamed]) {
      for (const first of kinds) {
        for (const second of kinds) {
          let reached = state
          let requests = 0
          for (const kind of [first, second, first, second, first, second]) {
            reached = step(reached, failed(kind, { messages: 0 }))
            if (reached.activity.doing === 'reload credentials') reached = step(reached, reloaded)
            if (reached.activity.doing === 'wait') break
            requests += 1
          }
          assert.ok(requests <= 3, `${state.activity.doing}: ${requests} requests for ${first}, ${second}`)
        }
      }
    }
  })
})
