// Services, EndpointSlices and this node's Node from an API server, as one Source. Takes a client; gives updates in order,
// with what a slow consumer lets pile up joined into one. While the server is away nothing changes: what is known stays.
import type { EventEmitter } from 'node:events'
import { decodeObject } from '../decode.ts'
import type { ReportProblem, Source, SourceUpdate } from '../source.ts'
import { createChangeQueue } from './change-queue.ts'
import type { ApiClient } from './client.ts'
import { type Clock, systemClock } from './clock.ts'
import { createObjectIndex, type ObjectIndex } from './object-index.ts'
import { createReflector, type Reflector, type ReflectorOptions } from './reflector.ts'
import { reportFailures } from './reporting.ts'
import { endpointSlices, type FollowedResource, ownNode, services } from './resources.ts'
import { createKubernetesSourceEmitter, type KubernetesSourceEmitter, type ReflectorStatus } from './source-events.ts'
import { defaultTiming, type ReflectorTiming } from './timing.ts'

export interface KubernetesSource extends Source {
  /** Named moments, for logs and metrics. */
  readonly events: KubernetesSourceEmitter
  /** One for each resource, for health and status. */
  status(): readonly ReflectorStatus[]
}

export interface KubernetesSourceOptions {
  /** Stays the caller's: it is not closed. */
  readonly client: ApiClient
  readonly nodeName: string
  readonly report: ReportProblem
  readonly decode?: typeof decodeObject
  readonly clock?: Clock
  /** From 0 to below 1. */
  readonly random?: () => number
  readonly timing?: ReflectorTiming
}

/** Changes that may wait for the consumer before reading from the server stops. */
const mostWaiting = 4096

export function createKubernetesSource(options: KubernetesSourceOptions): KubernetesSource {
  const { client, nodeName, decode = decodeObject, clock = systemClock, random = Math.random, timing = defaultTiming } = options
  const events = createKubernetesSourceEmitter()
  const report = isolated(options.report)
  const queue = createChangeQueue(mostWaiting)
  reportFailures(events, report)
  const indexes: ObjectIndex[] = []
  const follow = (resource: FollowedResource) => {
    const index = createObjectIndex({ resource, decode, report })
    indexes.push(index)
    return createReflector({
      resource,
      client,
      index,
      sink: queue,
      emit: isolatedEmit(events, report),
      clock,
      random,
      timing,
    })
  }
  const needed = [follow(services), follow(endpointSlices)]
  const node = follow(ownNode(nodeName))
  const reflectors = [...needed, node]
  const status = () => reflectors.map(reflector => reflector.status())

  return {
    description: `the API server at ${client.server}`,
    events,
    status,
    updates: signal => updates(signal),
    unread: () => indexes.flatMap(index => index.unread()),
  }

  async function* updates(outer: AbortSignal): AsyncGenerator<SourceUpdate, void, undefined> {
    const controller = new AbortController()
    const stop = () => controller.abort()
    if (outer.aborted) stop()
    outer.addEventListener('abort', stop)
    const running = reflectors.map(reflector => reflector.run(controller.signal))
    // Zone, pod ranges and addresses come from the Node: without it the first pass would write what the second takes back.
    let nodeMayBeAbsent = false
    let cancelWait: (() => void) | undefined
    const waitForNode = (): void => {
      cancelWait ??= clock.schedule(timing.ownNodeMs, () => {
        nodeMayBeAbsent = true
        queue.push([])
      })
    }
    try {
      for (;;) {
        const changes = await queue.take(controller.signal)
        if (changes === undefined) return
        const synced = needed.every(isSynced)
        if (synced && !isSynced(node)) waitForNode()
        const complete = synced && (isSynced(node) || nodeMayBeAbsent)
        yield { changes, complete, unreadable: status().some(({ unreadable }) => unreadable > 0) }
      }
    } finally {
      cancelWait?.()
      stop()
      outer.removeEventListener('abort', stop)
      await Promise.all(running)
    }
  }
}

function isSynced(reflector: Reflector): boolean {
  return reflector.status().synced
}

/** A reporter that throws must not end a watch. There is nobody left to tell. */
function isolated(report: ReportProblem): ReportProblem {
  return problem => {
    try {
      report(problem)
    } catch {
      // The failure is the reporter's own.
    }
  }
}

function isolatedEmit(events: EventEmitter<never> | KubernetesSourceEmitter, report: ReportProblem): ReflectorOptions['emit'] {
  return (name, event) => {
    try {
      ;(events as EventEmitter).emit(name, event)
    } catch (error) {
      report({
        severity: 'error',
        where: `listener of ${name}`,
        problem: error instanceof Error ? error.message : String(error),
        advice: 'This is a mistake in Switchyard; report it.',
      })
    }
  }
}
