// Hundreds of thousands of random changes with faults of every kind in between: at the end the state is the server's and
// memory is what it was. The server runs in a process of its own, so that the memory seen here is the follower's.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Fault } from '../../support/apiserver/index.ts'
import { seededRandom } from '../../support/apiserver/random.ts'
import { type RemoteApiServer, spawnApiServer } from '../../support/apiserver/remote.ts'
import { type Follower, follow, speed } from './support/follow.ts'
import { until } from './support/until.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** As many as a machine manages in the time, up to this. */
const mostChanges = 200_000
const longestMs = 45_000
const warmUpChanges = 20_000
const changesAtOnce = 500
/**
 * Bytes. What is compiled for faults that come late is there only afterwards: 2 MiB, or less than nothing, by what the compile cache had. Whatever
 * is kept of each change, a closure or an entry of a map, is more than the rest.
 */
const mostForCode = 3 * 1024 * 1024
const mostForChange = 8
/** Another run of chance: SOAK_SEED=7. */
const seed = Number(process.env['SOAK_SEED'] ?? 2026)
const random = seededRandom(seed)

const faults: readonly Fault[] = [
  { fault: 'status', status: 500, times: 4 },
  { fault: 'status', status: 429, retryAfterSeconds: 1, times: 4 },
  { fault: 'reset mid-line' },
  { fault: 'malformed' },
  { fault: 'half-open', resource: 'services' },
  { fault: 'gone', as: 'event' },
  { fault: 'gone', as: 'status' },
  { fault: 'restart', history: 'kept' },
  { fault: 'restart', history: 'forgotten' },
  // So far back that the new history cannot overtake the old one before anybody has noticed.
  { fault: 'restart', history: 'restored', changes: 8000 },
  { fault: 'rotate certificate', authority: 'same' },
  { fault: 'rotate certificate', authority: 'new' },
  { fault: 'expire token' },
  { fault: 'close watches' },
  { fault: 'short watches', times: 3 },
  { fault: 'refuse sendInitialEvents' },
]

describe('a follower', () => {
  it(`after up to ${mostChanges} random changes and random faults knows what the server knows, in the memory that it had`, async context => {
    const server = await spawnApiServer({ tokens: ['secret'], bookmarkEveryMs: 200, historyLimit: 20_000 })
    context.after(() => server.close())
    const timing = { silentMs: 1000 * speed }
    const follower = await follow(context, { credentials: { kubeconfig: server.kubeconfig }, keep: false, timing })
    let received = 0
    follower.source.events.on('received', () => {
      received += 1
    })
    let changes = 0
    let faulted = 0
    await churn(warmUpChanges)
    const before = await memoryInStep(follower, server)
    const end = performance.now() + longestMs
    while (changes < mostChanges && performance.now() < end) {
      await churn(changesAtOnce)
      const fault = random() < 0.25 ? faults[Math.floor(random() * faults.length)] : undefined
      if (fault !== undefined) {
        faulted += 1
        await server.send({ do: 'fault', fault })
      }
      if (random() < 0.2) await server.send({ do: 'mend' })
      // Most changes are to be seen as events, the others while nobody is connected. A history that was set back must not
      // overtake the old one unseen: nothing on the wire tells the two apart then.
      const waits = random() < 0.9 || fault?.fault === 'restart'
      if (waits)
        await until(
          () => isWell(follower),
          () => JSON.stringify(follower.source.status()),
        )
    }
    const after = await memoryInStep(follower, server)
    const requests = await server.send({ do: 'requests' })
    const failures = follower.source.status().flatMap(({ failuresByKind }) => Object.values(failuresByKind))
    context.diagnostic(
      `seed ${seed}: ${changes} changes, ${received} events, ${faulted} faults, ${failures.reduce((sum, count) => sum + count, 0)} failures, ${requests.length} requests, ` +
        `${follower.state.size} objects, heap ${mebibytes(before)} MiB before, ${mebibytes(after)} MiB after`,
    )
    assert.ok(changes > warmUpChanges && faulted > 0)
    const message = `${mebibytes(before)} MiB of heap became ${mebibytes(after)}, after ${changes} changes`
    assert.ok(after - before < mostForCode + mostForChange * changes, message)

    async function churn(count: number): Promise<void> {
      await server.send({ do: 'churn', seed: seed + changes, changes: count })
      changes += count
    }
  })
})

/** Everything is being watched, so far as the follower knows. */
function isWell({ source }: Follower): boolean {
  return source.status().every(({ doing, failuresInARow }) => doing === 'watch' && failuresInARow === 0)
}

/** Bytes of the heap when all is in step and nothing is left to collect. */
async function memoryInStep(follower: Follower, server: RemoteApiServer): Promise<number> {
  await server.send({ do: 'mend' })
  await comeInStep(follower, server)
  for (let times = 0; times < 3; times += 1) {
    collectGarbage()
    await new Promise(setImmediate)
  }
  return process.memoryUsage().heapUsed
}

async function comeInStep(follower: Follower, server: RemoteApiServer): Promise<void> {
  const plurals = ['services', 'endpointslices', 'nodes']
  const listed = await Promise.all(plurals.map(async plural => [plural, await server.send({ do: 'list', plural })] as const))
  const objects = new Map(listed)
  await follower.inStep({ list: plural => objects.get(plural) ?? [] })
}

function mebibytes(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(1)
}
