// Links and addresses by ip(8): what it prints with -o, what -batch takes. Runs nothing.
import { type Address, hostCidr, type IpFamily, parseAddress } from '../model/address.ts'
import type { Query } from './plan.ts'

/** Dummy links, one a line; empty where there is none. */
export const dummyLinksQuery: Query = { argv: ['ip', '-o', 'link', 'show', 'type', 'dummy'] }

/** Addresses of the family on dummy links. IPv4 addresses of others may be among them: `parseAddresses` asks for the link's name. */
export function dummyAddressesQuery(family: IpFamily): Query {
  return { argv: ['ip', family === 'IPv4' ? '-4' : '-6', '-o', 'addr', 'show', 'type', 'dummy'] }
}

export function hasLink(output: string, link: string): boolean {
  return output.split('\n').some(line => line.split(': ')[1]?.split('@')[0] === link)
}

/** Addresses on `link`, without link-local ones, which the kernel gives by itself. */
export function parseAddresses(output: string, link: string): Set<Address> {
  const found = new Set<Address>()
  for (const line of output.split('\n')) {
    const [, name, text = ''] = /^\d+: (\S+) +inet6? ([0-9a-f.:]+)\//.exec(line) ?? []
    const address = name === link && !text.startsWith('fe80:') ? parseAddress(text) : undefined
    if (address !== undefined) found.add(address)
  }
  return found
}

/** Lines are carried out one after the other; the first that fails ends it, and is named: `Command failed -:2`. */
export const batchArgv: readonly string[] = ['ip', '-batch', '-']

export const addDummyLink = (link: string): string => `link add ${link} type dummy`
export const deleteLink = (link: string): string => `link del ${link}`
export const addAddress = (link: string, address: Address): string => `addr add ${hostCidr(address)} dev ${link}`
export const deleteAddress = (link: string, address: Address): string => `addr del ${hostCidr(address)} dev ${link}`
