// One IP family's way from decisions to the kernel: observe → render → plan → apply → confirm, one pass at a time.
// Takes what the cluster says and which Services changed; gives a report or throws. Invariant: after a failure the kernel's
// state counts as unknown and is read before anything else is written; nothing is removed that is not known to be stale.
import { emptyPlan, idle } from '../kernel/plan.ts'
import type { ServiceKey } from '../model/objects.ts'
import type { Decision } from '../model/traffic-policy.ts'
import type { Aliases, Change, Drain, Drift, Extent, Scope } from '../modes/mode.ts'
import { type Applied, ApplyError, applyPlan, runQueries } from './apply.ts'
import { updateDecisions, WithNodePorts } from './decisions.ts'
import { DrainKeeper } from './drain-keeper.ts'
import type { SyncReport } from './events.ts'
import { findCulprits, type Trial } from './find-culprits.ts'
import type { Making } from './inspect.ts'
import type { FamilySyncOptions, PassInput } from './pass-input.ts'
import { Passes } from './passes.ts'
import { Quarantine } from './quarantine.ts'
import { ReadAhead } from './read-ahead.ts'
import { readKernel } from './read-kernel.ts'
import { syncReport } from './report.ts'

export class FamilySync<Desired, Observed> {
  readonly #options: FamilySyncOptions<Desired, Observed>
  readonly #decisions: Map<ServiceKey, readonly Decision[]>
  readonly #drains: DrainKeeper<Desired, Observed>
  readonly #withNodePorts = new WithNodePorts()
  readonly #quarantine: Quarantine<Desired, Observed>
  #everything = true
  /** Services that changed; kept beside `#everything`, since a quarantined one among them is to be tried again. */
  #changed = new Set<ServiceKey>()
  #desired: Desired | undefined
  /** Undefined: unknown, to be read. */
  #observed: Observed | undefined
  #aliases: Aliases = new Map()
  #suspectedAliases: Aliases = new Map()
  #swept = false
  readonly #passes = new Passes()
  readonly #ahead: ReadAhead<Observed>

  constructor(options: FamilySyncOptions<Desired, Observed>) {
    this.#options = options
    this.#decisions = options.decisions ?? new Map()
    const { mode, exec, wall = Date.now, earlierDrains = new Map() } = options
    this.#quarantine = new Quarantine(mode)
    this.#ahead = new ReadAhead(signal => this.#read('everything', signal))
    this.#drains = new DrainKeeper({ draining: mode.draining, exec, wall, earlier: earlierDrains })
  }

  get family(): SyncReport['family'] {
    return this.#options.mode.family
  }

  get quarantined(): ReadonlyMap<ServiceKey, string> {
    return this.#quarantine.reasons
  }

  get isDirty(): boolean {
    return this.#everything || this.#changed.size > 0 || this.#drains.hasNews
  }

  get drains(): readonly Drain[] {
    return this.#drains.list(this.#desired)
  }

  /** Counts connections of what drains; what is over goes with the next pass. */
  async lookAtDrains(): Promise<void> {
    if (this.knowsKernel) await this.#drains.look(this.#desired)
  }

  /** Whether a pass succeeded and none failed since: else there is nothing to compare the kernel with. */
  get knowsKernel(): boolean {
    return this.#desired !== undefined && this.#observed !== undefined
  }

  /** The Services changed, or, with `everything`, something that all depend on. A quarantined one that changed is tried again. */
  markDirty(scope: Scope): void {
    if (scope === 'everything' || scope.size > 0) this.#options.events.emit('queued', { family: this.family, scope })
    if (scope === 'everything') this.#everything = true
    else for (const key of scope) this.#changed.add(key)
  }

  /** All quarantined Services are tried again with the next pass. */
  retryQuarantined(): void {
    this.markDirty(new Set(this.quarantined.keys()))
  }

  /** Makes the kernel hold what the cluster wants. Throws ApplyError or CommandError; then everything stays dirty. */
  pass(input: PassInput): Promise<SyncReport> {
    return this.#passes.run(() => this.#pass(input))
  }

  async #pass(input: PassInput): Promise<SyncReport> {
    const start = this.#options.now()
    const { scope, changed } = this.#takeScope(input)
    const released = this.#quarantine.release(changed)
    this.#options.events.emit('passStarted', { family: this.family, scope })
    try {
      // Neither needs the other: rendering takes no time where the tool takes longer to read.
      const [observed, desired] = await Promise.all([this.#observed ?? this.#ahead.take(), this.#render(scope, input)])
      const applied = await this.#makeSo({ desired, observed, touched: scope, sweep: input.sweep }, input)
      this.#swept = input.sweep
      this.#remark(scope)
      for (const service of released.keys())
        if (!this.quarantined.has(service)) this.#options.events.emit('released', { family: this.family, service })
      this.#announceProgrammed({ scope, applied, input })
      return this.#report(scope, { applied, milliseconds: this.#options.now() - start })
    } catch (error) {
      this.#observed = undefined
      this.#everything = true
      for (const key of changed) this.#changed.add(key)
      this.#quarantine.takeBack(released)
      throw error
    }
  }

  /** What `make` makes of it (see `inspection`), as `Passes.between` says; undefined, too, where no pass has succeeded yet, or one failed since. */
  inspect<Found extends object>({ node, settings }: PassInput, make: Making<Found>): Promise<Found | undefined> {
    const { mode, exec } = this.#options
    return this.#passes.between({
      isPossible: () => this.knowsKernel,
      read: () => runQueries(mode.queries('everything'), exec),
      use: outputs => {
        const desired = this.#desired && (mode.detached?.(this.#desired) ?? this.#desired)
        const change = { observed: mode.parse(outputs, 'everything', this.#aliases), desired, sweep: this.#swept }
        const drifts = desired === undefined ? [] : this.#drift(desired, change.observed, 'everything')
        return make({ mode, outputs, drifts, change, decisions: this.#decisions, node, settings })
      },
    })
  }

  /** What the kernel holds otherwise than we left it. Reads (throws where `signal` ends that); marks everything dirty where something is found. */
  async checkDrift(extent: Extent, signal?: AbortSignal): Promise<readonly Drift[]> {
    if (this.#desired === undefined || this.#observed === undefined) return []
    const observed = await this.#read(extent, signal).catch((error: unknown) => {
      // A base chain that is gone makes its query fail: the full read will tell what is left.
      if (extent !== 'base') throw error
      return undefined
    })
    const whole = extent === 'everything' ? observed : undefined
    const drifts = observed === undefined ? [] : this.#drift(this.#desired, observed, extent)
    if (observed !== undefined && drifts.length === 0) return []
    if (extent === 'base') return this.checkDrift('everything')
    if (whole !== undefined) this.#suspectedAliases = this.#options.mode.learnAliases(this.#desired, whole)
    this.#observed = whole
    this.markDirty('everything')
    return drifts
  }

  /** See `Mode.meaning`. */
  meaning(drift: Drift): string {
    return this.#options.mode.meaning(drift, this.#decisions)
  }

  /** What was not swept is in nobody's way: it may belong to what could not be read. */
  #drift(desired: Desired, observed: Observed, extent: Extent): readonly Drift[] {
    return this.#options.mode.drift(desired, observed, extent).filter(({ kind }) => this.#swept || kind !== 'unexpected')
  }

  /**
   * Right after a repair: what reads back in the same other words as before it is not drift, but how this version of the
   * tool prints what we write. Gives what was newly accepted.
   */
  async learnAliases(): Promise<readonly string[]> {
    if (this.#desired === undefined || this.#suspectedAliases.size === 0) return []
    const still = this.#options.mode.learnAliases(this.#desired, await this.#read('everything'))
    const learned = [...still].filter(([kernel]) => this.#suspectedAliases.has(kernel))
    this.#suspectedAliases = new Map()
    this.#aliases = new Map([...this.#aliases, ...learned])
    return learned.map(([kernel]) => kernel)
  }

  /** For the first pass; ends where the signal aborts. */
  readAhead(signal: AbortSignal): void {
    this.#ahead.begin(signal)
  }

  #read(extent: Extent, signal?: AbortSignal): Promise<Observed> {
    return readKernel({ ...this.#options, extent, aliases: this.#aliases, signal })
  }

  /** After an incomplete sweep, and with an unknown kernel, everything is compared. */
  #takeScope({ sweep }: PassInput): { readonly scope: Scope; readonly changed: ReadonlySet<ServiceKey> } {
    const everything = this.#everything || this.#observed === undefined || (sweep && !this.#swept)
    const changed = this.#changed
    this.#everything = false
    this.#changed = new Set()
    return { scope: everything ? 'everything' : changed, changed }
  }

  async #render(scope: Scope, { node, settings }: PassInput): Promise<Desired> {
    const { mode, cluster } = this.#options
    const decisions = updateDecisions({ decisions: this.#decisions, scope, cluster, family: mode.family, node })
    this.#withNodePorts.update(scope, this.#decisions)
    this.#desired = mode.render(this.#desired, scope, { decisions, node, settings })
    return this.#desired
  }

  async #makeSo(
    change: { desired: Desired; observed: Observed; touched: Scope; sweep: boolean },
    input: PassInput,
  ): Promise<Applied> {
    const held = this.#keepDrains({ ...change, desired: this.#hold(change.desired, change.observed) })
    try {
      const applied = await this.#apply(held)
      this.#observed = this.#options.mode.confirm(held)
      return applied
    } catch (error) {
      if (!(error instanceof ApplyError)) throw error
      const kind = change.touched === 'everything' ? 'full' : 'partial'
      this.#options.events.emit('restoreFailed', { family: this.family, kind })
      if (!error.blamesInput) throw error
      return await this.#sayingWhatChanged(change.touched, () => this.#makeSoWithoutCulprits(error, input))
    }
  }

  /** A refused change of a few Services may have met a kernel that someone changed: what all others miss is said as any drift is. */
  async #sayingWhatChanged(touched: Scope, repair: () => Promise<Applied>): Promise<Applied> {
    const { mode, events } = this.#options
    if (touched === 'everything' || this.#desired === undefined) return repair()
    const drifts = mode
      .drift(this.#desired, await this.#read('everything'), 'everything')
      .filter(({ kind, service }) => kind !== 'unexpected' && (service === undefined || !touched.has(service)))
    if (drifts.length > 0) events.emit('driftFound', { family: mode.family, drifts, meaning: drift => this.meaning(drift) })
    const applied = await repair()
    if (drifts.length > 0) events.emit('driftRepaired', { family: mode.family, drifts: drifts.length })
    return applied
  }

  #keepDrains(change: Change<Desired, Observed>): Change<Desired, Observed> {
    const desired = this.#drains.keep(change)
    this.#desired = desired
    return { ...change, desired }
  }

  #apply(change: Change<Desired, Observed>): Promise<Applied> {
    const { mode, exec, events } = this.#options
    const plan = mode.diff(change)
    for (const what of plan.kept) events.emit('kept', { family: mode.family, what })
    return applyPlan(plan, exec)
  }

  /** The kernel refused something. Find out whose it is, quarantine that, and program all others. */
  async #makeSoWithoutCulprits(failure: ApplyError, input: PassInput): Promise<Applied> {
    const { mode } = this.#options
    const found = await findCulprits(failure, this.#trial(input))
    for (const [service, reason] of found.culprits) {
      this.#quarantine.add(service, reason)
      this.#options.events.emit('quarantined', { family: mode.family, service, reason })
    }
    return found.applied
  }

  /** How `findCulprits` tries: each trial starts from the kernel as it is. */
  #trial(input: PassInput): Trial {
    const { mode, exec } = this.#options
    return {
      apply: async ({ without, touched }) => {
        const observed = await this.#read('everything')
        let desired = this.#hold(await this.#render('everything', input), observed)
        for (const service of without) desired = mode.hold(desired, observed, service)
        const sweep = input.sweep && !touched
        const change = this.#keepDrains({ observed, desired, touched: touched ?? 'everything', sweep })
        const applied = await this.#apply(change)
        this.#desired = change.desired
        if (touched === undefined) this.#observed = mode.confirm(change)
        return applied
      },
      runIdle: async step => {
        await applyPlan({ ...emptyPlan, steps: [idle(step)] }, exec)
      },
    }
  }

  #hold(desired: Desired, observed: Observed): Desired {
    this.#desired = this.#quarantine.hold(desired, observed)
    return this.#desired
  }

  #remark(scope: Scope): void {
    const { mode, events } = this.#options
    if (this.#desired === undefined) return
    for (const remark of mode.remarks?.(this.#desired, scope) ?? []) events.emit('remarked', { family: mode.family, ...remark })
  }

  #announceProgrammed({ scope, applied, input }: { scope: Scope; applied: Applied; input: PassInput }): void {
    const { mode, events } = this.#options
    const total = () => (this.#desired === undefined ? {} : mode.ruleCounts(this.#desired))
    const held = { decisions: this.#decisions, quarantined: this.quarantined, rules: { written: applied.rules, total } }
    events.emit('programmed', { family: mode.family, scope, ...held, node: input.node, settings: input.settings })
  }

  #report(scope: Scope, done: { readonly applied: Applied; readonly milliseconds: number }): SyncReport {
    const counts = {
      services: this.#decisions.size,
      quarantined: this.quarantined.size,
      draining: this.drains.length,
      hasNodePorts: this.#withNodePorts.size > 0,
    }
    return syncReport({ family: this.family, scope, ...counts, ...done })
  }
}
