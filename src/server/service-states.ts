// Moments of the sync → how far each Service's rules are: in the kernel, waiting, quarantined, and what it asks for and does not get.
import type { ServiceState } from '../explain/services-object.ts'
import type { IpFamily } from '../model/address.ts'
import { type Service, type ServiceKey, serviceKey } from '../model/objects.ts'
import type { Scope } from '../modes/mode.ts'
import type { SyncEvents } from '../sync/events.ts'
import { StandingRemarks } from '../sync/standing-remarks.ts'
import type { Listeners } from '../sync/subscribe.ts'

interface Known {
  /** What changed and is in no pass yet, and what is in the one that is under way. */
  queued: Waiting
  underWay: Waiting
  quarantined: ReadonlyMap<ServiceKey, string>
}

export class ServiceStates {
  readonly #families: ReadonlyMap<IpFamily, Known>
  readonly #remarks = new StandingRemarks()

  constructor(families: readonly IpFamily[]) {
    this.#families = new Map(
      families.map(family => [family, { queued: new Waiting(), underWay: new Waiting(), quarantined: new Map() }]),
    )
    // Before the first pass nothing is in the kernel for certain.
    for (const { queued } of this.#families.values()) queued.add('everything')
  }

  readonly listeners: Listeners<SyncEvents> = {
    queued: ({ family, scope }) => this.#families.get(family)?.queued.add(scope),
    passStarted: pass => {
      this.#remarks.passStarted(pass)
      this.#move(pass.family, 'queued', 'underWay')
    },
    remarked: remark => void this.#remarks.remarked(remark),
    programmed: pass => {
      this.#remarks.programmed(pass)
      const known = this.#families.get(pass.family)
      if (known !== undefined) known.quarantined = pass.quarantined
    },
    synced: ({ family }) => {
      const known = this.#families.get(family)
      if (known !== undefined) known.underWay = new Waiting()
    },
    syncFailed: ({ family }) => this.#move(family, 'underWay', 'queued'),
  }

  /** As it is now, of Services that are ours, in the families that each has. */
  read(): (service: Service) => ServiceState {
    const messages = Map.groupBy(
      [...this.#families.keys()].flatMap(family => this.#remarks.ofFamily(family).map(remark => ({ family, ...remark }))),
      ({ service }) => service,
    )
    return ({ namespace, name, ipFamilies }) => {
      const key = serviceKey(namespace, name)
      const families = [...this.#families].filter(([family]) => ipFamilies.includes(family))
      const reasons = families.flatMap(([family, { quarantined }]) => {
        const reason = quarantined.get(key)
        return reason === undefined ? [] : [`${family}: the kernel refuses its rules, and it keeps what it had: ${reason}`]
      })
      const waits = families.some(([, { queued, underWay }]) => queued.has(key) || underWay.has(key))
      // Both families say the same of a dual-stack Service.
      const said = new Set(messages.get(key)?.map(({ message }) => message))
      return {
        programmed: reasons.length > 0 ? 'quarantined' : waits ? 'waiting' : 'yes',
        remarks: [...reasons, ...said],
      }
    }
  }

  #move(family: IpFamily, from: 'queued' | 'underWay', to: 'queued' | 'underWay'): void {
    const known = this.#families.get(family)
    if (known === undefined) return
    for (const scope of known[from].scopes()) known[to].add(scope)
    known[from] = new Waiting()
  }
}

/** A Scope that grows. */
class Waiting {
  #everything = false
  readonly #keys = new Set<ServiceKey>()

  add(scope: Scope): void {
    if (scope === 'everything') this.#everything = true
    else for (const key of scope) this.#keys.add(key)
  }

  has(key: ServiceKey): boolean {
    return this.#everything || this.#keys.has(key)
  }

  scopes(): readonly Scope[] {
    return [...(this.#everything ? ['everything' as const] : []), this.#keys]
  }
}
