// Collections that count how often they are asked, so that a test can say what a change costs without a clock.

export interface Counter {
  count: number
}

/** Each get, has, set and delete counts one; a walk counts one an entry. */
export class CountingMap<Key, Value> extends Map<Key, Value> {
  // Undefined while the constructor of Map fills it.
  readonly #counter: Counter | undefined

  constructor(entries: Iterable<readonly [Key, Value]>, counter: Counter) {
    super(entries)
    this.#counter = counter
  }

  #add(): void {
    if (#counter in this && this.#counter !== undefined) this.#counter.count++
  }

  override get(key: Key): Value | undefined {
    this.#add()
    return super.get(key)
  }
  override has(key: Key): boolean {
    this.#add()
    return super.has(key)
  }
  override set(key: Key, value: Value): this {
    if (#counter in this) this.#add()
    return super.set(key, value)
  }
  override delete(key: Key): boolean {
    this.#add()
    return super.delete(key)
  }
  override *entries(): MapIterator<[Key, Value]> {
    for (const entry of super.entries()) {
      this.#add()
      yield entry
    }
  }
  override *keys(): MapIterator<Key> {
    for (const [key] of this.entries()) yield key
  }
  override *values(): MapIterator<Value> {
    for (const [, value] of this.entries()) yield value
  }
  override [Symbol.iterator](): MapIterator<[Key, Value]> {
    return this.entries()
  }
  override forEach(callback: (value: Value, key: Key, map: Map<Key, Value>) => void): void {
    for (const [key, value] of this.entries()) callback(value, key, this)
  }
}

/** As CountingMap: each has, add and delete counts one, a walk one a value. */
export class CountingSet<Value> extends Set<Value> {
  readonly #counter: Counter | undefined

  constructor(values: Iterable<Value>, counter: Counter) {
    super(values)
    this.#counter = counter
  }

  #add(): void {
    if (#counter in this && this.#counter !== undefined) this.#counter.count++
  }

  override has(value: Value): boolean {
    this.#add()
    return super.has(value)
  }
  override add(value: Value): this {
    if (#counter in this) this.#add()
    return super.add(value)
  }
  override delete(value: Value): boolean {
    this.#add()
    return super.delete(value)
  }
  override *values(): SetIterator<Value> {
    for (const value of super.values()) {
      this.#add()
      yield value
    }
  }
  override keys(): SetIterator<Value> {
    return this.values()
  }
  override [Symbol.iterator](): SetIterator<Value> {
    return this.values()
  }
  override forEach(callback: (value: Value, again: Value, set: Set<Value>) => void): void {
    for (const value of this.values()) callback(value, value, this)
  }
}
