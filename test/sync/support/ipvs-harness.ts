// FamilySync in ipvs mode over a fake kernel and a real store: what a test changes, what was fed, which events came, what drains at what time.
import { toolsOf } from '../../../src/kernel/iptables.ts'
import type { IpFamily } from '../../../src/model/address.ts'
import { type IpvsMode, ipvsMode } from '../../../src/modes/ipvs/index.ts'
import type { EarlierDrains } from '../../../src/modes/mode.ts'
import type { ObjectChange } from '../../../src/source/source.ts'
import { createStore, type Store } from '../../../src/source/store.ts'
import { createSyncEmitter, type SyncReport } from '../../../src/sync/events.ts'
import { FamilySync } from '../../../src/sync/family-sync.ts'
import type { PassInput } from '../../../src/sync/pass-input.ts'
import { node as defaultNode } from '../../support/cluster.ts'
import { createFakeIpvsKernel, type FakeIpvsKernel } from './fake-ipvs-kernel.ts'
import { linesOf, passInput, type RecordedEvent, recordEvents } from './harness.ts'

export interface IpvsHarnessOptions {
  readonly family?: IpFamily
  readonly kernel?: FakeIpvsKernel
  readonly store?: Store
  readonly clock?: { wall: number }
  readonly earlierDrains?: EarlierDrains
  /** Instead of ipvs mode as it is. */
  readonly wrapMode?: (mode: IpvsMode) => IpvsMode
}

export interface IpvsHarness {
  readonly kernel: FakeIpvsKernel
  readonly store: Store
  readonly sync: FamilySync<unknown, unknown>
  readonly recorded: RecordedEvent[]
  /** What the daemon takes for the time, in milliseconds since 1970. */
  readonly clock: { wall: number }
  input: PassInput
  /** Changes the cluster and says so; no pass. */
  change(...changes: readonly ObjectChange[]): void
  pass(): Promise<SyncReport>
  /** Changes the cluster, runs a pass and gives the lines that were fed. */
  programmed(...changes: readonly ObjectChange[]): Promise<readonly string[]>
  /** Counts connections anew, then runs a pass where something is over; gives the lines that were fed. */
  looked(): Promise<readonly string[]>
  /** A new process over the same kernel and cluster, at the same time. */
  restarted(options?: IpvsHarnessOptions): IpvsHarness
}

/** Schedulers that the kernel of these tests lacks. */
export const lacking: ReadonlySet<string> = new Set(['lblcr'])

export function testIpvsMode(family: IpFamily): IpvsMode {
  return ipvsMode({ family, tools: toolsOf(family, 'legacy'), abilities: { hasScheduler: name => !lacking.has(name) } })
}

export function createIpvsHarness(options: IpvsHarnessOptions = {}): IpvsHarness {
  const {
    family = 'IPv4',
    kernel = createFakeIpvsKernel(),
    store = createStore({ nodeName: defaultNode.name }),
    clock = { wall: 1_700_000_000_000 },
    earlierDrains = new Map(),
  } = options
  const plainMode = testIpvsMode(family)
  const mode = options.wrapMode?.(plainMode) ?? plainMode
  const events = createSyncEmitter()
  const recorded = recordEvents(events)
  const wall = (): number => clock.wall
  const now = (): number => performance.now()
  const sync = new FamilySync({ mode, exec: kernel.exec, cluster: store, events, now, wall, earlierDrains })
  const fedSince = async (act: () => Promise<unknown>): Promise<readonly string[]> => {
    const before = kernel.fed.length
    await act()
    return kernel.fed.slice(before).flatMap(({ input }) => linesOf(input))
  }
  const harness: IpvsHarness = {
    kernel,
    store,
    // The tests look into no state.
    sync: sync as unknown as FamilySync<unknown, unknown>,
    recorded,
    clock,
    input: passInput(),
    change: (...changes) => sync.markDirty(store.apply(changes).services),
    pass: () => sync.pass(harness.input),
    programmed: (...changes) =>
      fedSince(async () => {
        harness.change(...changes)
        await harness.pass()
      }),
    looked: () =>
      fedSince(async () => {
        await sync.lookAtDrains()
        if (sync.isDirty) await harness.pass()
      }),
    restarted: more => createIpvsHarness({ ...options, kernel, store, clock, earlierDrains: new Map(), ...more }),
  }
  return harness
}
