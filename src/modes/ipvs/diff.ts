// Desired against Observed → Difference: which sets, entries, addresses, virtual and real servers to make and to remove. No order: that is
// `feed.ts`'s part. Costs what is dirty, or, where everything is compared, what there is.
import type { SetShape } from '../../kernel/ipset.ts'
import type { RealServerName, ServerName, VirtualServer } from '../../kernel/ipvsadm.ts'
import { type Address, contains, type IpFamily } from '../../model/address.ts'
import type { ServiceKey } from '../../model/objects.ts'
import type { Change } from '../mode.ts'
import { ownerOf } from './claims.ts'
import { type SetKind, type SetName, setKinds, setName, setShape } from './names.ts'
import { isOurs } from './ownership.ts'
import type { Desired, Observed } from './state.ts'

export interface SetDifference {
  readonly name: SetName
  /** The set is missing, or of another shape: then all entries are to add. */
  readonly create: SetShape | undefined
  /** A set of that name is there, and rules may use it. */
  readonly replaces: boolean
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
    sets: setKinds.flatMap(kind => setDifference(kind, change, family) ?? []),
    servers: [...servers].flatMap(name => serverDifference(name, change) ?? []),
    addAddresses: [...addresses].filter(address => desired.addresses.has(address) && !observed.addresses.has(address)),
    removeAddresses: [...addresses].filter(
      address =>
        observed.addresses.has(address) && !desired.addresses.has(address) && (sweep || !whole) && !isExcluded(desired, address),
    ),
  }
}

function isExcluded({ settings }: Desired, address: Address): boolean {
  return settings.excludeCidrs.some(range => contains(range, address))
}

const noEntries: ReadonlySet<string> = new Set()

function setDifference(kind: SetKind, change: Change<Desired, Observed>, family: IpFamily): SetDifference | undefined {
  const { desired, observed, touched, sweep } = change
  const name = setName(kind, family)
  const wanted = desired.sets.get(name) ?? noEntries
  const held = observed.sets.get(name)
  const shape = largeEnough(setShape(kind, family), wanted.size)
  if (held === undefined || !fits(held.shape, shape)) {
    return { name, create: shape, replaces: held !== undefined, add: [...wanted], remove: [] }
  }
  const whole = touched === 'everything'
  const candidates = whole ? wanted : (desired.dirty.entries.get(name) ?? noEntries)
  const add = [...candidates].filter(entry => wanted.has(entry) && !held.entries.has(entry))
  const leaving = whole ? (sweep ? held.entries : noEntries) : candidates
  const remove = [...leaving].filter(entry => held.entries.has(entry) && !wanted.has(entry))
  return add.length + remove.length === 0 ? undefined : { name, create: undefined, replaces: false, add, remove }
}

/** A set that is full refuses entries; twice the room, so that it is not made anew with every Service. */
function largeEnough(shape: SetShape, entries: number): SetShape {
  const { maxEntries } = shape
  if (maxEntries === undefined || entries <= maxEntries) return shape
  return { ...shape, maxEntries: 2 ** Math.ceil(Math.log2(2 * entries)) }
}

function fits(held: SetShape, wanted: SetShape): boolean {
  const sameKind = held.type === wanted.type && held.options === wanted.options
  return sameKind && (held.maxEntries ?? 0) >= (wanted.maxEntries ?? 0)
}

function serverDifference(name: ServerName, change: Change<Desired, Observed>): ServerDifference | undefined {
  const { desired, observed, touched, sweep } = change
  const [wanted, held] = [desired.servers.get(name), observed.servers.get(name)]
  const owner = ownerOf(desired, name)
  if (wanted === undefined) {
    const removable = held !== undefined && (touched !== 'everything' || (sweep && isOurs(name, { desired, observed })))
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

export function isNothing({ createLink, sets, servers, addAddresses, removeAddresses }: Difference): boolean {
  return !createLink && sets.length + servers.length + addAddresses.length + removeAddresses.length === 0
}
