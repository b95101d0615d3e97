// Where a server listens, as KubeProxyConfiguration writes it: `0.0.0.0:10256`, `[::1]:10249`.
import { isIP } from 'node:net'
import { type Address, familyOf, hostPort, parseAddress } from '../model/address.ts'

export interface SocketAddress {
  readonly address: Address
  /** 1 to 65535. */
  readonly port: number
}

/** `address:port`, IPv6 in brackets; undefined where it is not. */
export function parseSocketAddress(text: string): SocketAddress | undefined {
  const [, bracketed, plain, digits] = /^(?:\[(.*)\]|([^:]*)):(\d{1,5})$/.exec(text) ?? []
  const address = parseAddress(bracketed ?? plain ?? '')
  const port = Number(digits)
  if (address === undefined || port < 1 || port > 65_535) return undefined
  return (familyOf(address) === 'IPv6') === (bracketed !== undefined) ? { address, port } : undefined
}

/** The canonical text, with `defaultPort` added to an address that stands alone; undefined where it is neither. */
export function canonicalSocketAddress(text: string, defaultPort: number): string | undefined {
  const address = isIP(text) === 0 ? undefined : parseAddress(text)
  const socket = address === undefined ? parseSocketAddress(text) : { address, port: defaultPort }
  return socket === undefined ? undefined : hostPort(socket.address, socket.port)
}
