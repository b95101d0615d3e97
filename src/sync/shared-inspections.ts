// One reading of the kernel for all who ask: at most one a second, however many ask, and a quarter of the time at most, since a full read of a large
// node takes seconds, and to compare it as long.
import type { Inspection } from './inspect.ts'

type Read<Found> = () => Promise<readonly Found[]>

export class SharedInspections<Found extends Inspection = Inspection> {
  readonly #now: () => number
  readonly #apartMs: number
  #read: Read<Found> = async () => []
  #latest: { readonly found: Promise<readonly Found[]>; until: number } | undefined

  /** @param options.now milliseconds of a clock that never goes back. */
  constructor({ now, apartMs = 1000 }: { readonly now: () => number; readonly apartMs?: number }) {
    this.#now = now
    this.#apartMs = apartMs
  }

  /** From now on asked for. Until then nothing is there to be found. */
  readBy(read: Read<Found>): void {
    this.#read = read
    this.#latest = undefined
  }

  /** Of now, or of a little while ago: a second, or three times what it took where that was more. Rejects with what the read rejected with, and so do those who share it. */
  get(): Promise<readonly Found[]> {
    const latest = this.#latest
    const startedAt = this.#now()
    if (latest !== undefined && startedAt < latest.until) return latest.found
    const fresh = { found: this.#read(), until: Number.POSITIVE_INFINITY }
    this.#latest = fresh
    const end = (): void => {
      const endedAt = this.#now()
      const keptMs = Math.max(this.#apartMs, 3 * (endedAt - startedAt))
      fresh.until = endedAt + keptMs
      // What was read is large.
      setTimeout(() => {
        if (this.#latest === fresh) this.#latest = undefined
      }, keptMs).unref()
    }
    fresh.found.then(end, end)
    return fresh.found
  }
}
