// The reading that the first pass needs, begun while the cluster is still being listed: at 10,000 Services it takes a second and more.
// Invariant: it serves one pass, and none where it is old; a read that fails or is given up is made again by the pass.

/** Whatever someone else changes between this reading and the pass is found by the first check, a second after the pass. */
const holdsMs = 10_000

export class ReadAhead<Observed> {
  readonly #now: () => number
  #begun: Promise<{ readonly observed: Observed; readonly readAt: number } | undefined> | undefined

  /** @param now milliseconds of a clock that never goes back. */
  constructor(now: () => number) {
    this.#now = now
  }

  begin(read: () => Promise<Observed>): void {
    const forget = (): void => {
      if (this.#begun === begun) this.#begun = undefined
    }
    const begun = read().then(
      observed => {
        // What was read is large, and perhaps nothing comes for which it is used.
        setTimeout(forget, holdsMs).unref()
        return { observed, readAt: this.#now() }
      },
      () => undefined,
    )
    this.#begun = begun
  }

  /** Waits for the end of a reading that was begun. Undefined where there is none to use. */
  async take(): Promise<Observed | undefined> {
    const read = await this.#begun
    this.#begun = undefined
    return read !== undefined && this.#now() - read.readAt < holdsMs ? read.observed : undefined
  }
}
