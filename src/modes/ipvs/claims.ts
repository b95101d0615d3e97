// Who wants what: an address, a set's entry or a virtual server may be several Services', and stays until the last lets it go.
// Changes Desired in place and notes in `dirty` what a diff has to look at.
import type { ServerName, VirtualServer } from '../../kernel/ipvsadm.ts'
import type { Address } from '../../model/address.ts'
import { getOrInsert } from '../../model/get-or-insert.ts'
import type { ServiceKey } from '../../model/objects.ts'
import type { SetEntry } from './set-entries.ts'
import type { Desired, Rendered } from './state.ts'

/** From now on the Service contributes `after` (nothing where undefined). Costs what differs from before, not what stays. */
export function replaceService(desired: Desired, key: ServiceKey, after: Rendered | undefined): void {
  const before = desired.services.get(key)
  if (after === undefined) desired.services.delete(key)
  else desired.services.set(key, after)
  replaceOutFilter(desired, key, after)
  replaceEntries(desired, key, { before: before?.entries ?? [], after: after?.entries ?? [] })
  replaceAddresses(desired, key, { before: before?.addresses ?? [], after: after?.addresses ?? [] })
  replaceServers(desired, key, { before: before?.servers ?? noServers, after: after?.servers ?? noServers })
}

const noLeaves: ReadonlyMap<string, never> = new Map<string, never>()

function replaceOutFilter({ outFilter }: Desired, key: ServiceKey, after: Rendered | undefined): void {
  const dispatch = after?.outFilter ?? []
  const nothingElse = { leaves: noLeaves, leafRules: 0, totalEndpoints: 0, text: undefined, otherComments: undefined }
  if (dispatch.length === 0) outFilter.delete(key)
  else outFilter.set(key, { dispatch, ...nothingElse })
}

interface Replacement<T> {
  readonly before: T
  readonly after: T
}

function replaceEntries(desired: Desired, key: ServiceKey, { before, after }: Replacement<readonly SetEntry[]>): void {
  const stays = new Set(after.map(itemOf))
  for (const item of before) if (!stays.has(itemOf(item))) releaseEntry(desired, key, item)
  for (const item of after) claimEntry(desired, key, item)
}

function replaceAddresses(desired: Desired, key: ServiceKey, { before, after }: Replacement<readonly Address[]>): void {
  for (const address of before) if (!after.includes(address)) releaseAddress(desired, key, address)
  for (const address of after) claimAddress(desired, key, address)
}

type Servers = ReadonlyMap<ServerName, VirtualServer>

const noServers: Servers = new Map<ServerName, VirtualServer>()

function replaceServers(desired: Desired, key: ServiceKey, { before, after }: Replacement<Servers>): void {
  for (const name of before.keys()) {
    if (after.has(name)) continue
    unclaim(desired, name, key)
    serverChanged(desired, name)
  }
  for (const [name, server] of after) {
    claim(desired, name, key)
    const earlier = before.get(name)
    if (earlier === undefined || !sameServer(earlier, server)) serverChanged(desired, name)
  }
}

export function claimEntry(desired: Desired, key: ServiceKey, { set, entry }: SetEntry): void {
  if (!claim(desired, `${set} ${entry}`, key)) return
  getOrInsert(desired.sets, set, () => new Set()).add(entry)
  getOrInsert(desired.dirty.entries, set, () => new Set()).add(entry)
}

export function releaseEntry(desired: Desired, key: ServiceKey, { set, entry }: SetEntry): void {
  if (!unclaim(desired, `${set} ${entry}`, key)) return
  desired.sets.get(set)?.delete(entry)
  getOrInsert(desired.dirty.entries, set, () => new Set()).add(entry)
}

export function claimAddress(desired: Desired, key: ServiceKey, address: Address): void {
  if (!claim(desired, address, key)) return
  desired.addresses.add(address)
  desired.dirty.addresses.add(address)
}

export function releaseAddress(desired: Desired, key: ServiceKey, address: Address): void {
  if (!unclaim(desired, address, key)) return
  desired.addresses.delete(address)
  desired.dirty.addresses.add(address)
}

/** Claims for no Service, and so is nobody's fault: no Service has a blank in its name. */
export function holder(what: string): ServiceKey {
  return `kept: ${what}` as ServiceKey
}

function isHolder(key: ServiceKey): boolean {
  return key.includes(' ')
}

/** As its Service has it, without what drains. Two Services that claim one: the first by name has it, whichever came first. */
export function wantedServer(desired: Desired, name: ServerName): VirtualServer | undefined {
  const owner = ownerOf(desired, name)
  return owner === undefined ? undefined : desired.services.get(owner)?.servers.get(name)
}

/** The Service that a virtual server (or an address, or `set entry`) is for. */
export function ownerOf(desired: Desired, item: string): ServiceKey | undefined {
  let first: ServiceKey | undefined
  for (const owner of desired.claims.get(item) ?? []) {
    if (!isHolder(owner) && (first === undefined || owner < first)) first = owner
  }
  return first
}

function serverChanged(desired: Desired, name: ServerName): void {
  const wanted = wantedServer(desired, name)
  if (wanted === undefined) desired.servers.delete(name)
  else desired.servers.set(name, wanted)
  desired.dirty.servers.add(name)
}

/** True for the first claim. */
function claim(desired: Desired, item: string, key: ServiceKey): boolean {
  const owners = desired.claims.get(item)
  if (owners === undefined) desired.claims.set(item, [key])
  else if (!owners.includes(key)) owners.push(key)
  return owners === undefined
}

/** True for the last one. */
function unclaim(desired: Desired, item: string, key: ServiceKey): boolean {
  const owners = desired.claims.get(item)
  if (owners === undefined) return false
  const left = owners.filter(owner => owner !== key)
  if (left.length > 0) desired.claims.set(item, left)
  else desired.claims.delete(item)
  return left.length === 0
}

function itemOf({ set, entry }: SetEntry): string {
  return `${set} ${entry}`
}

export function sameServer(one: VirtualServer, other: VirtualServer): boolean {
  if (one.options !== other.options || one.realServers.size !== other.realServers.size) return false
  for (const [name, how] of one.realServers) if (other.realServers.get(name) !== how) return false
  return true
}
