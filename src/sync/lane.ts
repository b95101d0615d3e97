// One IP family: the loop of the mode that is in force, its replacement by another mode, and what is left of the former one.
// Invariant: two modes never write at the same time; the old loop has ended before the new one begins, and the kernel counts as unknown then.
import type { Exec } from '../kernel/exec.ts'
import type { IpFamily } from '../model/address.ts'
import type { ServiceKey } from '../model/objects.ts'
import type { Decision } from '../model/traffic-policy.ts'
import type { Drain, EarlierDrains, Mode, Scope } from '../modes/mode.ts'
import type { CoalesceSettings } from './coalesce.ts'
import type { ClusterView } from './decisions.ts'
import { asEarlier } from './drain-keeper.ts'
import type { SyncEmitter, SyncReport } from './events.ts'
import { FamilySync } from './family-sync.ts'
import type { Making } from './inspect.ts'
import { SyncLoop } from './loop.ts'
import type { PassInput } from './pass-input.ts'
import { retire } from './retirement.ts'

// biome-ignore lint/suspicious/noExplicitAny: nothing here looks into the states of a mode.
export type AnyMode = Mode<any, any>

export interface LaneOptions {
  readonly mode: AnyMode
  /** What cleans up after other modes where this one is in force; undefined: nothing does. */
  readonly retiring: (mode: AnyMode) => AnyMode | undefined
  readonly isAnythingLeft: () => Promise<boolean>
  readonly exec: Exec
  readonly cluster: ClusterView
  readonly events: SyncEmitter
  readonly now: () => number
  readonly input: () => PassInput
  readonly settings: () => CoalesceSettings & { readonly syncPeriodMs: number }
  readonly earlierDrains: EarlierDrains
}

export class Lane {
  readonly #options: LaneOptions
  /** Handed from mode to mode: observers keep it. */
  readonly #decisions = new Map<ServiceKey, readonly Decision[]>()
  #mode: AnyMode
  #sync: FamilySync<unknown, unknown>
  #loop: SyncLoop
  #stop = new AbortController()
  #next: AnyMode | undefined
  #isReady = false
  /** Since when drains what the mode in force finds: noted by a former process, then by the mode before it and by what cleaned up. */
  #earlierDrains: EarlierDrains
  readonly #told = new Map<'retiring' | 'own', readonly Drain[]>()

  constructor(options: LaneOptions) {
    this.#options = options
    this.#mode = options.mode
    this.#earlierDrains = options.earlierDrains
    this.#sync = this.#newSync()
    this.#loop = this.#newLoop()
    options.events.on('draining', ({ family, retiring, drains }) => {
      if (family === this.family) this.#told.set(retiring ? 'retiring' : 'own', drains)
    })
  }

  get family(): IpFamily {
    return this.#mode.family
  }

  get mode(): AnyMode {
    return this.#mode
  }

  markDirty(scope: Scope): void {
    this.#isReady = true
    this.#loop.markDirty(scope)
  }

  /** See FamilySync.inspect. Undefined, too, where another mode came meanwhile: what was read may be half of each. */
  async inspect<Found extends object>(make: Making<Found>): Promise<Found | undefined> {
    const sync = this.#sync
    const found = await sync.inspect(this.#options.input(), make)
    return sync === this.#sync ? found : undefined
  }

  /** From the next pass on; a pass that is under way is finished. */
  switchTo(mode: AnyMode): void {
    this.#next = mode
    this.#stop.abort()
  }

  /** Runs until the signal aborts; a pass in progress is finished. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const ends = AbortSignal.any([signal, this.#stop.signal])
      const retirement = this.#retireAfterFirstSync(ends)
      await this.#loop.run(ends)
      await retirement
      if (signal.aborted || this.#next === undefined) continue
      this.#handDrainsOn()
      this.#mode = this.#next
      this.#next = undefined
      this.#stop = new AbortController()
      this.#sync = this.#newSync()
      this.#loop = this.#newLoop()
      if (this.#isReady) this.#loop.markDirty('everything')
    }
  }

  /** What drained until now is the next mode's to keep, for the time that is left of it, and to tell of. */
  #handDrainsOn(): void {
    this.#earlierDrains = asEarlier([...this.#told.values()].flat())
    for (const retiring of [false, true]) this.#options.events.emit('draining', { family: this.family, retiring, drains: [] })
  }

  #newSync(): FamilySync<unknown, unknown> {
    const { exec, cluster, events, now } = this.#options
    const kept = { earlierDrains: this.#earlierDrains, decisions: this.#decisions }
    return new FamilySync({ mode: this.#mode, exec, cluster, events, now, ...kept })
  }

  #newLoop(): SyncLoop {
    const { events, now, input, settings } = this.#options
    return new SyncLoop({ sync: this.#sync, events, input, settings, now })
  }

  /** Not before the new mode's rules stand: until then connections still come by what the former one left. */
  async #retireAfterFirstSync(signal: AbortSignal): Promise<void> {
    const { exec, events, input, now, retiring, isAnythingLeft } = this.#options
    const mode = retiring(this.#mode)
    if (mode === undefined || !(await this.#firstSync(signal))) return
    await retire({ mode, exec, events, input, now, isAnythingLeft, earlierDrains: this.#earlierDrains }, signal)
  }

  /** False where the signal aborts before it. */
  #firstSync(signal: AbortSignal): Promise<boolean> {
    const { events } = this.#options
    return new Promise(resolve => {
      const done = (outcome: boolean): void => {
        events.off('synced', onSynced)
        resolve(outcome)
      }
      const onSynced = ({ family }: SyncReport): void => {
        if (family === this.family) done(true)
      }
      events.on('synced', onSynced)
      if (signal.aborted) done(false)
      else signal.addEventListener('abort', () => done(false), { once: true })
    })
  }
}
