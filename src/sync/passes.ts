// One family's passes, for those who want to read the kernel between two of them. Makes no pass wait.

const mostReads = 5
/** Milliseconds between the end of a read that a pass spoiled and the next one: whoever asks starts no tool more often. */
const apartMs = 1000

export class Passes {
  #begun = 0
  /** The end of the one that is under way. */
  #passing: Promise<void> | undefined

  async run<T>(pass: () => Promise<T>): Promise<T> {
    const ended = Promise.withResolvers<void>()
    this.#begun++
    this.#passing = ended.promise
    try {
      return await pass()
    } finally {
      this.#passing = undefined
      ended.resolve()
    }
  }

  /**
   * What `use` makes of a read during which no pass was under way, before the next one can begin. Undefined where they come too thick for that, or
   * `isPossible` says no.
   */
  async between<Read, Used>(options: {
    readonly isPossible: () => boolean
    readonly read: () => Promise<Read>
    readonly use: (read: Read) => Used
  }): Promise<Used | undefined> {
    const { isPossible, read, use } = options
    for (let reads = 0; reads < mostReads && isPossible(); reads++) {
      if (reads > 0) await new Promise(resolve => setTimeout(resolve, apartMs))
      while (this.#passing !== undefined) await this.#passing
      if (!isPossible()) return undefined
      const before = this.#begun
      const found = await read()
      if (before === this.#begun) return use(found)
    }
    return undefined
  }
}
