// Everything between a source and the kernel: the store is fed, what is dirty goes to the loop of each IP family.
// Takes a source, modes and settings; runs until the signal aborts; leaves the kernel as it is.
import type { Exec } from '../kernel/exec.ts'
import type { Address } from '../model/address.ts'
import { type NodeFacts, nodeFacts, type TrafficSettings } from '../model/node.ts'
import type { EarlierDrains } from '../modes/mode.ts'
import type { Source, SourceUpdate } from '../source/source.ts'
import { createStore } from '../source/store.ts'
import type { CoalesceSettings } from './coalesce.ts'
import type { SyncEmitter } from './events.ts'
import type { Making } from './inspect.ts'
import { type AnyMode, Lane } from './lane.ts'

export interface EngineSettings extends CoalesceSettings {
  readonly nodeName: string
  readonly traffic: TrafficSettings
  readonly syncPeriodMs: number
}

export interface EngineOptions {
  readonly settings: EngineSettings
  /** Called once with what takes new settings: they hold from the next pass on, which compares everything. nodeName stays. */
  readonly onSettings?: (take: (settings: EngineSettings) => void) => void
  readonly source: Source
  /** One for each family. */
  readonly modes: readonly AnyMode[]
  /** Called once with what takes other modes for the same families: each is in force from its family's next pass on. */
  readonly onModes?: (take: (modes: readonly AnyMode[]) => void) => void
  /** Called once with what reads the kernel and compares it with what is wanted; a family is left out where `FamilySync.inspect` gives nothing. */
  readonly onInspect?: (inspect: Inspect) => void
  /** What cleans up after other modes while this one is in force. */
  readonly retiring?: (mode: AnyMode) => AnyMode | undefined
  /** A cheap look whether there is anything to clean up. */
  readonly isAnythingLeft?: () => Promise<boolean>
  /** What a former process noted of connections that drain. */
  readonly earlierDrains?: EarlierDrains
  readonly exec: Exec
  readonly events: SyncEmitter
  /** The addresses of this kernel's interfaces, asked anew every syncPeriod. */
  readonly interfaceAddresses: () => readonly Address[]
  /** Tells when those addresses change, until the signal aborts; without it they are only asked for now and then. */
  readonly watchAddresses?: (onChange: () => void, signal: AbortSignal) => Promise<void>
  readonly now: () => number
}

/** What `make` makes of each family. */
export type Inspect = <Found extends object>(make: Making<Found>) => Promise<readonly Found[]>

/** Resolves when the signal has aborted and no pass is under way. Rejects where the source can never be read. */
export async function runEngine(options: EngineOptions, signal: AbortSignal): Promise<void> {
  const { source, modes, exec, events, now } = options
  let { settings } = options
  const store = createStore({ nodeName: settings.nodeName })
  let facts: NodeFacts = nodeFacts(settings.nodeName, undefined, options.interfaceAddresses())
  let sweep = false
  let complete = false
  const input = () => ({ node: facts, settings: settings.traffic, sweep })
  const { retiring = () => undefined, isAnythingLeft = async () => false, earlierDrains = new Map() } = options
  const shared = { retiring, isAnythingLeft, exec, cluster: store, events, now, input, settings: () => settings, earlierDrains }
  const lanes = modes.map(mode => new Lane({ mode, ...shared }))
  const everything = (): void => {
    if (complete) for (const lane of lanes) lane.markDirty('everything')
  }

  options.onSettings?.(fresh => {
    settings = { ...fresh, nodeName: settings.nodeName }
    everything()
  })

  options.onInspect?.(async make => {
    const found = await Promise.all(lanes.map(lane => lane.inspect(make)))
    return found.filter(each => each !== undefined)
  })

  options.onModes?.(fresh => {
    for (const lane of lanes) {
      const mode = fresh.find(({ family }) => family === lane.family)
      if (mode !== undefined) lane.switchTo(mode)
    }
  })

  /** What all rules may depend on: this Node's zone, addresses and pod ranges, and the kernel's addresses. */
  const refreshFacts = (): void => {
    const fresh = nodeFacts(settings.nodeName, store.node(), options.interfaceAddresses())
    const before = factsInRules(facts)
    facts = fresh
    if (factsInRules(fresh) !== before) everything()
  }

  /** Addresses that no node port is bound to are in no rule: they come and go with every pod. */
  const factsInRules = (of: NodeFacts): string => {
    const destinations = lanes.map(({ mode }) => mode.dependsOnAddresses(settings.traffic, of))
    return JSON.stringify({ ...of, interfaceAddresses: destinations })
  }

  const take = (update: SourceUpdate): void => {
    const dirty = store.apply(update.changes)
    const first = update.complete && !complete
    const canSweepNow = !update.unreadable && !sweep
    complete ||= update.complete
    sweep = !update.unreadable
    events.emit('changed', { changes: update.changes, complete, unreadable: update.unreadable, cluster: store })
    if (dirty.node) refreshFacts()
    if (!complete) return
    if (dirty.services.size > 0) for (const lane of lanes) lane.markDirty(dirty.services)
    if (first || canSweepNow) everything()
  }

  /** Only where rules name addresses; from then on until the end. */
  let watching: Promise<void> | undefined
  const watchAddresses = (ends: AbortSignal): void => {
    const named = lanes.some(({ mode }) => mode.dependsOnAddresses(settings.traffic, facts) !== 'every local address')
    if (named) watching ??= options.watchAddresses?.(refreshFacts, ends)
  }

  const follow = async (): Promise<void> => {
    for await (const update of source.updates(signal)) take(update)
  }
  const stop = new AbortController()
  let refresh: NodeJS.Timeout | undefined
  const refreshLater = (): void => {
    refresh = setTimeout(() => {
      refreshLater()
      refreshFacts()
      watchAddresses(stop.signal)
    }, settings.syncPeriodMs)
  }
  refreshLater()
  try {
    watchAddresses(stop.signal)
    const running = lanes.map(lane => lane.run(AbortSignal.any([signal, stop.signal])))
    await follow().finally(() => stop.abort())
    await Promise.all([...running, watching])
  } finally {
    clearTimeout(refresh)
  }
}
