// A packet on its way through the hooks of netfilter: what rules ask of it, and change.
import type { Address } from '../../model/address.ts'
import type { Protocol } from '../../model/objects.ts'

export type Hook = 'PREROUTING' | 'INPUT' | 'FORWARD' | 'OUTPUT' | 'POSTROUTING'

export interface Place {
  readonly address: Address
  readonly port: number
}

export interface Passing {
  readonly hook: Hook
  readonly protocol: Protocol
  readonly source: Address
  /** As it is now: a translated one has another than it came with. */
  readonly destination: Place
  readonly originalDestination: Place
  readonly mark: number
  /** Names of links; empty: there is none at this hook; undefined: nobody knows. */
  readonly comesBy: string | undefined
  readonly leavesBy: string | undefined
  readonly isTranslated: boolean
  /** Connection tracking sees it, so table nat does. */
  readonly isTracked: boolean
  /** IPVS sent it on, and this is the virtual server that it came to. */
  readonly virtualServer: Place | undefined
}

/** What the kernel knows besides rules. */
export interface Surroundings {
  /** Whether the address is the node's own, as `--dst-type LOCAL` has it. */
  readonly isLocal: (address: Address) => boolean
  /** Whether a set has the packet, by `src,dst` as in the rule; undefined: it cannot be told. */
  readonly isInSet: (set: string, directions: readonly string[], packet: Passing) => boolean | undefined
}

/** The node's own by nature, whatever its links carry. */
export function isLoopbackRange(address: Address): boolean {
  return address === '::1' || address.startsWith('127.')
}
