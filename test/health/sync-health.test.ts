import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { SyncHealth } from '../../src/health/sync-health.ts'

const lateAfterMs = 60_000

/** What happens to a family, and when, in seconds. */
type Happening = readonly ['queued' | 'started' | 'synced' | 'failed', number]

interface Row {
  readonly about: string
  readonly happenings: readonly Happening[]
  readonly at: number
  readonly healthy: boolean
  readonly waitingSeconds: number | undefined
  readonly lastSynced: number | undefined
}

const rows: readonly Row[] = [
  { about: 'at the start', happenings: [], at: 1000, healthy: true, waitingSeconds: undefined, lastSynced: undefined },
  {
    about: 'a change that waits, but not for long',
    happenings: [['queued', 10]],
    at: 69.9,
    healthy: true,
    waitingSeconds: 59.9,
    lastSynced: undefined,
  },
  {
    about: 'a change that waits for twice the sync period',
    happenings: [['queued', 10]],
    at: 70,
    healthy: false,
    waitingSeconds: 60,
    lastSynced: undefined,
  },
  {
    about: 'further changes do not make the first one younger',
    happenings: [
      ['queued', 10],
      ['queued', 60],
    ],
    at: 70,
    healthy: false,
    waitingSeconds: 60,
    lastSynced: undefined,
  },
  {
    about: 'a change that was synced',
    happenings: [
      ['queued', 10],
      ['started', 11],
      ['synced', 12],
    ],
    at: 1000,
    healthy: true,
    waitingSeconds: undefined,
    lastSynced: 12,
  },
  {
    about: 'a pass that takes too long',
    happenings: [
      ['queued', 10],
      ['started', 11],
    ],
    at: 70,
    healthy: false,
    waitingSeconds: 60,
    lastSynced: undefined,
  },
  {
    about: 'a change that comes during a pass makes that pass no younger',
    happenings: [
      ['queued', 10],
      ['started', 11],
      ['queued', 30],
    ],
    at: 70,
    healthy: false,
    waitingSeconds: 60,
    lastSynced: undefined,
  },
  {
    about: 'a change that came during a pass waits for the next',
    happenings: [
      ['queued', 10],
      ['started', 11],
      ['queued', 12],
      ['synced', 13],
    ],
    at: 72,
    healthy: false,
    waitingSeconds: 60,
    lastSynced: 13,
  },
  {
    about: 'a change whose pass failed has been waiting since it was queued',
    happenings: [
      ['queued', 10],
      ['started', 11],
      ['queued', 30],
      ['failed', 31],
    ],
    at: 70,
    healthy: false,
    waitingSeconds: 60,
    lastSynced: undefined,
  },
  {
    about: 'a failure and then a success',
    happenings: [
      ['queued', 10],
      ['started', 11],
      ['failed', 12],
      ['started', 13],
      ['synced', 80],
    ],
    at: 81,
    healthy: true,
    waitingSeconds: undefined,
    lastSynced: 80,
  },
  {
    about: 'a look at the kernel that failed while nothing was under way',
    happenings: [
      ['queued', 10],
      ['started', 11],
      ['synced', 12],
      ['failed', 20],
    ],
    at: 1000,
    healthy: true,
    waitingSeconds: undefined,
    lastSynced: 12,
  },
  {
    about: 'a pass without anything queued',
    happenings: [
      ['started', 5],
      ['synced', 6],
    ],
    at: 1000,
    healthy: true,
    waitingSeconds: undefined,
    lastSynced: 6,
  },
]

function play(health: SyncHealth, happenings: readonly Happening[]): void {
  for (const [what, at] of happenings) {
    if (what === 'queued') health.queued('IPv4', at * 1000)
    if (what === 'started') health.passStarted('IPv4')
    if (what === 'synced') health.synced('IPv4', at * 1000)
    if (what === 'failed') health.failed('IPv4')
  }
}

describe('the health of a family', () => {
  for (const { about, happenings, at, healthy, waitingSeconds, lastSynced } of rows) {
    it(about, () => {
      const health = new SyncHealth(['IPv4'])
      play(health, happenings)
      const status = health.status({ now: at * 1000, lateAfterMs })
      const family = status.families.get('IPv4')
      assert.equal(family?.healthy, healthy)
      assert.equal(family.waitingMs, waitingSeconds === undefined ? undefined : waitingSeconds * 1000)
      assert.equal(family.lastSynced, lastSynced === undefined ? undefined : lastSynced * 1000)
      assert.equal(status.healthy, healthy)
    })
  }
})

describe('the health of the proxy', () => {
  it('is that of the worse family, and each family has its own', () => {
    const health = new SyncHealth(['IPv4', 'IPv6'])
    play(health, [['queued', 0]])
    health.queued('IPv6', 0)
    health.passStarted('IPv6')
    health.synced('IPv6', 1000)
    const { healthy, families } = health.status({ now: lateAfterMs, lateAfterMs })
    assert.equal(healthy, false)
    assert.deepEqual(
      [...families].map(([family, state]) => [family, state.healthy]),
      [
        ['IPv4', false],
        ['IPv6', true],
      ],
    )
  })

  it('knows nothing of a family that is not programmed', () => {
    const health = new SyncHealth(['IPv4'])
    health.queued('IPv6', 0)
    assert.deepEqual([...health.status({ now: 1e9, lateAfterMs }).families.keys()], ['IPv4'])
    assert.equal(health.status({ now: 1e9, lateAfterMs }).healthy, true)
  })
})
