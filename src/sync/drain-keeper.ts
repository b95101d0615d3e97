// What drains, between a mode that knows what may linger and a loop that knows when to look. Does nothing in a mode where nothing drains.
import type { Exec } from '../kernel/exec.ts'
import { type Change, type Drain, type Draining, drainKey, type EarlierDrains } from '../modes/mode.ts'
import { runQueries } from './apply.ts'

/** What drains now, as whoever comes next is told of it. */
export function asEarlier(drains: readonly Drain[]): EarlierDrains {
  return new Map(drains.map(drain => [drainKey(drain), drain]))
}

export interface DrainKeeperOptions<Desired, Observed> {
  readonly draining: Draining<Desired, Observed> | undefined
  readonly exec: Exec
  /** Milliseconds since 1970: a deadline outlives the process. */
  readonly wall: () => number
  readonly earlier: EarlierDrains
}

export class DrainKeeper<Desired, Observed> {
  readonly #options: DrainKeeperOptions<Desired, Observed>
  #hasNews = false
  #earlier: EarlierDrains

  constructor(options: DrainKeeperOptions<Desired, Observed>) {
    this.#options = options
    this.#earlier = options.earlier
  }

  /** Whether a look found something that is over. */
  get hasNews(): boolean {
    return this.#hasNews
  }

  keep(change: Change<Desired, Observed>): Desired {
    const { draining, wall } = this.#options
    this.#hasNews = false
    const desired = draining?.keep(change, { now: wall(), earlier: this.#earlier }) ?? change.desired
    // From here on the mode knows; what ends and begins anew later is another matter.
    this.#earlier = new Map()
    return desired
  }

  /** Throws CommandError where the kernel does not tell; deadlines hold all the same. */
  async look(desired: Desired | undefined): Promise<void> {
    const { draining, exec, wall } = this.#options
    if (draining === undefined || desired === undefined) return
    let outputs: readonly string[] | undefined
    try {
      outputs = await runQueries(draining.queries, exec)
    } finally {
      if (draining.look(desired, outputs, wall())) this.#hasNews = true
    }
  }

  list(desired: Desired | undefined): readonly Drain[] {
    return desired === undefined ? [] : (this.#options.draining?.list(desired) ?? [])
  }
}
