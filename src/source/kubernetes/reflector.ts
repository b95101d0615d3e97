// Follows one resource for as long as it is told to: performs what the state machine says, tells it what came of it, and
// passes changes on. `createReflector` stores, `run` acts. Holds no rule of its own: those are in reflector-state.ts.
import type { ObjectChange } from '../source.ts'
import { type AttemptListener, type AttemptOptions, toFailure } from './attempt.ts'
import type { ApiClient } from './client.ts'
import { type Clock, sleep } from './clock.ts'
import type { Failure, FailureKind } from './failure.ts'
import type { Intake } from './intake.ts'
import { runList, runVerify } from './list-read.ts'
import type { ObjectIndex } from './object-index.ts'
import { firstState, nextState, type Outcome, pending, type ReflectorState } from './reflector-state.ts'
import type { FollowedResource } from './resources.ts'
import type { KubernetesSourceEvents, ReflectorStatus } from './source-events.ts'
import type { ReflectorTiming } from './timing.ts'
import type { WatchEvent } from './watch-event.ts'
import { runWatch } from './watch-stream.ts'

export interface ReflectorOptions {
  readonly resource: FollowedResource
  readonly client: ApiClient
  readonly index: ObjectIndex
  readonly sink: ChangeSink
  readonly emit: <Name extends keyof KubernetesSourceEvents>(name: Name, event: KubernetesSourceEvents[Name][0]) => void
  readonly clock: Clock
  readonly random: () => number
  readonly timing: ReflectorTiming
}

/** Where changes go. */
export interface ChangeSink {
  push(changes: readonly ObjectChange[]): void
  full(): boolean
  size(): number
  ready(signal: AbortSignal): Promise<void>
}

export interface Reflector {
  /** Resolves when the signal aborts and nothing of it is under way any more; never rejects. */
  run(signal: AbortSignal): Promise<void>
  status(): ReflectorStatus
}

export function createReflector(options: ReflectorOptions): Reflector {
  const { resource, client, index, sink, emit, clock, random, timing } = options
  const name = resource.plural
  let state: ReflectorState = firstState
  let running = false
  let startedReadingAt = 0
  let lastContactAt: number | undefined
  let failingSince: number | undefined
  let lastFailure: Failure | undefined
  let failuresInARow = 0
  let synced = false
  let pushedUnreadable = 0
  const failuresByKind: Partial<Record<FailureKind, number>> = {}
  const listener: AttemptListener = { opened, listed: intake => tookRead(intake, 'list'), took, ready }

  return { run, status }

  async function run(signal: AbortSignal): Promise<void> {
    running = true
    while (!signal.aborted) {
      const outcome = await perform(signal)
      if (!signal.aborted) advance(outcome)
    }
    running = false
  }

  function perform(signal: AbortSignal): Promise<Outcome> {
    const { activity } = state
    switch (activity.doing) {
      case 'wait':
        return sleep(clock, activity.milliseconds, signal).then(() => ({ outcome: 'waited' }))
      case 'reload credentials':
        return reload()
      case 'list':
        startedReadingAt = clock.now()
        return runList(activity, attempt(), signal)
      case 'verify':
        return runVerify(activity, attempt(), signal)
      case 'stream list':
      case 'watch':
        startedReadingAt = clock.now()
        return runWatch(activity, attempt(), signal)
    }
  }

  function attempt(): AttemptOptions {
    const query = { resource, withoutFieldSelector: state.withoutFieldSelector }
    return { client, query, index, clock, random, timing, version: state.version, listener }
  }

  async function reload(): Promise<Outcome> {
    try {
      await client.refreshCredentials()
      emit('credentialsReloaded', { resource: name })
      return { outcome: 'reloaded' }
    } catch (error) {
      return { outcome: 'failed', failure: toFailure(error, attempt()), version: state.version, lastedMs: 0, messages: 0 }
    }
  }

  function advance(outcome: Outcome): void {
    state = nextState(state, outcome, { nowMs: clock.now(), random, timing })
    if (outcome.outcome === 'closed') emit('closed', { resource: name, milliseconds: outcome.lastedMs, events: outcome.events })
    if (outcome.outcome === 'failed') noteFailure(outcome.failure)
  }

  function noteFailure(failure: Failure): void {
    failingSince ??= clock.now()
    failuresInARow += 1
    failuresByKind[failure.kind] = (failuresByKind[failure.kind] ?? 0) + 1
    lastFailure = failure
    emit('failed', { resource: name, failure, failures: failuresInARow, synced, next: state.activity })
  }

  function noteSuccess(): void {
    if (failingSince === undefined) return
    const milliseconds = clock.now() - failingSince
    failingSince = undefined
    failuresInARow = 0
    lastFailure = undefined
    emit('recovered', { resource: name, milliseconds })
  }

  function opened(): void {
    const request = pending(state)
    emit('opened', { resource: name, request })
    // A server that accepts our version follows us again; of a list that is known when it is complete.
    if (request.doing === 'watch') noteSuccess()
  }

  function took(event: WatchEvent, intake: Intake): void {
    lastContactAt = clock.now()
    if (intake.intake === 'read') {
      tookRead(intake, 'stream list')
      state = nextState(state, { outcome: 'read', version: intake.version }, { nowMs: clock.now(), random, timing })
    }
    if (intake.intake === 'applied') {
      if (event.type !== 'BOOKMARK' && event.type !== 'ERROR') emit('received', { resource: name, type: event.type })
      pushChanged(intake.changes)
    }
    if (intake.intake === 'bookmark') emit('bookmark', { resource: name, resourceVersion: intake.version })
  }

  function tookRead({ changes }: Intake & { readonly intake: 'read' }, by: 'stream list' | 'list'): void {
    lastContactAt = clock.now()
    synced = true
    pushedUnreadable = index.unreadable()
    sink.push(changes)
    noteSuccess()
    const milliseconds = clock.now() - startedReadingAt
    emit('synced', { resource: name, by, objects: index.size(), changes: changes.length, milliseconds })
  }

  /** An event that changes nothing for us wakes nobody, unless something became readable or unreadable by it. */
  function pushChanged(changes: readonly ObjectChange[]): void {
    const unreadable = index.unreadable()
    if (changes.length === 0 && unreadable === pushedUnreadable) return
    pushedUnreadable = unreadable
    sink.push(changes)
  }

  async function ready(signal: AbortSignal): Promise<void> {
    if (!sink.full()) return
    const since = clock.now()
    emit('paused', { resource: name, waiting: sink.size() })
    await sink.ready(signal)
    emit('resumed', { resource: name, milliseconds: clock.now() - since })
  }

  function status(): ReflectorStatus {
    return {
      resource: name,
      doing: running ? state.activity.doing : 'nothing',
      synced,
      lastContactAgeMs: lastContactAt === undefined ? undefined : clock.now() - lastContactAt,
      objects: index.size(),
      unreadable: index.unreadable(),
      failuresInARow,
      failuresByKind: { ...failuresByKind },
      lastFailure,
    }
  }
}
