// What of a service proxy's stands in IPVS, in one family: for reports. Takes what the tools printed. Pure.
import { type Address, type IpFamily, ofFamily } from '../../model/address.ts'
import { chainRoles, isSwitchyards } from '../rules/chains.ts'
import { isOurs } from './ownership.ts'
import { parse } from './parse.ts'

export interface StandingIpvs {
  /** Those of a service proxy, with what is behind them. */
  readonly servers: number
  readonly realServers: number
  /** Others' virtual servers, which nobody touches. */
  readonly foreign: number
  /** On kube-ipvs0. */
  readonly addresses: number
  /** A service proxy's by name. */
  readonly sets: number
  /** Those of Switchyard's own, which no kube-proxy knows. */
  readonly ownSets: readonly string[]
  readonly hasLink: boolean
}

export interface IpvsOutputs {
  readonly sets: string
  readonly servers: string
  readonly links: string
  readonly addresses: string
}

/** @param node.local addresses of this node's other interfaces. */
export function standingIpvs(output: IpvsOutputs, node: { family: IpFamily; local: readonly Address[] }): StandingIpvs {
  const { family } = node
  const outputs = ['', output.sets, output.servers, output.links, output.addresses]
  const observed = parse(outputs, { family, aliases: new Map(), roles: chainRoles({ dispatch: {} }) })
  const nodeAddresses = ofFamily(node.local, family)
  const desired = {
    settings: { excludeCidrs: [] },
    nodeAddresses,
    localAddresses: new Set(nodeAddresses),
    earlierServers: new Set<never>(),
  }
  const ours = [...observed.servers].filter(([name]) => isOurs(name, { desired, observed }))
  return {
    servers: ours.length,
    realServers: ours.reduce((sum, [, { realServers }]) => sum + realServers.size, 0),
    foreign: observed.servers.size - ours.length,
    addresses: observed.addresses.size,
    sets: observed.sets.size,
    ownSets: [...observed.sets.keys()].filter(isSwitchyards),
    hasLink: observed.hasLink,
  }
}
