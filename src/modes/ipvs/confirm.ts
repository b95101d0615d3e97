// After a plan was applied without an error: Observed becomes what the plan made of the kernel, without reading it.
import type { IpFamily } from '../../model/address.ts'
import type { Change } from '../mode.ts'
import type * as rules from '../rules/state.ts'
import { difference } from './diff.ts'
import { forgetOver } from './draining.ts'
import { spareSet } from './names.ts'
import type { Desired, Observed } from './state.ts'

/** `rulesNow`: the rules as they are after the plan. */
export function confirm(change: Change<Desired, Observed>, family: IpFamily, rulesNow: rules.Observed): Observed {
  const { desired, observed, touched } = change
  const { spareIsLeft, sets, servers, addAddresses, removeAddresses } = difference(change, family)
  for (const { name, create, add, remove } of sets) {
    const held = create === undefined ? observed.sets.get(name) : undefined
    const set = held ?? { shape: create ?? { type: '', options: '', maxEntries: undefined }, entries: new Set<string>() }
    for (const entry of add) set.entries.add(entry)
    for (const entry of remove) set.entries.delete(entry)
    observed.sets.set(name, set)
  }
  for (const { name } of servers) {
    const server = desired.servers.get(name)
    if (server === undefined) observed.servers.delete(name)
    else observed.servers.set(name, server)
  }
  for (const address of addAddresses) observed.addresses.add(address)
  for (const address of removeAddresses) observed.addresses.delete(address)
  if (spareIsLeft) observed.sets.delete(spareSet(family))
  confirmServices(change)
  forgetOver(desired, touched)
  if (touched === 'everything') desired.earlierServers.clear()
  clearDirty(desired)
  return {
    ...observed,
    hasLink: true,
    rules: rulesNow,
    services: touched === 'everything' ? new Map(desired.services) : observed.services,
  }
}

function confirmServices({ desired, observed, touched }: Change<Desired, Observed>): void {
  if (touched === 'everything') return
  for (const key of touched) {
    const rendered = desired.services.get(key)
    if (rendered === undefined) observed.services.delete(key)
    else observed.services.set(key, rendered)
  }
}

function clearDirty({ dirty }: Desired): void {
  dirty.entries.clear()
  dirty.servers.clear()
  dirty.addresses.clear()
}
