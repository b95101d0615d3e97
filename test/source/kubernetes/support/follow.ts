// A consumer of the source that keeps what it is told, as the sync loop does, and compares it with what the server has.
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { ClusterObject } from '../../../../src/model/objects.ts'
import { decodeObject } from '../../../../src/source/decode.ts'
import { type ApiClient, createApiClient } from '../../../../src/source/kubernetes/client.ts'
import type { Clock } from '../../../../src/source/kubernetes/clock.ts'
import { type CredentialOptions, loadCredentials } from '../../../../src/source/kubernetes/credentials.ts'
import { endpointSlices, ownNode, services } from '../../../../src/source/kubernetes/resources.ts'
import { createKubernetesSource, type KubernetesSource } from '../../../../src/source/kubernetes/source.ts'
import type { KubernetesSourceEvents } from '../../../../src/source/kubernetes/source-events.ts'
import { defaultTiming, type ReflectorTiming } from '../../../../src/source/kubernetes/timing.ts'
import type { ObjectChange, SourceProblem, SourceUpdate } from '../../../../src/source/source.ts'
import type { ApiServer } from '../../../support/apiserver/index.ts'
import { seededRandom } from '../../../support/apiserver/random.ts'
import { resourceNamed } from '../../../support/apiserver/resources.ts'
import { matcher } from '../../../support/apiserver/selectors.ts'
import { fastClock } from './clocks.ts'
import { until } from './until.ts'

export const nodeName = 'node-1'
/** How many times as fast as the wall clock a follower lives. */
export const speed = 100

/**
 * Limits on silence are a minute of the wall's clock, so that a slow machine never passes one; the tests of these limits set
 * them back.
 */
const patient = {
  silentMs: 60_000 * speed,
  listSilentMs: 60_000 * speed,
  initialSilentMs: 60_000 * speed,
  initialTotalMs: 120_000 * speed,
}

/** What `list` of a server gives, wherever the server runs. */
export type Listing = Pick<ApiServer, 'list'>

export interface Follower {
  readonly source: KubernetesSource
  readonly client: ApiClient
  /** What the updates so far add up to. */
  readonly state: ReadonlyMap<string, ClusterObject>
  readonly updates: readonly Pick<SourceUpdate, 'complete' | 'unreadable'>[]
  readonly changes: readonly ObjectChange[]
  readonly problems: readonly SourceProblem[]
  /** How often an event of this name was heard. */
  heard<Name extends keyof KubernetesSourceEvents>(name: Name): readonly KubernetesSourceEvents[Name][0][]
  /** Waits until services and slices are complete and everything is as the server has it. */
  inStep(server: Listing): Promise<void>
  /** What differs from the server, as text; empty where nothing does. */
  difference(server: Listing): string
  /** While paused, takes no update. */
  pause(): void
  resume(): void
  stop(): Promise<void>
}

export interface FollowOptions {
  readonly credentials: CredentialOptions
  readonly clock?: Clock
  readonly timing?: Partial<ReflectorTiming>
  /** Whether changes, updates and events are kept for the test to look at; without, memory stays that of the state. Default true. */
  readonly keep?: boolean
}

export async function follow(context: Pick<TestContext, 'after'>, options: FollowOptions): Promise<Follower> {
  const { clock = fastClock(speed), timing = {}, keep = true } = options
  const client = createApiClient({ credentials: await loadCredentials(options.credentials), userAgent: 'switchyard/test' })
  const problems: SourceProblem[] = []
  const source = createKubernetesSource({
    client,
    nodeName,
    report: problem => keep && problems.push(problem),
    clock,
    random: seededRandom(1),
    timing: { ...defaultTiming, ...patient, ...timing },
  })
  const controller = new AbortController()
  const state = new Map<string, ClusterObject>()
  const updates: Pick<SourceUpdate, 'complete' | 'unreadable'>[] = []
  const changes: ObjectChange[] = []
  const events = new Map<string, unknown[]>()
  let gate = Promise.withResolvers<void>()
  gate.resolve()
  for (const name of ['opened', 'synced', 'closed', 'failed', 'recovered', 'credentialsReloaded', 'paused', 'resumed'] as const) {
    if (keep) source.events.on(name, (event: unknown) => events.set(name, [...(events.get(name) ?? []), event]))
  }
  const running = consume()
  context.after(stop)

  return {
    source,
    client,
    state,
    updates,
    changes,
    problems,
    heard: name => (events.get(name) ?? []) as never,
    inStep: server =>
      until(
        () => updates.at(-1)?.complete === true && difference(server) === '',
        () => difference(server) || 'complete',
      ),
    difference,
    pause() {
      gate = Promise.withResolvers<void>()
    },
    resume: () => gate.resolve(),
    stop,
  }

  async function stop(): Promise<void> {
    controller.abort()
    gate.resolve()
    await running
    await client.close()
  }

  async function consume(): Promise<void> {
    for await (const update of source.updates(controller.signal)) {
      await gate.promise
      apply(update)
    }
  }

  function apply({ changes: made, complete, unreadable }: SourceUpdate): void {
    if (keep) updates.push({ complete, unreadable })
    else updates[0] = { complete, unreadable }
    for (const change of made) {
      if (keep) changes.push(change)
      assert.notEqual(change.object, state.get(change.id), `a change of ${change.id} that changes nothing`)
      if (change.object === undefined) state.delete(change.id)
      else state.set(change.id, change.object)
    }
  }

  function difference(server: Listing): string {
    const expected = expectedState(server)
    const wrong = [...new Set([...expected.keys(), ...state.keys()])].filter(id => !agrees(expected.get(id), state.get(id)))
    return wrong.length === 0 ? '' : `${wrong.length} objects differ: ${wrong.slice(0, 5).join(', ')}`
  }
}

/** An object, or only whose it is where it cannot be read: then any earlier version of it will do, or none. */
type Expected = ClusterObject | { readonly kind: 'unreadable'; readonly uid: string | undefined }

/** What a follower is to know, worked out without a reflector. */
function expectedState(server: Listing): ReadonlyMap<string, Expected> {
  const expected = new Map<string, Expected>()
  for (const resource of [services, endpointSlices, ownNode(nodeName)]) {
    const matches = matcher(resourceNamed(resource.plural), resource)
    for (const object of server.list(resource.plural).filter(matches)) {
      const decoded = decodeObject(object)
      if (decoded.outcome === 'decoded') expected.set(decoded.id, decoded.object)
      if (decoded.outcome === 'refused') expected.set(decoded.id ?? '', { kind: 'unreadable', uid: object.metadata.uid })
    }
  }
  return expected
}

function agrees(expected: Expected | undefined, known: ClusterObject | undefined): boolean {
  if (expected?.kind === 'unreadable') return known === undefined || known.uid === expected.uid
  return JSON.stringify(expected) === JSON.stringify(known)
}
