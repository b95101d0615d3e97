// The same thing said again is not another Event but a higher count of the one that there is. Takes notes and times; gives what
// to create and, now and then, what to update. Pure state; milliseconds since 1970.
import { type Note, noteKey } from './note.ts'

export interface Series {
  readonly note: Note
  /** The Event's name. */
  readonly name: string
  /** How often it was observed. */
  count: number
  lastObserved: number
  /** The count that the API server knows; 0 before the Event is created there. */
  sentCount: number
  /** When something was last sent of it, or, before that, when it was first observed. */
  lastSent: number
}

/** A count is brought up to date this often at most. */
export const updateEveryMs = 60_000
/** What was not observed for so long and happens again is a new Event. */
export const forgottenAfterMs = 600_000
/** Different things to say at a time; beyond, the one that was observed longest ago is forgotten. */
const mostSeries = 500

export class SeriesBook {
  readonly #series = new Map<string, Series>()

  /** A series whose Event is to be created; undefined where there is one already, which now counts one more. */
  observe(note: Note, { name, now }: { readonly name: string; readonly now: number }): Series | undefined {
    const key = noteKey(note)
    const known = this.#series.get(key)
    if (known !== undefined && now - known.lastObserved < forgottenAfterMs) {
      known.count += 1
      known.lastObserved = now
      this.#moveToEnd(key, known)
      return undefined
    }
    const fresh: Series = { note, name, count: 1, lastObserved: now, sentCount: 0, lastSent: now }
    this.#moveToEnd(key, fresh)
    this.#forgetBeyondLimit()
    return fresh
  }

  /** The API server has it with this count. */
  sent(series: Series, { count, now }: { readonly count: number; readonly now: number }): void {
    series.sentCount = count
    series.lastSent = now
  }

  /** It could not be created, or is gone there: when it is observed again it is new. */
  forget(series: Series): void {
    const key = noteKey(series.note)
    if (this.#series.get(key) === series) this.#series.delete(key)
  }

  /** Created ones whose count at the server is behind and was not updated for a while; also forgets what is over. */
  due(now: number): readonly Series[] {
    const due: Series[] = []
    for (const series of this.#series.values()) {
      const behind = series.sentCount > 0 && series.count > series.sentCount
      if (behind && now - series.lastSent >= updateEveryMs) due.push(series)
      if (!behind && now - series.lastObserved >= forgottenAfterMs) this.forget(series)
    }
    return due
  }

  get size(): number {
    return this.#series.size
  }

  /** Map order is by last observation. */
  #moveToEnd(key: string, series: Series): void {
    this.#series.delete(key)
    this.#series.set(key, series)
  }

  #forgetBeyondLimit(): void {
    const [oldest] = this.#series.keys()
    if (this.#series.size > mostSeries && oldest !== undefined) this.#series.delete(oldest)
  }
}
