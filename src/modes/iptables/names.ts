// Chain names as kube-proxy makes them: operators, tutorials and kube-proxy itself know them by heart.
import { hash } from 'node:crypto'
import type { Endpoint } from '../../model/endpoint.ts'
import type { ServicePort } from '../../model/service-port.ts'
import type { Fate } from '../../model/traffic-policy.ts'

/** Endpoints of policy Cluster. */
export function clusterPolicyChain(servicePort: ServicePort): string {
  return `KUBE-SVC-${servicePortHash(servicePort)}`
}
/** Endpoints of policy Local. */
export function localPolicyChain(servicePort: ServicePort): string {
  return `KUBE-SVL-${servicePortHash(servicePort)}`
}
/** What comes to external addresses and node ports. */
export function externalChain(servicePort: ServicePort): string {
  return `KUBE-EXT-${servicePortHash(servicePort)}`
}
/** What comes to load balancer addresses with source ranges. */
export function firewallChain(servicePort: ServicePort): string {
  return `KUBE-FW-${servicePortHash(servicePort)}`
}
/** One endpoint of one service port. */
export function endpointChain(servicePort: ServicePort, endpoint: Endpoint): string {
  return `KUBE-SEP-${chainHash(servicePort.name + servicePort.protocol.toLowerCase() + endpoint.hostPort)}`
}

/** The chain that a Fate leads to; undefined where it leads to none. */
export function internalChain(servicePort: ServicePort, internal: Fate): string | undefined {
  return typeof internal === 'string' ? undefined : policyChainOf(servicePort, internal)
}

/** The chain of a policy's endpoints. */
export function policyChainOf(servicePort: ServicePort, fate: Exclude<Fate, string>): string {
  return fate.to === 'Local' ? localPolicyChain(servicePort) : clusterPolicyChain(servicePort)
}

/** What the names of a service port's own chains end with. */
export function servicePortHash(servicePort: ServicePort): string {
  return chainHash(servicePort.name + servicePort.protocol.toLowerCase())
}

const base32Alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** The first five bits of a hash. */
export function base32Value(hashText: string): number {
  return base32Alphabet.indexOf(hashText.charAt(0))
}

/** For names that say a text in few characters; at most 16. */
export function shortHash(text: string, length: number): string {
  return chainHash(text).slice(0, length)
}

/** A Service's chains are named several times while it is rendered: by themselves and by those that lead to them. */
const recent = new Map<string, string>()
const mostRecent = 2000

function chainHash(text: string): string {
  const known = recent.get(text)
  if (known !== undefined) return known
  if (recent.size >= mostRecent) recent.clear()
  const made = hashed(text)
  recent.set(text, made)
  return made
}

/** The first 16 characters of the base32 form of the SHA-256 sum: 80 bits, ten bytes. */
function hashed(text: string): string {
  const digest = hash('sha256', text, 'buffer')
  let name = ''
  let bits = 0
  let count = 0
  for (let index = 0; index < 10; index++) {
    bits = ((bits & 31) << 8) | (digest[index] ?? 0)
    for (count += 8; count >= 5; count -= 5) name += base32Alphabet[(bits >> (count - 5)) & 31]
  }
  return name
}
