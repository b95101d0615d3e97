// Each way in which an API server or the network misbehaves, once: while it lasts and after it no change is lost, no change is
// made up, the state becomes the server's, and the server is not flooded. The reflector lives on a clock that is a hundred
// times as fast, so minutes of waiting take a second; bounds are those of its own clock and are counted from what it decided
// to wait, not from how long the machine took.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { FailureKind } from '../../../src/source/kubernetes/failure.ts'
import type { ReflectorTiming } from '../../../src/source/kubernetes/timing.ts'
import { type Fault, startApiServer } from '../../support/apiserver/index.ts'
import { change, cluster } from './support/cluster.ts'
import { type Follower, follow, speed } from './support/follow.ts'
import { until } from './support/until.ts'

interface Row {
  readonly title: string
  /** In this order. A refusal meets open watches only when they have to be opened again. */
  readonly faults: readonly Fault[]
  /** How the fault must have been seen, by at least one of the three watches. */
  readonly seenAs: readonly FailureKind[]
  /** How often everything is read again, over all three watches; 0 where watches are resumed. */
  readonly readsAgain: { readonly least: number; readonly most: number }
  /** The most requests from the fault until everything is as on the server. */
  readonly mostRequests: number
  /** The most that one watch chose to wait, in milliseconds of its clock. */
  readonly mostWaitMs: number
  /** Whether the fault lasts until it is lifted. */
  readonly lasts?: true
  /** Changes that the server itself takes back. */
  readonly changesUndone?: number
  /** Default true. */
  readonly tls?: false
  readonly timing?: Partial<ReflectorTiming>
}

const resumed = { least: 0, most: 0 }
/** For each watch one failure, one wait, one request whether the server has come as far as we have, one for the watch. */
const once = { mostRequests: 6, mostWaitMs: 1600 }

/** Three seconds of the wall's clock, with a bookmark due five times as often. */
const noticesSilence = { silentMs: 3000 * speed }
const closeWatches: Fault = { fault: 'close watches' }

const rows: readonly Row[] = [
  {
    title: 'answers 500 three times',
    faults: [{ fault: 'status', status: 500, times: 3 }, closeWatches],
    seenAs: ['server error'],
    readsAgain: resumed,
    mostRequests: 9,
    mostWaitMs: 11_200,
  },
  {
    title: 'answers 503 for a while',
    faults: [{ fault: 'status', status: 503 }, closeWatches],
    lasts: true,
    seenAs: ['server error'],
    readsAgain: { least: 0, most: 3 },
    mostRequests: 24,
    mostWaitMs: 240_000,
  },
  {
    title: 'answers 429 with Retry-After',
    faults: [{ fault: 'status', status: 429, retryAfterSeconds: 20, times: 3 }, closeWatches],
    seenAs: ['too many requests'],
    readsAgain: resumed,
    mostRequests: 9,
    mostWaitMs: 63_000,
  },
  {
    title: 'cuts a TLS connection in the middle of a line',
    faults: [{ fault: 'reset mid-line', resource: 'services' }],
    seenAs: ['network'],
    readsAgain: resumed,
    mostRequests: 2,
    mostWaitMs: 1600,
  },
  {
    title: 'resets a connection in the middle of a line',
    tls: false,
    faults: [{ fault: 'reset mid-line', resource: 'services' }],
    seenAs: ['network'],
    readsAgain: resumed,
    mostRequests: 2,
    mostWaitMs: 1600,
  },
  {
    title: 'sends a line that is no JSON',
    faults: [{ fault: 'malformed', resource: 'services' }],
    seenAs: ['malformed'],
    readsAgain: { least: 1, most: 1 },
    mostRequests: 1,
    mostWaitMs: 1600,
  },
  {
    title: 'sends nothing any more on an open watch',
    faults: [{ fault: 'half-open' }],
    timing: noticesSilence,
    seenAs: ['silent'],
    readsAgain: resumed,
    ...once,
  },
  {
    title: 'says in the stream that the version is gone',
    faults: [{ fault: 'gone', as: 'event' }],
    seenAs: ['expired'],
    readsAgain: { least: 3, most: 3 },
    ...once,
  },
  {
    title: 'answers 410 to a watch that is resumed',
    faults: [{ fault: 'gone', as: 'status' }],
    seenAs: ['network', 'expired'],
    readsAgain: { least: 3, most: 3 },
    mostRequests: 9,
    mostWaitMs: 4800,
  },
  {
    title: 'is slow',
    faults: [{ fault: 'slow', milliseconds: 50 }, closeWatches],
    lasts: true,
    seenAs: [],
    readsAgain: resumed,
    mostRequests: 3,
    mostWaitMs: 0,
  },
  {
    title: 'restarts',
    faults: [{ fault: 'restart', history: 'kept', downMilliseconds: 100 }],
    seenAs: ['network'],
    readsAgain: resumed,
    mostRequests: 6,
    mostWaitMs: 60_000,
  },
  {
    title: 'restarts and has forgotten old versions',
    faults: [{ fault: 'restart', history: 'forgotten' }],
    seenAs: ['network', 'expired'],
    readsAgain: { least: 3, most: 3 },
    mostRequests: 9,
    mostWaitMs: 12_000,
  },
  {
    title: 'comes back from a backup with another history',
    faults: [{ fault: 'restart', history: 'restored', changes: 40 }],
    seenAs: ['network', 'version too new'],
    readsAgain: { least: 3, most: 3 },
    mostRequests: 6,
    mostWaitMs: 12_000,
    changesUndone: 40,
  },
  {
    title: 'shows another certificate of the same authority',
    faults: [{ fault: 'rotate certificate', authority: 'same' }],
    seenAs: ['network'],
    readsAgain: resumed,
    mostRequests: 6,
    mostWaitMs: 60_000,
  },
  {
    title: 'shows a certificate of a new authority',
    faults: [{ fault: 'rotate certificate', authority: 'new' }],
    seenAs: ['network'],
    readsAgain: resumed,
    mostRequests: 6,
    mostWaitMs: 60_000,
  },
  {
    title: 'does not take the token any more',
    faults: [{ fault: 'expire token' }],
    seenAs: ['network'],
    readsAgain: resumed,
    ...once,
  },
  {
    title: 'ends its watches in order',
    faults: [closeWatches],
    seenAs: [],
    readsAgain: resumed,
    mostRequests: 3,
    mostWaitMs: 0,
  },
  {
    title: 'ends watches as soon as they are opened',
    faults: [
      { fault: 'short watches', times: 6 },
      { fault: 'restart', history: 'kept' },
    ],
    // A minute of the wall's clock counts as short, so that a slow machine decides nothing.
    timing: { shortWatchMs: 60_000 * speed },
    seenAs: ['network', 'short watch'],
    readsAgain: resumed,
    mostRequests: 18,
    mostWaitMs: 30_000,
  },
]

/** What `change` called twice amounts to. */
const changesMade = 2 * 8

describe('while an API server misbehaves', () => {
  for (const row of rows) {
    it(`and ${row.title}, no change is lost and the server is not flooded`, async context => {
      const server = await startApiServer({
        objects: cluster(),
        tokens: ['secret'],
        tls: row.tls ?? true,
        bookmarkEveryMs: 60_000 / speed,
      })
      context.after(() => server.close())
      const follower = await follow(context, { credentials: { kubeconfig: server.kubeconfig }, timing: row.timing ?? {} })
      await follower.inStep(server)
      const before = {
        requests: server.requests.length,
        synced: follower.heard('synced').length,
        changes: follower.changes.length,
        updates: follower.updates.length,
      }
      assert.equal(before.requests, 3)

      for (const fault of row.faults) await server.fault(fault)
      change(server)
      if (row.lasts)
        await until(
          () => row.seenAs.length === 0 || follower.heard('failed').length >= 12,
          () => `${follower.heard('failed').length} failures`,
        )
      change(server)
      if (row.lasts) server.mend()
      await follower.inStep(server)

      const failures = follower.heard('failed')
      for (const kind of row.seenAs) {
        assert.ok(
          failures.some(({ failure }) => failure.kind === kind),
          `"${kind}" among ${failures.map(({ failure }) => failure.kind)}`,
        )
      }
      const readsAgain = follower.heard('synced').length - before.synced
      assert.ok(readsAgain >= row.readsAgain.least && readsAgain <= row.readsAgain.most, `${readsAgain} complete reads`)
      assert.ok(
        server.requests.every(({ verb }) => verb === 'list' || verb === 'watch'),
        'no right is needed but list and watch',
      )
      const requests = server.requests.length - before.requests
      assert.ok(
        requests <= row.mostRequests,
        `${requests} requests: ${failures.map(({ resource, failure }) => `${resource} ${failure.message}`).join('\n')}`,
      )
      for (const resource of ['services', 'endpointslices', 'nodes']) {
        const waited = waitOf(follower, resource)
        assert.ok(waited <= row.mostWaitMs, `${resource} waited ${waited} ms`)
      }
      const told = follower.changes.length - before.changes
      // A watch that is resumed tells each change; a complete read may join some, but makes none up.
      if (row.readsAgain.most === 0) assert.equal(told, changesMade)
      else assert.ok(told <= changesMade + (row.changesUndone ?? 0), `${told} changes are told`)
      assert.ok(
        follower.updates.slice(before.updates).every(({ complete }) => complete),
        'what was complete stays so',
      )
    })
  }
})

/** How long a watch of this resource chose to wait, in milliseconds of its clock. */
function waitOf(follower: Follower, resource: string): number {
  const waits = follower.heard('failed').filter(event => event.resource === resource)
  return waits.reduce((sum, { next }) => sum + (next.doing === 'wait' ? next.milliseconds : 0), 0)
}
