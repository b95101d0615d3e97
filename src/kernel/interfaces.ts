// The addresses that this kernel's interfaces carry.
import { networkInterfaces } from 'node:os'
import { type Address, parseAddress } from '../model/address.ts'

/** All of them, loopback included, of interfaces that are up; sorted. */
export function interfaceAddresses(): readonly Address[] {
  const found = new Set<Address>()
  for (const addresses of Object.values(networkInterfaces())) {
    for (const { address } of addresses ?? []) {
      const parsed = parseAddress(address.split('%')[0] ?? '')
      if (parsed !== undefined) found.add(parsed)
    }
  }
  return [...found].sort()
}
