// The Services that the kernel refused, each with its reason: for these what we want is what the kernel holds, until they change.
import type { ServiceKey } from '../model/objects.ts'
import type { Mode } from '../modes/mode.ts'

export class Quarantine<Desired, Observed> {
  readonly #mode: Mode<Desired, Observed>
  readonly #reasons = new Map<ServiceKey, string>()

  constructor(mode: Mode<Desired, Observed>) {
    this.#mode = mode
  }

  get reasons(): ReadonlyMap<ServiceKey, string> {
    return this.#reasons
  }

  add(service: ServiceKey, reason: string): void {
    this.#reasons.set(service, reason)
  }

  hold(desired: Desired, observed: Observed): Desired {
    let held = desired
    for (const service of this.#reasons.keys()) held = this.#mode.hold(held, observed, service)
    return held
  }

  /** Those that changed are tried again. Gives them with their reasons. */
  release(changed: ReadonlySet<ServiceKey>): ReadonlyMap<ServiceKey, string> {
    const released = new Map([...this.#reasons].filter(([service]) => changed.has(service)))
    for (const service of released.keys()) this.#reasons.delete(service)
    return released
  }

  /** The pass in which they were tried failed before it could tell. A reason that it found is the newer one. */
  takeBack(released: ReadonlyMap<ServiceKey, string>): void {
    for (const [service, reason] of released) this.#reasons.set(service, this.#reasons.get(service) ?? reason)
  }
}
