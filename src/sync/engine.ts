// Everything between a source and the kernel: the store is fed, what is dirty goes to the loop of each IP family.
// Takes a source, modes and settings; runs until the signal aborts; leaves the kernel as it is.
import type { Exec } from '../kernel/exec.ts'
import type { Address } from '../model/address.ts'
import { type NodeFacts, nodeFacts, nodePortDestinations, type TrafficSettings } from '../model/node.ts'
import type { Mode } from '../modes/mode.ts'
import type { Source, SourceUpdate } from '../source/source.ts'
import { createStore } from '../source/store.ts'
import type { CoalesceSettings } from './coalesce.ts'
import type { SyncEmitter } from './events.ts'
import { FamilySync } from './family-sync.ts'
import { SyncLoop } from './loop.ts'

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
  // biome-ignore lint/suspicious/noExplicitAny: the engine never looks into the states of a mode.
  readonly modes: readonly Mode<any, any>[]
  readonly exec: Exec
  readonly events: SyncEmitter
  /** The addresses of this kernel's interfaces, asked anew every syncPeriod. */
  readonly interfaceAddresses: () => readonly Address[]
  readonly now: () => number
}

/** Resolves when the signal has aborted and no pass is under way. Rejects where the source can never be read. */
export async function runEngine(options: EngineOptions, signal: AbortSignal): Promise<void> {
  const { source, modes, exec, events, now } = options
  let { settings } = options
  const store = createStore({ nodeName: settings.nodeName })
  let facts: NodeFacts = nodeFacts(settings.nodeName, undefined, options.interfaceAddresses())
  let sweep = false
  let complete = false
  const input = () => ({ node: facts, settings: settings.traffic, sweep })
  const loops = modes.map(mode => {
    const sync = new FamilySync({ mode, exec, cluster: store, events, now })
    return new SyncLoop({ sync, events, input, settings: () => settings, now })
  })
  const everything = (): void => {
    if (complete) for (const loop of loops) loop.markDirty('everything')
  }

  options.onSettings?.(fresh => {
    settings = { ...fresh, nodeName: settings.nodeName }
    everything()
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
    const destinations = modes.map(({ family }) => nodePortDestinations(settings.traffic, of, family))
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
    if (dirty.services.size > 0) for (const loop of loops) loop.markDirty(dirty.services)
    if (first || canSweepNow) everything()
  }

  const follow = async (): Promise<void> => {
    for await (const update of source.updates(signal)) take(update)
  }
  let refresh: NodeJS.Timeout | undefined
  const refreshLater = (): void => {
    refresh = setTimeout(() => {
      refreshLater()
      refreshFacts()
    }, settings.syncPeriodMs)
  }
  refreshLater()
  try {
    const stop = new AbortController()
    const running = loops.map(loop => loop.run(AbortSignal.any([signal, stop.signal])))
    await follow().finally(() => stop.abort())
    await Promise.all(running)
  } finally {
    clearTimeout(refresh)
  }
}
