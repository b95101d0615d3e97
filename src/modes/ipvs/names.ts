// Names and shapes of what ipvs mode makes beside rules: kube-proxy's sets and its dummy link, and one set of our own.
import type { SetShape } from '../../kernel/ipset.ts'
import type { IpFamily } from '../../model/address.ts'
import type { Protocol } from '../../model/objects.ts'

/** Carries the service addresses, so that the kernel takes packets to them for its own and IPVS sees them. */
export const serviceLink = 'kube-ipvs0'

const ipPort = 'hash:ip,port'
const ipPortIp = 'hash:ip,port,ip'
const ports = 'bitmap:port'

/**
 * By kind, the type of the set, in the order in which entries are added: a source range stands before the firewall that would drop it, and
 * what asks for masquerading is there before anything is sent on.
 */
const setTypes = {
  'LOOP-BACK': ipPortIp,
  'CLUSTER-IP': ipPort,
  'EXTERNAL-IP': ipPort,
  'EXTERNAL-IP-LOCAL': ipPort,
  'LOAD-BALANCER': ipPort,
  'LOAD-BALANCER-LOCAL': ipPort,
  'LOAD-BALANCER-SOURCE-CIDR': 'hash:ip,port,net',
  'LOAD-BALANCER-SOURCE-IP': ipPortIp,
  'LOAD-BALANCER-FW': ipPort,
  'NODE-PORT-TCP': ports,
  'NODE-PORT-LOCAL-TCP': ports,
  'NODE-PORT-UDP': ports,
  'NODE-PORT-LOCAL-UDP': ports,
  'NODE-PORT-SCTP-HASH': ipPort,
  'NODE-PORT-LOCAL-SCTP-HASH': ipPort,
  'HEALTH-CHECK-NODE-PORT': ports,
  'NO-LOCAL': ipPort,
  'IPVS-IPS': 'hash:ip',
} as const

export type SetKind = keyof typeof setTypes

/** A set under this name is being filled before it takes another one's place; the families do not wait for each other. */
export function spareSet(family: IpFamily): SetName {
  return `SWITCHYARD-${family === 'IPv6' ? '6-' : ''}SPARE` as SetName
}

/** Of a set that we make. */
export type SetName = string & { readonly _brand: 'SetName' }

export const setKinds = Object.keys(setTypes) as readonly SetKind[]

/** The kernel's longest name; kube-proxy cuts those of IPv6. */
const longestName = 31

/** NO-LOCAL is Switchyard's own and says so; all others are kube-proxy's. */
export function setName(kind: SetKind, family: IpFamily): SetName {
  const owner = kind === 'NO-LOCAL' ? 'SWITCHYARD' : 'KUBE'
  return `${owner}-${family === 'IPv6' ? '6-' : ''}${kind}`.slice(0, longestName) as SetName
}

/** As kube-proxy makes them; the kernel's default of 65,536 entries is the least. */
export const usualEntries = 65_536

export function setShape(kind: SetKind, family: IpFamily): SetShape {
  const type = setTypes[kind]
  if (type === ports) return { type, options: 'range 0-65535', maxEntries: undefined }
  return { type, options: `family ${family === 'IPv6' ? 'inet6' : 'inet'}`, maxEntries: usualEntries }
}

/** The set of node ports of a protocol, of all Services or of those with externalTrafficPolicy Local. */
export function nodePortKind(protocol: Protocol, which: 'all' | 'local'): SetKind {
  const local = which === 'local' ? 'LOCAL-' : ''
  return protocol === 'SCTP' ? `NODE-PORT-${local}SCTP-HASH` : `NODE-PORT-${local}${protocol}`
}
