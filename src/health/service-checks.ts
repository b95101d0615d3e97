// Which health check node ports there are to be and how many endpoints each has here. Takes what passes programmed, gives the
// whole list at any time; a pass costs what it touched.
import type { Address, IpFamily } from '../model/address.ts'
import { endpointsOf } from '../model/endpoint.ts'
import type { EndpointSlice, ServiceKey } from '../model/objects.ts'
import type { Decision } from '../model/traffic-policy.ts'
import type { Decisions, Scope } from '../modes/mode.ts'

export interface ServiceCheck {
  readonly service: ServiceKey
  /** Service spec.healthCheckNodePort. */
  readonly port: number
  /** Ready endpoints on this node, each address once; of two IP families the one that has more, since a pod has both. */
  readonly localEndpoints: number
}

export interface ProgrammedFamily {
  readonly family: IpFamily
  readonly scope: Scope
  readonly decisions: Decisions
  readonly nodeName: string
  readonly slices: (service: ServiceKey) => readonly EndpointSlice[]
}

export class ServiceChecks {
  readonly #families = new Map<IpFamily, Map<ServiceKey, ServiceCheck>>()

  update(programmed: ProgrammedFamily): void {
    const { family, scope, decisions } = programmed
    const checks = this.#families.get(family) ?? new Map<ServiceKey, ServiceCheck>()
    this.#families.set(family, checks)
    if (scope === 'everything') checks.clear()
    for (const service of scope === 'everything' ? decisions.keys() : scope) {
      const check = checkOf(service, programmed)
      if (check === undefined) checks.delete(service)
      else checks.set(service, check)
    }
  }

  /** By Service. */
  wanted(): ReadonlyMap<ServiceKey, ServiceCheck> {
    const all = new Map<ServiceKey, ServiceCheck>()
    for (const checks of this.#families.values()) {
      for (const [service, check] of checks) {
        const other = all.get(service)
        if (other === undefined || check.localEndpoints > other.localEndpoints) all.set(service, check)
      }
    }
    return all
  }
}

function checkOf(service: ServiceKey, { decisions, nodeName, slices }: ProgrammedFamily): ServiceCheck | undefined {
  const ofService = decisions.get(service) ?? []
  const port = ofService[0]?.servicePort.healthCheckNodePort ?? 0
  return port === 0 ? undefined : { service, port, localEndpoints: countLocal(ofService, slices(service), nodeName) }
}

/** From the slices, not from the Decision: that has none for a load balancer that has no address yet. */
function countLocal(decisions: readonly Decision[], slices: readonly EndpointSlice[], nodeName: string): number {
  const found = new Set<Address>()
  for (const { servicePort } of decisions) {
    for (const { address, local, ready } of endpointsOf(servicePort, slices, nodeName)) if (local && ready) found.add(address)
  }
  return found.size
}
