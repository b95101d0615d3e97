// One reading of the kernel for all who ask before it begins, so that no answer is older than its question: at most one a second, however many ask, and a
// quarter of the time at most, since a full read of a large node takes seconds, and to compare it as long.
import type { Inspection } from './inspect.ts'

type Read<Found> = () => Promise<readonly Found[]>

export class SharedInspections<Found extends Inspection = Inspection> {
  readonly #now: () => number
  readonly #apartMs: number
  #read: Read<Found> = async () => []
  /** Has not begun: who asks now may share it. */
  #next: Promise<readonly Found[]> | undefined
  /** The end of the one that is under way; never rejects. */
  #running: Promise<void> = Promise.resolve()
  #earliest = Number.NEGATIVE_INFINITY

  /** @param options.now milliseconds of a clock that never goes back. */
  constructor({ now, apartMs = 1000 }: { readonly now: () => number; readonly apartMs?: number }) {
    this.#now = now
    this.#apartMs = apartMs
  }

  /** From now on asked for. Until then nothing is there to be found. */
  readBy(read: Read<Found>): void {
    this.#read = read
  }

  /** A reading that has not begun yet: it begins a second after the one before has ended, or three times what that took where it is more. Rejects with what the read rejected with, and so do those who share it. */
  get(): Promise<readonly Found[]> {
    this.#next ??= this.#readInTurn()
    return this.#next
  }

  async #readInTurn(): Promise<readonly Found[]> {
    await this.#running
    const wait = this.#earliest - this.#now()
    if (wait > 0) await new Promise(resolve => setTimeout(resolve, wait).unref())
    this.#next = undefined
    const startedAt = this.#now()
    const found = this.#read()
    const end = (): void => {
      const endedAt = this.#now()
      this.#earliest = endedAt + Math.max(this.#apartMs, 3 * (endedAt - startedAt))
    }
    this.#running = found.then(end, end)
    return found
  }
}
