// Which listening ports to close and which to open, from those that are and those that are to be. Pure.
import { type Address, type IpFamily, ofFamily } from '../model/address.ts'
import { type NodeFacts, nodePortDestinations, type TrafficSettings } from '../model/node.ts'
import type { ServiceKey } from '../model/objects.ts'

/** One socket's address; `any`: all addresses of these families. */
export type Host = Address | 'any' | 'any IPv4' | 'any IPv6'

/** An open port and where it listens. */
export interface OpenPort {
  readonly port: number
  readonly hosts: readonly Host[]
}

export interface PortPlan {
  /** In this order: a port may go from one Service to another. */
  readonly close: readonly ServiceKey[]
  readonly open: readonly { readonly service: ServiceKey; readonly port: number }[]
}

/** A port whose number or addresses changed is closed and opened anew; one that is as it should be is left alone. */
export function planPorts(options: {
  readonly current: ReadonlyMap<ServiceKey, OpenPort>
  readonly wanted: ReadonlyMap<ServiceKey, { readonly port: number }>
  readonly hosts: readonly Host[]
}): PortPlan {
  const { current, wanted, hosts } = options
  const isRight = (service: ServiceKey, { port, hosts: listening }: OpenPort): boolean =>
    wanted.get(service)?.port === port && listening.join() === hosts.join()
  const close = [...current].filter(([service, open]) => !isRight(service, open)).map(([service]) => service)
  const kept = new Set([...current.keys()].filter(service => !close.includes(service)))
  const open = [...wanted].filter(([service]) => !kept.has(service)).map(([service, { port }]) => ({ service, port }))
  return { close, open }
}

/** The addresses that node ports answer on (nodePortAddresses), as sockets; none while they are not known. */
export function checkHosts(options: {
  readonly families: readonly IpFamily[]
  readonly node: NodeFacts
  readonly settings: TrafficSettings
}): readonly Host[] {
  const { families, node, settings } = options
  const destinations = families.map(family => ({ family, on: nodePortDestinations(settings, node, family) }))
  const everywhere = destinations.filter(({ on }) => on === 'every local address').map(({ family }) => family)
  if (everywhere.length === 2) return ['any']
  return [
    ...everywhere.map((family): Host => `any ${family}`),
    ...destinations.flatMap(({ family, on }) => (on === 'every local address' ? [] : ofFamily(on, family).filter(isBindable))),
  ].sort()
}

/** A link-local address means nothing without its interface. */
function isBindable(address: Address): boolean {
  return !address.startsWith('fe80:')
}
