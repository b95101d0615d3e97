// The reading that the first pass needs, begun while the cluster is still being listed: at 10,000 Services it takes a second and more.
// Invariant: it serves one pass, and none where it is old; a reading that fails or is given up is made again for the pass.

/** Milliseconds from its end. Whatever someone else changes between this reading and the pass is found by the first check, a second after the pass. */
const holdsMs = 10_000

type Read<Observed> = (signal?: AbortSignal) => Promise<Observed>

export class ReadAhead<Observed> {
  readonly #read: Read<Observed>
  #begun: Promise<Observed | undefined> | undefined

  constructor(read: Read<Observed>) {
    this.#read = read
  }

  /** Ends where the signal aborts. */
  begin(signal: AbortSignal): void {
    const forget = (): void => {
      if (this.#begun === begun) this.#begun = undefined
    }
    const begun = this.#read(signal).then(
      observed => {
        setTimeout(forget, holdsMs).unref()
        return observed
      },
      () => undefined,
    )
    this.#begun = begun
  }

  /** What was begun, or else a reading of its own. */
  async take(): Promise<Observed> {
    const ahead = await this.#begun
    this.#begun = undefined
    return ahead ?? this.#read()
  }
}
