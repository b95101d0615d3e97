// Addresses and CIDR ranges as the kernel prints them.
// Takes text, gives branded text: whoever holds an Address or a Cidr knows that it was parsed, so a renderer may put it
// into a rule as it stands (iptables-restore would resolve a host name, and a newline in a value would be a rule of its own).
// Invariant: the text is canonical, as inet_ntop(3) prints it, so comparing two addresses is comparing two strings.
import { isIPv4, isIPv6 } from 'node:net'
import ipaddr from 'ipaddr.js'

export type IpFamily = 'IPv4' | 'IPv6'
export const ipFamilies: readonly IpFamily[] = ['IPv4', 'IPv6']

/** One IPv4 or IPv6 address, canonical, without a zone. */
export type Address = string & { readonly _brand: 'Address' }

/** A network with its host bits cleared: `10.244.0.0/16`, `fd00::/56`. */
export type Cidr = string & { readonly _brand: 'Cidr' }

/**
 * The canonical form of an address, or undefined where `text` is none.
 * IPv4-mapped IPv6 addresses, zones and leading zeros are refused, as Kubernetes' own strict parser does.
 */
export function parseAddress(text: string): Address | undefined {
  if (isIPv4(text)) return text as Address
  if (!isIPv6(text) || text.includes('%')) return undefined
  const parsed = ipaddr.IPv6.parse(text)
  return parsed.isIPv4MappedAddress() ? undefined : (parsed.toRFC5952String() as Address)
}

/** The network that `text` (`address/length`) names, host bits cleared, or undefined. Surrounding blanks are tolerated, as kube-proxy does. */
export function parseCidr(text: string): Cidr | undefined {
  const [addressText, lengthText, ...rest] = text.trim().split('/')
  if (addressText === undefined || lengthText === undefined || rest.length > 0) return undefined
  const address = parseAddress(addressText)
  if (address === undefined || !/^(0|[1-9]\d{0,2})$/.test(lengthText)) return undefined
  const length = Number(lengthText)
  if (length > addressBits(familyOf(address))) return undefined
  const network = familyOf(address) === 'IPv4' ? ipaddr.IPv4 : ipaddr.IPv6
  const masked = network.networkAddressFromCIDR(`${address}/${length}`)
  const canonical = parseAddress(masked.toString())
  return canonical === undefined ? undefined : (`${canonical}/${length}` as Cidr)
}

export function familyOf(value: Address | Cidr): IpFamily {
  return value.includes(':') ? 'IPv6' : 'IPv4'
}

/** The network that holds this one address: `/32` or `/128`. */
export function hostCidr(address: Address): Cidr {
  return `${address}/${addressBits(familyOf(address))}` as Cidr
}

export function contains(cidr: Cidr, address: Address): boolean {
  return familyOf(cidr) === familyOf(address) && ipaddr.parse(address).match(ipaddr.parseCIDR(cidr))
}

/** Whether the range is the whole family: `0.0.0.0/0` or `::/0`. */
export function isWholeFamily(cidr: Cidr): boolean {
  return cidr.endsWith('/0')
}

export function isLoopback(address: Address): boolean {
  return address === '::1' || address.startsWith('127.')
}

/** `address:port` as Kubernetes and iptables write it: IPv6 in brackets. Port is 1 to 65535. */
export function hostPort(address: Address, port: number): string {
  return familyOf(address) === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`
}

export function ofFamily<T extends Address | Cidr>(values: readonly T[], family: IpFamily): readonly T[] {
  return values.filter(value => familyOf(value) === family)
}

function addressBits(family: IpFamily): 32 | 128 {
  return family === 'IPv4' ? 32 : 128
}

/** All hexadecimal digits of the address, 8 or 32: `0a600001`. */
export function hexDigits(address: Address): string {
  const bytes = ipaddr.parse(address).toByteArray()
  return bytes.map(byte => byte.toString(16).padStart(2, '0')).join('')
}

/** The network of all addresses of the family whose hexadecimal digits begin so: `0a6` is 10.96.0.0/12. */
export function networkOfDigits(digits: string, family: IpFamily): Cidr {
  const padded = digits.padEnd(addressBits(family) / 4, '0')
  const bytes = (padded.match(/../g) ?? []).map(byte => Number.parseInt(byte, 16))
  const address = parseAddress(ipaddr.fromByteArray(bytes).toString())
  return `${address}/${digits.length * 4}` as Cidr
}
