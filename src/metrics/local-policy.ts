// How many service ports have policy Local, endpoints somewhere, and none on this node: their traffic is dropped here.
import type { ServiceKey } from '../model/objects.ts'
import { isExternallyAccessible } from '../model/service-port.ts'
import type { Decision } from '../model/traffic-policy.ts'
import type { Decisions, Scope } from '../modes/mode.ts'

interface Count {
  readonly internal: number
  readonly external: number
}

/** Of one IP family. A pass costs what it touched. */
export class LocalPolicyCount {
  readonly #services = new Map<ServiceKey, Count>()

  update(scope: Scope, decisions: Decisions): void {
    if (scope === 'everything') this.#services.clear()
    for (const service of scope === 'everything' ? decisions.keys() : scope) {
      const count = countDropped(decisions.get(service) ?? [])
      if (count.internal + count.external === 0) this.#services.delete(service)
      else this.#services.set(service, count)
    }
  }

  total(): Count {
    const total = { internal: 0, external: 0 }
    for (const { internal, external } of this.#services.values()) {
      total.internal += internal
      total.external += external
    }
    return total
  }
}

function countDropped(decisions: readonly Decision[]): Count {
  return {
    internal: decisions.filter(({ internal }) => internal === 'drop').length,
    external: decisions.filter(({ external, servicePort }) => external === 'drop' && isExternallyAccessible(servicePort)).length,
  }
}
