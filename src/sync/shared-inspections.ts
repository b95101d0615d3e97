// One reading of the kernel for all who ask: at most one a second, however many ask, since a full read may cost as long.
import type { Inspection } from './inspect.ts'

type Read = () => Promise<readonly Inspection[]>

export class SharedInspections {
  readonly #now: () => number
  readonly #apartMs: number
  #read: Read = async () => []
  #latest: { readonly found: Promise<readonly Inspection[]>; endedAt: number | undefined } | undefined

  /** @param options.now milliseconds of a clock that never goes back. */
  constructor({ now, apartMs = 1000 }: { readonly now: () => number; readonly apartMs?: number }) {
    this.#now = now
    this.#apartMs = apartMs
  }

  /** From now on asked for. Until then nothing is there to be found. */
  readBy(read: Read): void {
    this.#read = read
    this.#latest = undefined
  }

  /** Of now, or of less than a second ago. Rejects with what the read rejected with, and so do those who share it. */
  get(): Promise<readonly Inspection[]> {
    const latest = this.#latest
    if (latest !== undefined && (latest.endedAt === undefined || this.#now() - latest.endedAt < this.#apartMs))
      return latest.found
    const fresh = { found: this.#read(), endedAt: undefined as number | undefined }
    this.#latest = fresh
    const end = (): void => {
      fresh.endedAt = this.#now()
      // What was read is large.
      setTimeout(() => {
        if (this.#latest === fresh) this.#latest = undefined
      }, this.#apartMs).unref()
    }
    fresh.found.then(end, end)
    return fresh.found
  }
}
