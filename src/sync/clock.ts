// Time for observers, passed in so that a test can hold it still.

export interface ObserverClock {
  /** Milliseconds of a clock that never goes back: for ages. */
  now(): number
  /** Milliseconds since 1970: for people and for other machines. */
  wall(): number
}

export const systemObserverClock: ObserverClock = { now: () => performance.now(), wall: () => Date.now() }
