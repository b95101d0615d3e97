// The reading that the first pass needs, begun while the cluster is still being listed: at 10,000 Services it takes a second and more.
// Invariant: it serves one pass, and none where it is old; a reading that fails or is given up is made again for the pass.

/** Whatever someone else changes between this reading and the pass is found by the first check, a second after the pass. */
const holdsMs = 10_000

interface Options<Observed> {
  readonly read: (signal?: AbortSignal) => Promise<Observed>
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number
}

export class ReadAhead<Observed> {
  readonly #options: Options<Observed>
  #begun: Promise<{ readonly observed: Observed; readonly readAt: number } | undefined> | undefined

  constructor(options: Options<Observed>) {
    this.#options = options
  }

  /** Ends where the signal aborts. */
  begin(signal: AbortSignal): void {
    const { read, now } = this.#options
    const forget = (): void => {
      if (this.#begun === begun) this.#begun = undefined
    }
    const begun = read(signal).then(
      observed => {
        // What was read is large, and perhaps nothing comes for which it is used.
        setTimeout(forget, holdsMs).unref()
        return { observed, readAt: now() }
      },
      () => undefined,
    )
    this.#begun = begun
  }

  /** What was begun, or else a reading of its own. */
  async take(): Promise<Observed> {
    const { read, now } = this.#options
    const ahead = await this.#begun
    this.#begun = undefined
    return ahead !== undefined && now() - ahead.readAt < holdsMs ? ahead.observed : read()
  }
}
