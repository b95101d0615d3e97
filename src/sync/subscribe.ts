// Listening to named moments without being able to harm the flow: a listener that throws is reported, and all else goes on.
import type { EventEmitter } from 'node:events'

/** What an observer says to people. */
export interface ObserverLog {
  readonly debug: (message: string) => void
  readonly info: (message: string) => void
  readonly warn: (message: string) => void
  readonly error: (message: string) => void
}

/** One listener for each moment that someone cares about. */
export type Listeners<Moments> = {
  readonly [Name in keyof Moments]?: Moments[Name] extends [infer Value] ? (value: Value) => void : never
}

/** Subscribes; the result ends it. Each mistake of a listener is said once. */
export function subscribe<Moments extends Record<keyof Moments, [unknown]>>(
  emitter: EventEmitter<Moments>,
  listeners: Listeners<Moments>,
  log: ObserverLog,
): () => void {
  const plain = emitter as unknown as EventEmitter<Record<string, [unknown]>>
  const said = new Set<string>()
  const guarded = Object.entries(listeners).map(([name, listener]) => {
    const guard = (value: unknown): void => {
      try {
        ;(listener as (value: unknown) => void)(value)
      } catch (error) {
        const problem = `a listener of ${name} failed: ${error instanceof Error ? error.message : error}; this is a mistake in Switchyard, report it`
        if (!said.has(problem)) log.error(problem)
        said.add(problem)
      }
    }
    plain.on(name, guard)
    return { name, guard }
  })
  return () => {
    for (const { name, guard } of guarded) plain.off(name, guard)
  }
}
