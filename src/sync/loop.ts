// When one family is synced, checked and tried again. One thing at a time; the clock and the waiting are injected.
import type { Drift, Scope } from '../modes/mode.ts'
import { backoff, type CoalesceSettings, gapAfterPass, gatherMs } from './coalesce.ts'
import type { SyncEmitter } from './events.ts'
import type { FamilySync } from './family-sync.ts'
import type { PassInput } from './pass-input.ts'

export interface LoopOptions {
  // biome-ignore lint/suspicious/noExplicitAny: a loop drives a family of any mode and never looks into its states.
  readonly sync: FamilySync<any, any>
  readonly events: SyncEmitter
  /** Asked before every pass: facts and settings may have changed. */
  readonly input: () => PassInput
  readonly settings: () => CoalesceSettings & { readonly syncPeriodMs: number }
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number
  /** Milliseconds since 1970; only what drains asks for it. */
  readonly wall?: () => number
}

/** Full reads may cost at most this share of one core, with those that were given up; between two of them the base chains are read. */
const shareForFullReads = 0.005
/** A full read ends for a change that comes meanwhile; after so many times it is done to its end, or changes without end would keep it away for ever. */
const mostFullReadsGivenUp = 3
/** Milliseconds from when the pass of a change that ended a full read is due until what is cheap is compared: the pass has begun by then. */
const afterTheChangeMs = 10
/** Milliseconds between two counts of the connections that drain. */
const shortestBetweenLooks = 1000
const longestBetweenLooks = 30_000
/** Passes of drift checks after which quarantined Services get another try. */
const checksUntilRetry = 10

export class SyncLoop {
  readonly #options: LoopOptions
  #wake: () => void = () => {}
  #ready = false
  #failures = 0
  #earliestPass = 0
  #nextCheck = Number.POSITIVE_INFINITY
  #checks = 0
  /** Of the last full read; 0 before the first. */
  #fullReadMs = 0
  #fullReadsGivenUp = { count: 0, spentMs: 0 }
  #nextFullRead = 0
  #repairing: readonly Drift[] = []
  #nextLook = 0
  #toldDrains = 0

  constructor(options: LoopOptions) {
    this.#options = options
  }

  /** From now on there is something to program. */
  markDirty(scope: Scope): void {
    this.#ready = true
    const { sync, now } = this.#options
    if (!sync.isDirty) this.#earliestPass = Math.max(this.#earliestPass, now() + gatherMs)
    sync.markDirty(scope)
    this.#wake()
  }

  /** Runs until the signal aborts; a pass in progress is finished. */
  async run(signal: AbortSignal): Promise<void> {
    const wake = (): void => this.#wake()
    signal.addEventListener('abort', wake)
    this.#options.sync.readAhead(signal)
    while (!signal.aborted) {
      const wait = this.#millisecondsToWait()
      if (wait > 0) await this.#sleep(wait)
      else if (this.#checkDue() <= this.#options.now()) await this.#check()
      else if (this.#lookDue() <= this.#options.now()) await this.#look()
      else await this.#pass()
    }
    signal.removeEventListener('abort', wake)
  }

  #millisecondsToWait(): number {
    return Math.min(this.#passDue(), this.#checkDue(), this.#lookDue()) - this.#options.now()
  }

  #passDue(): number {
    return this.#ready && this.#options.sync.isDirty ? this.#earliestPass : Number.POSITIVE_INFINITY
  }

  /** A check comes before a pass that is due as well, or changes without end would keep it away for ever. */
  #checkDue(): number {
    return this.#options.sync.knowsKernel ? this.#nextCheck : Number.POSITIVE_INFINITY
  }

  /** Only while something drains; as a check, it comes before a pass that is due as well, or changes without end would keep deadlines from being seen. */
  #lookDue(): number {
    const { sync } = this.#options
    return sync.knowsKernel && sync.drains.length > 0 ? this.#nextLook : Number.POSITIVE_INFINITY
  }

  /** Costs at most a twentieth of the time, but for one at each deadline; a look that fails is made again, and deadlines hold all the same. */
  async #look(): Promise<void> {
    const { sync, now, events } = this.#options
    const start = now()
    const error = await sync.lookAtDrains().catch(asError)
    if (error === undefined) events.emit('looked', { family: sync.family })
    else events.emit('lookFailed', { family: sync.family, error })
    this.#tellDrains()
    const end = now()
    const pause = Math.min(longestBetweenLooks, Math.max(shortestBetweenLooks, 20 * (end - start)))
    this.#nextLook = end + Math.min(pause, this.#untilDrainDeadline())
  }

  /** Milliseconds until the first deadline that is still to come; infinite where there is none. */
  #untilDrainDeadline(): number {
    const { sync, wall = Date.now } = this.#options
    const time = wall()
    const times = sync.drains.map(({ until }) => (until > time ? until - time : Number.POSITIVE_INFINITY))
    return times.reduce((first, next) => Math.min(first, next), Number.POSITIVE_INFINITY)
  }

  #tellDrains(): void {
    const { sync, events } = this.#options
    const { drains, family } = sync
    if (drains.length + this.#toldDrains > 0) events.emit('draining', { family, retiring: false, drains })
    this.#toldDrains = drains.length
  }

  #sleep(milliseconds: number): Promise<void> {
    return new Promise(resolve => {
      const timer = Number.isFinite(milliseconds) ? setTimeout(resolve, Math.ceil(milliseconds)) : undefined
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  async #pass(): Promise<void> {
    const { sync, events, input, now, settings } = this.#options
    try {
      const report = await sync.pass(input())
      this.#earliestPass = now() + gapAfterPass(report.kind === 'partial' ? report.milliseconds : 0, settings())
      this.#planCheck(report.kind)
      this.#nextLook = Math.min(this.#nextLook, now() + this.#untilDrainDeadline())
      events.emit('synced', report)
      this.#tellDrains()
      this.#succeeded()
      await this.#finishRepair()
    } catch (error) {
      const retryInMs = backoff(this.#failures + 1)
      this.#earliestPass = now() + retryInMs
      this.#failed(error, retryInMs)
    }
  }

  #failed(error: unknown, retryInMs: number): void {
    const { sync, events } = this.#options
    this.#failures++
    events.emit('syncFailed', { family: sync.family, error: asError(error), failures: this.#failures, retryInMs })
  }

  #succeeded(): void {
    const { sync, events } = this.#options
    const failures = this.#failures
    this.#failures = 0
    if (failures > 0) events.emit('recovered', { family: sync.family, failures })
  }

  /** The first check comes soon, since it shows how this iptables words our rules; a shorter syncPeriod counts from the next full pass on. */
  #planCheck(kind: 'full' | 'partial'): void {
    const { now, settings } = this.#options
    const { syncPeriodMs } = settings()
    if (this.#nextCheck === Number.POSITIVE_INFINITY) this.#nextCheck = now() + Math.min(1000, syncPeriodMs)
    else if (kind === 'full') this.#nextCheck = Math.min(this.#nextCheck, now() + syncPeriodMs)
  }

  async #finishRepair(): Promise<void> {
    const { sync, events } = this.#options
    const repaired = this.#repairing
    this.#repairing = []
    if (repaired.length === 0) return
    events.emit('driftRepaired', { family: sync.family, drifts: repaired.length })
    // A read that fails here leaves only the wording unlearned; the next check tells.
    const chains = await sync.learnAliases().catch(() => [])
    if (chains.length > 0) events.emit('aliasesLearned', { family: sync.family, chains })
  }

  async #check(): Promise<void> {
    const { sync, events, now, settings } = this.#options
    const start = now()
    const { syncPeriodMs } = settings()
    const extent = this.#extentOfCheck(start)
    const giveUp = this.#giveUpForChanges(extent)
    let gaveUp = false
    try {
      const drifts = await sync.checkDrift(extent, giveUp)
      const milliseconds = now() - start
      if (extent === 'everything') this.#haveReadEverything(start, milliseconds)
      events.emit('checked', { family: sync.family, extent, drifts: drifts.length, milliseconds })
      this.#succeeded()
      if (drifts.length > 0) {
        this.#repairing = drifts
        events.emit('driftFound', { family: sync.family, drifts, meaning: drift => sync.meaning(drift) })
      }
      this.#checks++
      if (this.#checks % checksUntilRetry === 0) sync.retryQuarantined()
    } catch (error) {
      gaveUp = giveUp.aborted
      if (!gaveUp) this.#failed(error, syncPeriodMs)
    } finally {
      // A check that takes longer than the period must not keep passes away: they come in this pause.
      const end = now()
      this.#nextCheck = Math.max(start + syncPeriodMs, end + Math.min(end - start, syncPeriodMs))
      if (gaveUp) this.#checkLess({ spentMs: end - start, nextFullRead: end + syncPeriodMs })
    }
  }

  #extentOfCheck(start: number): 'everything' | 'base' {
    return start >= this.#nextFullRead ? 'everything' : 'base'
  }

  /** Aborts when a change comes, which shall not wait for seconds. */
  #giveUpForChanges(extent: 'everything' | 'base'): AbortSignal {
    const controller = new AbortController()
    if (extent === 'base' || this.#fullReadsGivenUp.count >= mostFullReadsGivenUp) return controller.signal
    if (this.#options.sync.isDirty) controller.abort()
    else this.#wake = () => controller.abort()
    return controller.signal
  }

  /** After the change what is cheap is compared all the same; no later than syncPeriod where passes fail and wait for long. */
  #checkLess({ spentMs, nextFullRead }: { readonly spentMs: number; readonly nextFullRead: number }): void {
    const before = this.#fullReadsGivenUp
    this.#fullReadsGivenUp = { count: before.count + 1, spentMs: before.spentMs + spentMs }
    this.#nextFullRead = nextFullRead
    this.#nextCheck = Math.min(Math.max(this.#options.now(), this.#earliestPass) + afterTheChangeMs, nextFullRead)
  }

  /** A machine that was busy for once makes one read slow, which says little about the next. */
  #haveReadEverything(at: number, milliseconds: number): void {
    this.#fullReadMs = this.#fullReadMs === 0 ? milliseconds : Math.min(milliseconds, 2 * this.#fullReadMs)
    this.#nextFullRead = at + (this.#fullReadMs + this.#fullReadsGivenUp.spentMs) / shareForFullReads
    this.#fullReadsGivenUp = { count: 0, spentMs: 0 }
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
