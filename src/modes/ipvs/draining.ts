// Which real servers, and which virtual servers, stay in the kernel for the connections that they have, although nothing new shall go there.
// Takes what we want and what the kernel holds; puts what lingers into Desired, at weight 0. Pure but for the time that it is told.
import { type RealServerName, type ServerName, serverPlace, type VirtualServer } from '../../kernel/ipvsadm.ts'
import { familyOf } from '../../model/address.ts'
import type { ServiceKey } from '../../model/objects.ts'
import type { Change } from '../mode.ts'
import { claimAddress, claimEntry, ownerOf, releaseAddress, releaseEntry, wantedServer } from './claims.ts'
import { nodePortKind, setName } from './names.ts'
import { isExternal, isOurs } from './ownership.ts'
import type { Desired, Draining, Observed } from './state.ts'
import { draining as atWeightZero, schedulerOf, withFallback } from './virtual-servers.ts'

/** What an earlier process noted, by `serverName realServerName`. */
export type EarlierDrains = ReadonlyMap<string, Pick<Draining, 'since' | 'goneSince'>>

export interface DrainClock {
  /** Milliseconds since 1970. */
  readonly now: number
  readonly earlier: EarlierDrains
}

/** With strictARP nobody is led here by an address that was handed on, so its connections get a moment. */
const handedOnMs = 30_000

/** Looks at every virtual server that may have changed. */
export function keepDraining(change: Change<Desired, Observed>, clock: DrainClock): Desired {
  const { desired, observed, touched, sweep } = change
  const names =
    touched === 'everything'
      ? new Set([...desired.servers.keys(), ...observed.servers.keys(), ...desired.draining.keys()])
      : desired.dirty.servers
  for (const name of names) keepServer({ desired, observed, name, clock, sweep: sweep || touched !== 'everything' })
  return desired
}

interface Keeping {
  readonly desired: Desired
  readonly observed: Observed
  readonly name: ServerName
  readonly clock: DrainClock
  readonly sweep: boolean
}

function keepServer(keeping: Keeping): void {
  const { desired, observed, name, sweep } = keeping
  const held = observed.servers.get(name)
  const wanted = wantedServer(desired, name)
  const mayLinger = held !== undefined && (wanted !== undefined || (sweep && isOurs(name, { desired, observed })))
  const lingering = mayLinger ? lingeringOf(keeping, held, wanted) : new Map<RealServerName, Draining>()
  if (lingering.size > 0) desired.draining.set(name, lingering)
  else desired.draining.delete(name)
  if (wanted === undefined) holdPlace(desired, name, lingering.size > 0)
  const server = withLingering(wanted ?? held, lingering)
  if (wanted === undefined && lingering.size === 0) desired.servers.delete(name)
  else if (server !== undefined) desired.servers.set(name, server)
}

function withLingering(
  server: VirtualServer | undefined,
  lingering: ReadonlyMap<RealServerName, Draining>,
): VirtualServer | undefined {
  if (server === undefined || lingering.size === 0) return server
  const realServers = new Map(server.realServers)
  for (const realServer of lingering.keys()) realServers.set(realServer, atWeightZero)
  return { options: withFallback(server.options), realServers }
}

function lingeringOf(keeping: Keeping, held: VirtualServer, wanted: VirtualServer | undefined): Map<RealServerName, Draining> {
  const lingering = new Map<RealServerName, Draining>()
  if (!canDrain(keeping, wanted ?? held)) return lingering
  const external = wanted === undefined && keeping.desired.retiringMs === undefined && isExternal(keeping.name, keeping)
  for (const realServer of held.realServers.keys()) {
    if (wanted?.realServers.has(realServer)) continue
    const draining = drainingOf(keeping, { realServer, wasDeleted: wanted === undefined, external })
    if (!draining.over && draining.until > keeping.clock.now) lingering.set(realServer, draining)
  }
  return lingering
}

/**
 * UDP and SCTP have no connections to lose, or mend them; dh has no way to spare a server that drains; an address that the node lost gets no more
 * packets.
 */
function canDrain({ desired, name }: Keeping, { options }: VirtualServer): boolean {
  if (desired.retiringMs !== undefined) return true
  const place = serverPlace(name)
  if (place?.protocol !== 'TCP' || schedulerOf(options) === 'dh') return false
  return !desired.formerNodeAddresses.has(place.address)
}

function drainingOf(
  { desired, name, clock }: Keeping,
  about: { readonly realServer: RealServerName; readonly wasDeleted: boolean; readonly external: boolean },
): Draining {
  const { realServer, wasDeleted, external } = about
  const { settings } = desired
  const before = desired.draining.get(name)?.get(realServer)
  const earlier = before ?? clock.earlier.get(`${name} ${realServer}`)
  const since = earlier?.since ?? clock.now
  const service = ownerOf(desired, name) ?? before?.service
  const isNamed = wasDeleted || (service !== undefined && desired.services.get(service)?.endpoints.includes(realServer) === true)
  const goneSince = isNamed ? undefined : (earlier?.goneSince ?? clock.now)
  const usual = external ? handedOnOf(settings.strictArp) : settings.drainDeadlineMs
  const deadline = desired.retiringMs ?? usual
  const until = Math.min(
    since + deadline,
    goneSince === undefined ? Number.POSITIVE_INFINITY : goneSince + settings.drainGoneDeadlineMs,
    before !== undefined && wasDeleted ? before.until : Number.POSITIVE_INFINITY,
  )
  const { connections, over = false } = before ?? {}
  return { server: name, realServer, service, since, goneSince, until, connections, over }
}

function handedOnOf(strictArp: boolean): number {
  return strictArp ? handedOnMs : 0
}

/** A virtual server that only drains keeps its address on the node, and what shows after a restart that it is ours. */
function holdPlace(desired: Desired, name: ServerName, holds: boolean): void {
  const holder = `draining ${name}` as ServiceKey
  const place = serverPlace(name)
  if (place === undefined) return
  const { address, port, protocol } = place
  const family = familyOf(address)
  const [ofEntry, ofAddress] = holds ? [claimEntry, claimAddress] : [releaseEntry, releaseAddress]
  if (desired.nodeAddresses.includes(address)) {
    const entry = protocol === 'SCTP' ? `${address},sctp:${port}` : String(port)
    ofEntry(desired, holder, { set: setName(nodePortKind(protocol, 'all'), family), entry })
  } else {
    ofAddress(desired, holder, address)
    ofEntry(desired, holder, { set: setName('IPVS-IPS', family), entry: address })
  }
}

/** All that drains. */
export function drainingList({ draining }: Desired): readonly Draining[] {
  return [...draining.values()].flatMap(realServers => [...realServers.values()])
}

/** Counts connections anew; true where something is over, which the next pass then lets go. */
export function lookAtDraining(
  desired: Desired,
  { connections, now }: { readonly connections: ReadonlyMap<string, number> | undefined; readonly now: number },
): boolean {
  let found = false
  for (const [name, realServers] of desired.draining) {
    for (const [realServer, draining] of realServers) {
      const count = connections === undefined ? draining.connections : (connections.get(`${name} ${realServer}`) ?? 0)
      const over = draining.over || count === 0 || now >= draining.until
      realServers.set(realServer, { ...draining, connections: count, over })
      if (over) desired.dirty.servers.add(name)
      found ||= over
    }
  }
  return found
}
