// The text formats of ipvsadm(8): what `-Sn` and `-Ln` print, what `-R` takes. Takes text or virtual servers, gives the other; runs nothing.
// A virtual server and its real servers are kept in the very words of `-Sn`, so that comparing with the kernel is comparing strings.
import { type Address, hostPort, type IpFamily, parseAddress } from '../model/address.ts'
import type { Protocol } from '../model/objects.ts'
import type { Query } from './plan.ts'

/** `-t 10.96.0.1:443`: how ipvsadm names a virtual server, in its input and output. */
export type ServerName = string & { readonly _brand: 'ServerName' }

/** `10.244.1.11:8080`, IPv6 in brackets. */
export type RealServerName = string

export interface VirtualServer {
  /** `-s rr -p 10800`: scheduler, persistence, flags. */
  readonly options: string
  /** By name, what stands behind it: `-m -w 1`. */
  readonly realServers: ReadonlyMap<RealServerName, string>
}

const protocolOptions: Readonly<Record<Protocol, string>> = { TCP: '-t', UDP: '-u', SCTP: '--sctp-service' }

export function serverName(protocol: Protocol, address: Address, port: number): ServerName {
  return `${protocolOptions[protocol]} ${hostPort(address, port)}` as ServerName
}

export interface ServerPlace {
  readonly protocol: Protocol
  readonly address: Address
  readonly port: number
}

/** Undefined for a server that is no address and port: one of a firewall mark, or of port 0. */
export function serverPlace(name: ServerName): ServerPlace | undefined {
  const [, option, bracketed, plain, port] = /^(\S+) (?:\[([0-9a-f:.]+)\]|([0-9.]+)):(\d+)$/.exec(name) ?? []
  const protocol = (['TCP', 'UDP', 'SCTP'] as const).find(candidate => protocolOptions[candidate] === option)
  const address = parseAddress(bracketed ?? plain ?? '')
  return protocol === undefined || address === undefined ? undefined : { protocol, address, port: Number(port) }
}

export function isServerOf(family: IpFamily, name: ServerName): boolean {
  return name.includes('[') === (family === 'IPv6')
}

/** Every virtual server of this network namespace, both families. */
export const saveServersQuery: Query = { argv: ['ipvsadm', '-Sn'] }

/** With the connections of every real server; `--exact`, since large numbers would be printed as `12K`. */
export const connectionsQuery: Query = { argv: ['ipvsadm', '-Ln', '--exact'] }

// -A -t 10.96.0.1:80 -s mh -p 300 -b mh-fallback,mh-port
// -a -t 10.96.0.1:80 -r 10.244.1.11:8080 -m -w 1
const serverLine = /^-A (-f \d+(?: -6)?|\S+ \S+)(?: (.*))?$/
const realServerLine = /^-a (-f \d+(?: -6)?|\S+ \S+) -r (\S+) (.*)$/

export function parseServers(output: string): Map<ServerName, VirtualServer> {
  const servers = new Map<ServerName, { options: string; realServers: Map<RealServerName, string> }>()
  for (const line of output.split('\n')) {
    const [, server, options = ''] = serverLine.exec(line) ?? []
    if (server !== undefined) servers.set(server as ServerName, { options: options.trim(), realServers: new Map() })
    const [, of, realServer = '', how = ''] = realServerLine.exec(line) ?? []
    if (of !== undefined) servers.get(of as ServerName)?.realServers.set(realServer, how.trim())
  }
  return servers
}

/** How many connections, active and inactive, each real server has, by `serverName realServerName`; those with none are absent. */
export function parseConnections(output: string): Map<string, number> {
  const connections = new Map<string, number>()
  let server = ''
  for (const line of output.split('\n')) {
    const [, protocol, place] = /^([A-Z]+) +(\S+) /.exec(line) ?? []
    if (protocol !== undefined) server = `${protocolOptions[protocol as Protocol] ?? protocol} ${place}`
    const [, realServer, active, inactive] = /^ {2}-> (\S+:\d+) +\S+ +\d+ +(\d+) +(\d+) *$/.exec(line) ?? []
    const count = Number(active ?? 0) + Number(inactive ?? 0)
    if (realServer !== undefined && count > 0) connections.set(`${server} ${realServer}`, count)
  }
  return connections
}

/** Lines are carried out one after the other; one that fails is complained of on standard error, and the next one follows. */
export const restoreServersArgv: readonly string[] = ['ipvsadm', '-R']

export const addServer = (name: ServerName, options: string): string => `-A ${name} ${options}`
export const editServer = (name: ServerName, options: string): string => `-E ${name} ${options}`
export const deleteServer = (name: ServerName): string => `-D ${name}`
export const addRealServer = (name: ServerName, real: RealServerName, how: string): string => `-a ${name} -r ${real} ${how}`
export const editRealServer = (name: ServerName, real: RealServerName, how: string): string => `-e ${name} -r ${real} ${how}`
export const deleteRealServer = (name: ServerName, real: RealServerName): string => `-d ${name} -r ${real}`
