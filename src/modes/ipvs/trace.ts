// What packets meet in ipvs mode: rules with their sets, and the virtual servers that take what has come to an address of the node.
import { parseServers, type ServerName, serverName, type VirtualServer } from '../../kernel/ipvsadm.ts'
import { parseAddresses } from '../../kernel/link.ts'
import { type IpFamily, parseAddress } from '../../model/address.ts'
import { type Scheduled, tracePacket, type VirtualServerTaken } from '../rules/packet-path.ts'
import type { Passing, Place } from '../rules/passing.ts'
import { savedRules } from '../rules/saved-rules.ts'
import type { Tracer } from '../trace.ts'
import { serviceLink } from './names.ts'
import { savedSets } from './saved-sets.ts'
import { schedulerOf } from './virtual-servers.ts'

/** @param outputs of `queries('everything')`. */
export function tracer(outputs: readonly string[], family: IpFamily): Tracer {
  const [save = '', sets = '', serversText = '', , addresses = ''] = outputs
  const rules = savedRules(save)
  const isInSet = savedSets(sets)
  const servers = parseServers(serversText)
  const ownAddresses = parseAddresses(addresses, serviceLink)
  const ipvs = (packet: Passing): VirtualServerTaken | undefined => take(servers, packet, family)
  return packet => tracePacket(packet, { rules, isInSet, ownAddresses, ipvs })
}

type Servers = ReadonlyMap<ServerName, VirtualServer>

/** As the kernel looks: by mark, by address and port, by the address alone. */
function take(servers: Servers, packet: Passing, family: IpFamily): VirtualServerTaken | undefined {
  const { protocol, mark, destination } = packet
  const byMark = `-f ${mark}${family === 'IPv6' ? ' -6' : ''}` as ServerName
  const names = [
    ...(mark === 0 ? [] : [byMark]),
    serverName(protocol, destination.address, destination.port),
    serverName(protocol, destination.address, 0),
  ]
  const name = names.find(each => servers.has(each))
  const server = name === undefined ? undefined : servers.get(name)
  if (server === undefined) return undefined
  const { options, realServers } = server
  const shares = sharesOf(options, [...realServers].map(weigh))
  return {
    step: { where: `virtual server ${name}`, what: options },
    scheduled: shares.length > 0 ? shares : [{ to: 'refused', share: 1, weight: undefined }],
    choice: shares.length > 1 ? choiceOf(options) : undefined,
  }
}

interface Weighed {
  readonly to: Place
  readonly weight: number
}

/** `10.244.1.11:8080`, `-m -w 1`. */
function weigh([name, how]: readonly [string, string]): Weighed {
  const end = name.lastIndexOf(':')
  const address = parseAddress(name.slice(0, end).replace(/^\[|\]$/g, ''))
  if (address === undefined) throw new Error(`ipvsadm printed a real server that is no address and port: ${name}`)
  return { to: { address, port: Number(name.slice(end + 1)) }, weight: Number(/-w (\d+)/.exec(how)?.[1] ?? 1) }
}

/** A hash knows every real server, also those without weight; without `sh-fallback` whoever it leads to one of them is refused. */
const hashes: ReadonlySet<string> = new Set(['sh', 'dh', 'mh'])
/** Schedulers that give each real server with weight the same, whatever its weight. */
const equal: ReadonlySet<string> = new Set(['rr', 'dh', 'lc', 'nq', 'lblc', 'lblcr'])

function sharesOf(options: string, servers: readonly Weighed[]): readonly Scheduled[] {
  const scheduler = schedulerOf(options)
  const serving = servers.filter(({ weight }) => weight > 0)
  if (serving.length === 0) return []
  const falls = hashes.has(scheduler) && !options.includes(`${scheduler}-fallback`)
  if (scheduler === 'fo') {
    const most = Math.max(...serving.map(({ weight }) => weight))
    return byWeight(serving.filter(({ weight }) => weight === most).slice(0, 1), () => 1)
  }
  const among = falls ? servers : serving
  return byWeight(among, ({ weight }) => (equal.has(scheduler) ? 1 : Math.max(1, weight)))
}

function byWeight(servers: readonly Weighed[], partsOf: (server: Weighed) => number): readonly Scheduled[] {
  const sum = servers.reduce((total, server) => total + partsOf(server), 0)
  return servers.map(server => ({
    to: server.weight === 0 ? 'refused' : server.to,
    share: partsOf(server) / sum,
    weight: server.weight,
  }))
}

const choices: Readonly<Record<string, string>> = {
  lc: 'as the one with the fewest connections',
  wlc: 'as the one with the fewest connections for its weight',
  sed: 'as the one that has the least to do for its weight',
  nq: 'as one that is idle, else as the one that has the least to do for its weight',
  sh: "by a hash of the client's address",
  mh: "by a hash of the client's address and port",
  dh: 'by a hash of the destination address: always the same',
  lblc: 'by the destination address, while that one is not overloaded',
  lblcr: 'by the destination address, while that one is not overloaded',
  ovf: 'as the one with the highest weight, until it has as many connections',
  twos: 'as the less busy one of two at random',
}

/** Undefined under rr, wrr and fo, where shares are all that there is to know. */
function choiceOf(options: string): string | undefined {
  const scheduler = schedulerOf(options)
  if (['rr', 'wrr', 'fo'].includes(scheduler)) return undefined
  return `${choices[scheduler] ?? 'in a way that is not known here'} (scheduler ${scheduler})`
}
