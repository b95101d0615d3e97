// FamilySync over a fake kernel and a real store: what a test changes, what was fed, which events came.
import type { Backend } from '../../../src/kernel/iptables.ts'
import { toolsOf } from '../../../src/kernel/iptables.ts'
import type { IpFamily } from '../../../src/model/address.ts'
import type { NodeFacts, TrafficSettings } from '../../../src/model/node.ts'
import { type IptablesMode, iptablesMode } from '../../../src/modes/iptables/index.ts'
import type { ObjectChange } from '../../../src/source/source.ts'
import { createStore, type Store } from '../../../src/source/store.ts'
import { createSyncEmitter, type SyncEmitter, type SyncEvents, type SyncReport } from '../../../src/sync/events.ts'
import { FamilySync } from '../../../src/sync/family-sync.ts'
import type { PassInput } from '../../../src/sync/pass-input.ts'
import { node as defaultNode, settings as defaultSettings } from '../../support/cluster.ts'
import { createFakeKernel, type FakeKernel } from './fake-kernel.ts'

export type RecordedEvent = {
  [Name in keyof SyncEvents]: { readonly name: Name; readonly value: SyncEvents[Name][0] }
}[keyof SyncEvents]

export interface HarnessOptions {
  readonly family?: IpFamily
  readonly backend?: Backend
  readonly kernel?: FakeKernel
  readonly store?: Store
  /** Instead of iptables mode as it is. */
  readonly wrapMode?: (mode: IptablesMode) => IptablesMode
}

export interface Harness {
  readonly kernel: FakeKernel
  readonly store: Store
  readonly sync: FamilySync<unknown, unknown>
  readonly recorded: RecordedEvent[]
  input: PassInput
  /** Changes the cluster and says so; no pass. */
  change(...changes: readonly ObjectChange[]): void
  pass(): Promise<SyncReport>
  /** Changes the cluster, runs a pass and gives the lines that were fed. */
  programmed(...changes: readonly ObjectChange[]): Promise<readonly string[]>
  /** A new process over the same kernel and cluster. */
  restarted(options?: HarnessOptions): Harness
}

export function createHarness(options: HarnessOptions = {}): Harness {
  const {
    family = 'IPv4',
    backend = 'nft',
    kernel = createFakeKernel(),
    store = createStore({ nodeName: defaultNode.name }),
  } = options
  const plainMode = iptablesMode(family, toolsOf(family, backend))
  const mode = options.wrapMode?.(plainMode) ?? plainMode
  const events = createSyncEmitter()
  const recorded = recordEvents(events)
  const sync = new FamilySync({ mode, exec: kernel.exec, cluster: store, events, now: () => performance.now() })
  const harness: Harness = {
    kernel,
    store,
    // The tests look into no state.
    sync: sync as unknown as FamilySync<unknown, unknown>,
    recorded,
    input: passInput(),
    change: (...changes) => sync.markDirty(store.apply(changes).services),
    pass: () => sync.pass(harness.input),
    programmed: async (...changes) => {
      const before = kernel.restores.length
      harness.change(...changes)
      await harness.pass()
      return kernel.restores.slice(before).flatMap(linesOf)
    },
    restarted: more => createHarness({ ...options, kernel, store, ...more }),
  }
  return harness
}

export function passInput(
  more: { readonly node?: NodeFacts; readonly settings?: Partial<TrafficSettings>; readonly sweep?: boolean } = {},
): PassInput {
  return { node: more.node ?? defaultNode, settings: { ...defaultSettings, ...more.settings }, sweep: more.sweep ?? true }
}

/** Everything that is emitted from now on, in order. */
export function recordEvents(events: SyncEmitter): RecordedEvent[] {
  const recorded: RecordedEvent[] = []
  const emit = events.emit.bind(events)
  events.emit = (name, ...values) => {
    recorded.push({ name, value: values[0] } as RecordedEvent)
    return emit(name, ...values)
  }
  return recorded
}

export function eventsOf<Name extends keyof SyncEvents>(
  recorded: readonly RecordedEvent[],
  name: Name,
): readonly SyncEvents[Name][0][] {
  return recorded.filter(event => event.name === name).map(({ value }) => value as SyncEvents[Name][0])
}

export function linesOf(input: string): readonly string[] {
  return input.split('\n').filter(line => line !== '')
}
