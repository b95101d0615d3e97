// Which real servers, and which virtual servers, stay in the kernel for the connections that they have, although nothing new shall go there.
// Takes what we want and what the kernel holds; puts what lingers into Desired, at weight 0. Pure but for the time that it is told.
import { type RealServerName, type ServerName, serverPlace, type VirtualServer } from '../../kernel/ipvsadm.ts'
import { familyOf, type IpFamily } from '../../model/address.ts'
import { type Change, drainKey, type EarlierDrain, type EarlierDrains, type Scope } from '../mode.ts'
import { claimAddress, claimEntry, holder, ownerOf, releaseAddress, releaseEntry, wantedServer } from './claims.ts'
import { nodePortKind, setName } from './names.ts'
import { isExternal, isNodes, isOurs } from './ownership.ts'
import type { Desired, Draining, Observed } from './state.ts'
import { keepUnswept } from './unswept.ts'
import { draining as atWeightZero, schedulerOf, withFallback } from './virtual-servers.ts'

export interface DrainContext {
  readonly family: IpFamily
  /** Milliseconds since 1970. */
  readonly now: number
  readonly earlier: EarlierDrains
}

/** With strictARP nobody is led here by an address that was handed on, so its connections get a moment. */
const handedOnMs = 30_000

/** Looks at every virtual server that may have changed. */
export function keepDraining(change: Change<Desired, Observed>, clock: DrainContext): Desired {
  const { desired, observed, touched, sweep } = change
  const whole = touched === 'everything'
  if (whole && !sweep) keepUnswept(change, clock.family)
  const names = whole
    ? new Set([...desired.servers.keys(), ...observed.servers.keys(), ...desired.draining.keys()])
    : desired.dirty.servers
  for (const name of names) keepServer({ desired, observed, name, clock, sweep: sweep || !whole })
  return desired
}

interface Keeping {
  readonly desired: Desired
  readonly observed: Observed
  readonly name: ServerName
  readonly clock: DrainContext
  readonly sweep: boolean
}

type Drains = ReadonlyMap<RealServerName, Draining>

const noDrains: Drains = new Map<RealServerName, Draining>()

function keepServer(keeping: Keeping): void {
  const { desired, observed, name, sweep } = keeping
  const held = observed.servers.get(name)
  const wanted = wantedServer(desired, name)
  const isKept = held !== undefined && wanted === undefined && isOurs(name, { desired, observed })
  if (isKept && !sweep && !isKnown(keeping, held)) {
    // It may belong to what could not be read; and if not, it shall be known as ours when all can.
    desired.servers.set(name, held)
    holdPlace(keeping, true)
    return
  }
  const drains = held !== undefined && (wanted !== undefined || isKept) ? drainsOf(keeping, held, wanted) : noDrains
  const live = [...drains.values()].filter(({ over }) => !over)
  if (drains.size > 0) desired.draining.set(name, new Map(drains))
  else desired.draining.delete(name)
  if (wanted === undefined) holdPlace(keeping, live.length > 0)
  const server = withDrains({ held, wanted }, live)
  if (server === undefined) desired.servers.delete(name)
  else desired.servers.set(name, server)
}

/** Whether it drained before. */
function isKnown({ desired, name, clock }: Keeping, { realServers }: VirtualServer): boolean {
  return (
    desired.draining.has(name) ||
    [...realServers.keys()].some(realServer => clock.earlier.has(drainKey({ server: name, realServer })))
  )
}

function withDrains(
  { held, wanted }: { readonly held: VirtualServer | undefined; readonly wanted: VirtualServer | undefined },
  drains: readonly Draining[],
): VirtualServer | undefined {
  const server = wanted ?? held
  if (server === undefined || drains.length === 0) return wanted
  const realServers = new Map(wanted?.realServers)
  for (const { realServer } of drains) realServers.set(realServer, atWeightZero)
  return { options: withFallback(server.options), realServers }
}

/** Those that are over among them: until the kernel has let them go, they do not begin anew. */
function drainsOf(keeping: Keeping, held: VirtualServer, wanted: VirtualServer | undefined): Drains {
  if (!canDrain(keeping, wanted)) return noDrains
  const drains = new Map<RealServerName, Draining>()
  const external = wanted === undefined && keeping.desired.retiringMs === undefined && isExternal(keeping.name, keeping)
  for (const realServer of held.realServers.keys()) {
    if (wanted?.realServers.has(realServer)) continue
    const drain = drainingOf(keeping, { realServer, wasDeleted: wanted === undefined, external })
    drains.set(realServer, { ...drain, over: drain.over || drain.until <= keeping.clock.now })
  }
  return drains
}

/**
 * UDP and SCTP have no connections to lose, or mend them; dh has no way to spare a server that drains; an address that the node lost gets no more
 * packets.
 */
function canDrain({ desired, observed, name }: Keeping, wanted: VirtualServer | undefined): boolean {
  if (desired.retiringMs !== undefined) return true
  const place = serverPlace(name)
  const options = (wanted ?? observed.servers.get(name))?.options ?? ''
  if (place?.protocol !== 'TCP' || schedulerOf(options) === 'dh') return false
  return wanted !== undefined || isNodes(desired, place.address) || !desired.formerNodeAddresses.has(place.address)
}

function drainingOf(
  { desired, name, clock }: Keeping,
  about: { readonly realServer: RealServerName; readonly wasDeleted: boolean; readonly external: boolean },
): Draining {
  const { realServer, wasDeleted, external } = about
  const { settings } = desired
  const before = desired.draining.get(name)?.get(realServer)
  const earlier = before ?? clock.earlier.get(drainKey({ server: name, realServer }))
  const since = earlier?.since ?? clock.now
  const service = ownerOf(desired, name) ?? before?.service
  const isNamed = wasDeleted || (service !== undefined && desired.services.get(service)?.endpoints.includes(realServer) === true)
  const goneSince = isNamed ? undefined : (earlier?.goneSince ?? clock.now)
  const usual = external ? handedOnOf(settings.strictArp) : settings.drainDeadlineMs
  const deadline = desired.retiringMs ?? usual
  const until = Math.min(
    since + deadline,
    goneSince === undefined ? Number.POSITIVE_INFINITY : goneSince + settings.drainGoneDeadlineMs,
    wasDeleted ? endKnown({ before, earlier, isRetiring: desired.retiringMs !== undefined }) : Number.POSITIVE_INFINITY,
  )
  const { connections, over = false } = before ?? {}
  return { server: name, realServer, service, since, goneSince, until, connections, over }
}

/** What is deleted keeps its end: nothing shows later, least of all after a restart, that its address was one to hand on. */
function endKnown(known: {
  readonly before: Draining | undefined
  readonly earlier: EarlierDrain | undefined
  readonly isRetiring: boolean
}): number {
  const { before, earlier, isRetiring } = known
  return before?.until ?? (isRetiring ? undefined : earlier?.until) ?? Number.POSITIVE_INFINITY
}

function handedOnOf(strictArp: boolean): number {
  return strictArp ? handedOnMs : 0
}

/** A virtual server that no Service wants keeps its address on the node, and what shows after a restart that it is ours. */
function holdPlace({ desired, observed, name }: Keeping, holds: boolean): void {
  const own = holder(name)
  const place = serverPlace(name)
  if (place === undefined) return
  const { address, port, protocol } = place
  const family = familyOf(address)
  const [ofEntry, ofAddress] = holds ? [claimEntry, claimAddress] : [releaseEntry, releaseAddress]
  if (isNodes(desired, address)) {
    const entry = protocol === 'SCTP' ? `${address},sctp:${port}` : String(port)
    ofEntry(desired, own, { set: setName(nodePortKind(protocol, 'all'), family), entry })
  } else {
    // One that is not there is not put there for this: the kernel may not take it, and then all would wait.
    if (!holds || observed.addresses.has(address)) ofAddress(desired, own, address)
    ofEntry(desired, own, { set: setName('IPVS-IPS', family), entry: address })
  }
}

/** After the kernel has let it go. */
export function forgetOver({ draining, dirty }: Desired, touched: Scope): void {
  for (const name of touched === 'everything' ? [...draining.keys()] : dirty.servers) {
    const drains = draining.get(name) ?? noDrains
    const live = [...drains].filter(([, { over }]) => !over)
    if (live.length === 0) draining.delete(name)
    else if (live.length < drains.size) draining.set(name, new Map(live))
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
