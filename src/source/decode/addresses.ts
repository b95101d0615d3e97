// Addresses from outside: parsed, and refused where they can be no destination of forwarded traffic.
// Gives canonical addresses that share no memory with their source.
import { type Address, familyOf, type IpFamily, parseAddress } from '../../model/address.ts'
import { copyText } from '../../model/text.ts'
import { type DecodeProblem, show, type Warnings } from './problem.ts'

export type SpecialAddress = 'unspecified' | 'loopback' | 'link-local' | 'multicast'

/** What the API server refuses for endpoints and external addresses: nothing behind them could be reached by forwarding. */
export const neverForwarded: readonly SpecialAddress[] = ['unspecified', 'loopback', 'link-local', 'multicast']

/** What would capture the node's own traffic or cannot be a destination at all. Link-local addresses of load balancers exist. */
export const neverVirtual: readonly SpecialAddress[] = ['unspecified', 'loopback', 'multicast']

export const addressRule = 'an IPv4 or IPv6 address (no host name, no zone, no leading zeros)'

/** Which special range an address lies in. Broadcast counts as multicast, all of 0.0.0.0/8 as unspecified. */
export function specialAddress(address: Address): SpecialAddress | undefined {
  return familyOf(address) === 'IPv4' ? specialIPv4(address) : specialIPv6(address)
}

function specialIPv4(address: Address): SpecialAddress | undefined {
  if (address.startsWith('10.')) return undefined
  if (address.startsWith('127.')) return 'loopback'
  if (address.startsWith('169.254.')) return 'link-local'
  const first = Number(address.slice(0, address.indexOf('.')))
  if (first === 0) return 'unspecified'
  return first >= 224 ? 'multicast' : undefined
}

// The text is canonical, so a first group of fewer than four digits is a small number.
function specialIPv6(address: Address): SpecialAddress | undefined {
  if (address === '::') return 'unspecified'
  if (address === '::1') return 'loopback'
  if (/^fe[89ab][0-9a-f]:/.test(address)) return 'link-local'
  return /^ff[0-9a-f]{2}:/.test(address) ? 'multicast' : undefined
}

/** The address, or what is wrong with it (completes "expected ..."). */
export function usableAddress(
  value: unknown,
  refused: readonly SpecialAddress[],
): { readonly address: Address } | { readonly expected: string } {
  const address = typeof value === 'string' ? parseAddress(value) : undefined
  if (address === undefined) return { expected: addressRule }
  const special = specialAddress(address)
  if (special !== undefined && refused.includes(special)) return { expected: `an address that is not ${special}` }
  return { address: copyText(address) }
}

export interface AddressList {
  readonly values: readonly { readonly value: unknown; readonly path: string }[]
  readonly refused: readonly SpecialAddress[]
  readonly warnings: Warnings
  readonly advice: string
}

/** Each usable address once, in order; a bad one is left out with a warning. */
export function usableAddresses({ values, refused, warnings, advice }: AddressList): readonly Address[] {
  const addresses = new Set<Address>()
  for (const { value, path } of values) {
    const result = usableAddress(value, refused)
    if ('address' in result) addresses.add(result.address)
    else warnings.add({ path, seen: show(value), expected: result.expected, advice } satisfies DecodeProblem)
  }
  return [...addresses]
}

export function familiesOf(addresses: readonly Address[]): readonly IpFamily[] {
  return [...new Set(addresses.map(familyOf))]
}
