// Where a service port answers, and which service ports answer at an address.
import { type Address, isLoopback, ofFamily } from '../model/address.ts'
import { outerNodePortAddresses, primaryAddress } from '../model/node.ts'
import type { Protocol } from '../model/objects.ts'
import type { ServicePort } from '../model/service-port.ts'
import type { Decision } from '../model/traffic-policy.ts'
import type { Inspection } from '../sync/inspect.ts'
import type { TracedService } from './trace-object.ts'

type Known = Pick<Inspection, 'decisions' | 'settings' | 'node' | 'family'>

export interface AddressAt {
  readonly kind: TracedService['addressKind']
  readonly address: Address
  readonly port: number
}

export interface PortAt extends AddressAt {
  readonly protocol: Protocol
  readonly servicePort: ServicePort
  readonly decision: Decision
}

/** The cluster IP first; node ports at the node's addresses that are no loopback. */
export function addressesOf(servicePort: ServicePort, known: Known): readonly AddressAt[] {
  const { clusterIP, port, nodePort, externalIPs, loadBalancerAddresses } = servicePort
  return [
    ...(clusterIP === undefined ? [] : [{ kind: 'cluster IP', address: clusterIP, port } as const]),
    ...loadBalancerAddresses.map(address => ({ kind: 'load balancer', address, port }) as const),
    ...externalIPs.map(address => ({ kind: 'external address', address, port }) as const),
    ...(nodePort === 0
      ? []
      : outerNodePortAddresses(known.settings, known.node, known.family).map(
          address => ({ kind: 'node port', address, port: nodePort }) as const,
        )),
  ]
}

/** What the kernel calls LOCAL, but for what ipvs mode adds. */
export function isOwn({ node }: Pick<Known, 'node'>, address: Address): boolean {
  return node.interfaceAddresses.includes(address) || isLoopback(address)
}

export function nodeAddress({ node, family }: Known): Address | undefined {
  return primaryAddress(node, family) ?? ofFamily(node.interfaceAddresses, family).find(each => !isLoopback(each))
}

/** Node ports count at every address of the node, loopback too: whether they answer there is another question. */
export function portsAt(address: Address, known: Known): readonly PortAt[] {
  return [...known.decisions.values()].flat().flatMap((decision): readonly PortAt[] => {
    const { servicePort } = decision
    const { protocol, nodePort, port } = servicePort
    const about = { protocol, servicePort, decision, address }
    const kind = kindOf(servicePort, address)
    return [
      ...(kind === undefined ? [] : [{ ...about, kind, port }]),
      ...(isOwn(known, address) && nodePort !== 0 ? [{ ...about, kind: 'node port', port: nodePort } as const] : []),
    ]
  })
}

function kindOf({ clusterIP, loadBalancerAddresses, externalIPs }: ServicePort, address: Address): AddressAt['kind'] | undefined {
  if (address === clusterIP) return 'cluster IP'
  if (loadBalancerAddresses.includes(address)) return 'load balancer'
  return externalIPs.includes(address) ? 'external address' : undefined
}
