// Which Services changed and are not in the kernel yet, from the moments of passes. Those that are quarantined wait for nothing.
import type { IpFamily } from '../model/address.ts'
import type { ServiceKey } from '../model/objects.ts'
import type { Scope } from '../modes/mode.ts'
import type { SyncEvents } from './events.ts'
import type { Listeners } from './subscribe.ts'

interface Waiting {
  queued: Scope
  /** In the pass that is under way. */
  passing: Scope
}

const nothing: ReadonlySet<ServiceKey> = new Set()

export class WaitingServices {
  readonly #families = new Map<IpFamily, Waiting>()

  readonly listeners: Listeners<Pick<SyncEvents, 'queued' | 'passStarted' | 'programmed' | 'syncFailed'>> = {
    queued: ({ family, scope }) => {
      const waiting = this.#of(family)
      waiting.queued = union(waiting.queued, scope)
    },
    passStarted: ({ family }) => {
      const waiting = this.#of(family)
      waiting.passing = waiting.queued
      waiting.queued = nothing
    },
    programmed: ({ family }) => {
      this.#of(family).passing = nothing
    },
    syncFailed: ({ family }) => {
      const waiting = this.#of(family)
      waiting.queued = union(waiting.queued, waiting.passing)
      waiting.passing = nothing
    },
  }

  has(key: ServiceKey): boolean {
    return [...this.#families.values()].some(({ queued, passing }) => includes(queued, key) || includes(passing, key))
  }

  #of(family: IpFamily): Waiting {
    const known = this.#families.get(family) ?? { queued: nothing, passing: nothing }
    this.#families.set(family, known)
    return known
  }
}

function union(one: Scope, other: Scope): Scope {
  return one === 'everything' || other === 'everything' ? 'everything' : one.union(other)
}

function includes(scope: Scope, key: ServiceKey): boolean {
  return scope === 'everything' || scope.has(key)
}
