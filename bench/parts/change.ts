// One change, from the API server's write until a client's connection shows it, beside the same lines fed by hand to the twin node, until
// a client there is shown it. Alone, or while other Services change all the time.
import { setTimeout as delay } from 'node:timers/promises'
import type { ApiObject } from '../../test/support/apiserver/resources.ts'
import { generator } from '../cluster.ts'
import type { MeasuredDaemon } from '../daemon.ts'
import type { Measurement } from '../figures.ts'
import { clock } from '../helper.ts'
import { type BenchService, objectsOf, podAddress, servicePort, sliceObjects } from '../objects.ts'
import type { Twin, World } from '../world.ts'
import { sizeAndBackend } from './cold.ts'

/** A change of the cluster, and what a client sees of it. */
interface Step {
  readonly put: readonly ApiObject[]
  readonly remove: readonly ApiObject[]
  readonly service: BenchService
  readonly until: string
}

interface Sample {
  readonly milliseconds: number
  readonly floorMs: number | undefined
  readonly lines: number
  readonly visited: number
  readonly passMs: number
  /** Of that, not in the tools. */
  readonly ownMs: number
}

export interface ChangeOptions {
  readonly world: World
  readonly twin: Twin | undefined
  readonly daemon: MeasuredDaemon
  readonly count: number
}

export async function measureChanges(options: ChangeOptions): Promise<readonly Measurement[]> {
  const { world, count } = options
  const replacements: Sample[] = []
  for (let index = 0; index < count; index++) replacements.push(await perform(replacePod(world, index), options))
  const removals: Sample[] = []
  const additions: Sample[] = []
  for (let index = 0; index < Math.ceil(count / 2); index++) {
    const [removal, addition] = removeAndAdd(world, index)
    removals.push(await perform(removal, options))
    additions.push(await perform(addition, options))
  }
  const common = { part: 'change', unit: 'ms', ...sizeAndBackend(world) } as const
  return [
    { ...common, what: 'an endpoint is replaced', ...both(replacements) },
    { ...common, what: 'a Service is added', ...both(additions) },
    { ...common, what: 'a Service is removed', ...both(removals) },
    { ...common, what: 'lines written for a replaced endpoint', unit: 'lines', samples: replacements.map(({ lines }) => lines) },
    { ...common, what: 'Services visited for it', unit: 'Services', samples: replacements.map(({ visited }) => visited) },
    { ...common, what: 'of its pass in the daemon itself, whole milliseconds', samples: replacements.map(({ ownMs }) => ownMs) },
  ]
}

/** @param perSecond changes of other Services meanwhile. */
export async function measureChurn(options: ChangeOptions, perSecond: number): Promise<readonly Measurement[]> {
  const { world, twin, count } = options
  // Of the same kind in the same run, without the churn.
  const alone: Sample[] = []
  for (let index = 0; index < Math.ceil(count / 4); index++) alone.push(await perform(replacePod(world, 1000 + index), options))
  const churn = new Churn(world, perSecond)
  const samples: Sample[] = []
  try {
    await delay(1000)
    for (let index = 0; index < count; index++) {
      samples.push(await perform(replacePod(world, 2000 + index), { ...options, twin: undefined }))
      await delay(20 + 13 * (index % 20))
    }
  } finally {
    await churn.stop()
  }
  const missed = Array.from({ length: count }, (_, index) => replacePod(world, 2000 + index))
  await twin?.feeder.ask({ do: 'change', put: [...churn.last.values(), ...missed.flatMap(({ put }) => put)] })
  const floor = alone.map(({ floorMs }) => floorMs).filter(value => value !== undefined)
  return [
    {
      part: 'churn',
      unit: 'ms',
      ...sizeAndBackend(world),
      what: `an endpoint is replaced while ${perSecond} others change a second`,
      samples: samples.map(({ milliseconds }) => milliseconds),
      ...(floor.length > 0 ? { floor } : {}),
    },
  ]
}

function both(samples: readonly Sample[]): Pick<Measurement, 'samples' | 'floor'> {
  const floor = samples.map(({ floorMs }) => floorMs).filter(value => value !== undefined)
  return { samples: samples.map(({ milliseconds }) => milliseconds), ...(floor.length > 0 ? { floor } : {}) }
}

function replacePod({ probes }: World, index: number): Step {
  const service = probes[index % probes.length]
  if (service === undefined) throw new Error('bench: a cluster without probes')
  const until = podAddress(60_000 + (index % 5000))
  return { put: sliceObjects({ ...service, pods: [until] }), remove: [], service, until }
}

function removeAndAdd({ probes }: World, index: number): readonly [Step, Step] {
  const service = probes[index % probes.length]
  if (service === undefined) throw new Error('bench: a cluster without probes')
  const until = podAddress(59_000 + index)
  const objects = objectsOf({ ...service, pods: [until] })
  return [
    { put: [], remove: objects, service, until: 'refused' },
    { put: objects, remove: [], service, until },
  ]
}

async function perform(step: Step, { world, twin, daemon }: ChangeOptions): Promise<Sample> {
  const { put, remove, service, until } = step
  const target = { do: 'reach', address: service.clusterIP, port: servicePort, until } as const
  const since = daemon.log.length
  const reached = world.node.client.ask(target)
  const writtenAt = clock()
  await world.server.ask(put.length > 0 ? { do: 'put', objects: put } : { do: 'remove', objects: remove })
  const { at } = await reached
  const { lines, milliseconds, restoreMilliseconds, touchedServices } = await daemon.waitForSync(since)
  const passMs = Number(milliseconds)
  const floorMs = twin === undefined ? undefined : await floorOf(step, twin)
  // After a quiet time a change is programmed at once.
  if (twin !== undefined) await delay(50 + 2 * passMs)
  return {
    milliseconds: at - writtenAt,
    floorMs,
    lines: Number(lines),
    visited: Number(touchedServices),
    passMs,
    ownMs: passMs - Number(restoreMilliseconds),
  }
}

async function floorOf({ put, remove, service, until }: Step, { node, feeder }: Twin): Promise<number> {
  const reached = node.client.ask({ do: 'reach', address: service.clusterIP, port: servicePort, until })
  const { startedAt } = await feeder.ask({ do: 'change', put, remove })
  return (await reached).at - startedAt
}

/** Replaces endpoints of Services that are no probes. */
export class Churn {
  /** Each its own: what an earlier one has written already would be no change. */
  static #nextSeed = 7
  /** The last version of each slice. */
  readonly last = new Map<string, ApiObject>()
  readonly #world: World
  readonly #random = generator(Churn.#nextSeed++)
  readonly #timer: NodeJS.Timeout
  #sent: Promise<unknown> = Promise.resolve()
  changes = 0

  constructor(world: World, perSecond: number) {
    this.#world = world
    this.#timer = setInterval(() => this.#change(), 1000 / perSecond)
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#sent
  }

  #change(): void {
    const { sized } = this.#world
    const service = sized[this.#random(sized.length)]
    if (service === undefined) return
    const [slice] = sliceObjects({ ...service, pods: [podAddress(this.#random(60_000)), ...service.pods.slice(1, 100)] })
    if (slice === undefined) return
    this.changes++
    this.last.set(slice.metadata.name, slice)
    this.#sent = this.#world.put(slice)
  }
}
