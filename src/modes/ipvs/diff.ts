// Desired against Observed → Difference: which sets, entries, addresses, virtual and real servers to make and to remove. No order: that is
// `feed.ts`'s part. Costs what is dirty, or, where everything is compared, what there is.
import type { SetShape } from '../../kernel/ipset.ts'
import { type RealServerName, type ServerName, serverPlace, type VirtualServer } from '../../kernel/ipvsadm.ts'
import type { Address, IpFamily } from '../../model/address.ts'
import type { ServiceKey } from '../../model/objects.ts'
import type { Change } from '../mode.ts'
import { ownerOf } from './claims.ts'
import { type SetKind, type SetName, setKinds, setName, setShape, spareSet } from './names.ts'
import { isExcluded, isOurs } from './ownership.ts'
import type { Desired, Observed } from './state.ts'

export interface SetDifference {
  readonly name: SetName
  /** The set is missing, or of another shape: then all entries are to add. */
  readonly create: SetShape | undefined
  /** What becomes of a set of that name: rules may use it, which one of another type cannot be exchanged for. */
  readonly replaces: 'swapped' | 'destroyed' | undefined
  readonly add: readonly string[]
  readonly remove: readonly string[]
}

export interface ServerDifference {
  readonly name: ServerName
  readonly owner: ServiceKey | undefined
  /** Undefined where it is as wanted; `removed` where the whole server goes, with all that is behind it. */
  readonly change: 'added' | 'edited' | 'removed' | undefined
  readonly options: string
  readonly add: readonly (readonly [RealServerName, how: string])[]
  readonly edit: readonly (readonly [RealServerName, how: string])[]
  readonly remove: readonly RealServerName[]
}

export interface Difference {
  readonly createLink: boolean
  /** By a run that ended half-way. */
  readonly spareIsLeft: boolean
  readonly sets: readonly SetDifference[]
  readonly servers: readonly ServerDifference[]
  readonly addAddresses: readonly Address[]
  readonly removeAddresses: readonly Address[]
}

export function difference(change: Change<Desired, Observed>, family: IpFamily): Difference {
  const { desired, observed, touched, sweep } = change
  const whole = touched === 'everything'
  const addresses = whole ? new Set([...desired.addresses, ...observed.addresses]) : desired.dirty.addresses
  const servers = whole ? new Set([...desired.servers.keys(), ...observed.servers.keys()]) : desired.dirty.servers
  return {
    createLink: !observed.hasLink,
    spareIsLeft: observed.sets.has(spareSet(family)),
    sets: setKinds.flatMap(kind => setDifference(kind, change, family) ?? []),
    servers: [...servers].flatMap(name => serverDifference(name, change) ?? []),
    addAddresses: [...addresses].filter(address => desired.addresses.has(address) && !observed.addresses.has(address)),
    removeAddresses: [...addresses].filter(
      address =>
        observed.addresses.has(address) && !desired.addresses.has(address) && (sweep || !whole) && !isExcluded(desired, address),
    ),
  }
}

function isExcludedServer(desired: Desired, name: ServerName): boolean {
  const place = serverPlace(name)
  return place !== undefined && isExcluded(desired, place.address)
}

const noEntries: ReadonlySet<string> = new Set()

function setDifference(kind: SetKind, change: Change<Desired, Observed>, family: IpFamily): SetDifference | undefined {
  const { desired, observed, touched, sweep } = change
  const name = setName(kind, family)
  const wanted = desired.sets.get(name) ?? noEntries
  const held = observed.sets.get(name)
  const whole = touched === 'everything'
  const candidates = whole ? wanted : (desired.dirty.entries.get(name) ?? noEntries)
  const add = [...candidates].filter(entry => wanted.has(entry) && !held?.entries.has(entry))
  // What leaves does so after what comes is there.
  const most = (held?.entries.size ?? 0) + add.length
  const shape = setShape(kind, family)
  if (held === undefined || !isSameKind(held.shape, shape) || !hasRoom(held.shape, shape, most)) {
    const replaces = held && (isSameKind(held.shape, shape) ? 'swapped' : 'destroyed')
    return { name, create: largeEnough(shape, wanted.size), replaces, add: [...wanted], remove: [] }
  }
  const leaving = whole ? (sweep ? held.entries : noEntries) : candidates
  const remove = [...leaving].filter(entry => held.entries.has(entry) && !wanted.has(entry))
  return add.length + remove.length === 0 ? undefined : { name, create: undefined, replaces: undefined, add, remove }
}

/** A set that is full refuses entries; at least as much room again, so that it is not made anew with every Service. */
function largeEnough(shape: SetShape, entries: number): SetShape {
  const { maxEntries } = shape
  if (maxEntries === undefined || 2 * entries <= maxEntries) return shape
  return { ...shape, maxEntries: 2 ** Math.ceil(Math.log2(2 * entries)) }
}

function isSameKind(held: SetShape, wanted: SetShape): boolean {
  return held.type === wanted.type && held.options === wanted.options
}

function hasRoom(held: SetShape, wanted: SetShape, entries: number): boolean {
  return wanted.maxEntries === undefined || (held.maxEntries ?? 0) >= Math.max(wanted.maxEntries, entries)
}

function serverDifference(name: ServerName, change: Change<Desired, Observed>): ServerDifference | undefined {
  const { desired, observed, touched, sweep } = change
  const [wanted, held] = [desired.servers.get(name), observed.servers.get(name)]
  const owner = ownerOf(desired, name)
  if (wanted === undefined) {
    const removable =
      held !== undefined &&
      !isExcludedServer(desired, name) &&
      (touched !== 'everything' || (sweep && isOurs(name, { desired, observed })))
    return removable ? { name, owner, change: 'removed', options: '', add: [], edit: [], remove: [] } : undefined
  }
  if (held === undefined)
    return { name, owner, change: 'added', options: wanted.options, add: [...wanted.realServers], edit: [], remove: [] }
  const found = { name, owner, options: wanted.options, ...realServerDifference(wanted, held) }
  const isEdited = wanted.options !== held.options
  const isSame = !isEdited && found.add.length + found.edit.length + found.remove.length === 0
  return isSame ? undefined : { ...found, change: isEdited ? 'edited' : undefined }
}

function realServerDifference(
  { realServers: wanted }: VirtualServer,
  { realServers: held }: VirtualServer,
): Pick<ServerDifference, 'add' | 'edit' | 'remove'> {
  return {
    add: [...wanted].filter(([name]) => !held.has(name)),
    edit: [...wanted].filter(([name, how]) => held.has(name) && held.get(name) !== how),
    remove: [...held.keys()].filter(name => !wanted.has(name)),
  }
}
