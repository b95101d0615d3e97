// The addresses that this kernel's interfaces carry.
import { networkInterfaces } from 'node:os'
import { type Address, parseAddress } from '../model/address.ts'

/**
 * All of them that a packet from elsewhere may have as destination, and loopback, of interfaces that are up, but for the link `except`; sorted.
 * Link-local ones come and go with every pod.
 */
export function interfaceAddresses(except: string): readonly Address[] {
  const found = new Set<Address>()
  for (const [link, addresses] of Object.entries(networkInterfaces())) {
    if (link === except) continue
    for (const { address } of addresses ?? []) {
      const parsed = parseAddress(address.split('%')[0] ?? '')
      if (parsed !== undefined && !isLinkLocal(parsed)) found.add(parsed)
    }
  }
  return [...found].sort()
}

/** fe80::/10. */
function isLinkLocal(address: Address): boolean {
  return /^fe[89ab]/.test(address)
}
