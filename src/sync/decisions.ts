// The cluster as the store has it → Decisions of one family, kept up to date Service by Service.
import type { IpFamily } from '../model/address.ts'
import type { NodeFacts } from '../model/node.ts'
import type { EndpointSlice, Service, ServiceKey } from '../model/objects.ts'
import { type Decision, decide } from '../model/traffic-policy.ts'
import type { Decisions, Scope } from '../modes/mode.ts'

/** What the sync reads of the store. */
export interface ClusterView {
  service(key: ServiceKey): Service | undefined
  /** Sorted by name. */
  slices(key: ServiceKey): readonly EndpointSlice[]
  services(): Iterable<Service>
}

/** For who wants nothing any more. */
export const emptyCluster: ClusterView = { service: () => undefined, slices: () => [], services: () => [] }

/** Decides anew for the Services in scope and puts the outcome into `decisions`, which is changed in place. */
export function updateDecisions(change: {
  readonly decisions: Map<ServiceKey, readonly Decision[]>
  readonly scope: Scope
  readonly cluster: ClusterView
  readonly family: IpFamily
  readonly node: NodeFacts
}): Decisions {
  const { decisions, scope, cluster, family, node } = change
  if (scope === 'everything') decisions.clear()
  const keys = scope === 'everything' ? serviceKeys(cluster) : scope
  for (const key of keys) {
    const service = cluster.service(key)
    const ofService = service === undefined ? [] : decide({ service, slices: cluster.slices(key), family, node })
    if (ofService.length === 0) decisions.delete(key)
    else decisions.set(key, ofService)
  }
  return decisions
}

function* serviceKeys(cluster: ClusterView): Iterable<ServiceKey> {
  for (const { namespace, name } of cluster.services()) yield `${namespace}/${name}` as ServiceKey
}

/** The Services that have a node port, kept up to date Service by Service. */
export class WithNodePorts {
  readonly #keys = new Set<ServiceKey>()

  get size(): number {
    return this.#keys.size
  }

  update(scope: Scope, decisions: Decisions): void {
    if (scope === 'everything') this.#keys.clear()
    for (const key of scope === 'everything' ? decisions.keys() : scope) {
      const hasOne = decisions.get(key)?.some(({ servicePort }) => servicePort.nodePort !== 0) ?? false
      if (hasOne) this.#keys.add(key)
      else this.#keys.delete(key)
    }
  }
}
