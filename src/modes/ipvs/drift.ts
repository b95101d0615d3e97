// What the kernel holds otherwise than we want, in words.
import type { IpFamily } from '../../model/address.ts'
import type { ServiceKey } from '../../model/objects.ts'
import type { Drift, Extent } from '../mode.ts'
import { driftOf as rulesDrift } from '../rules/drift.ts'
import { ownerOf } from './claims.ts'
import { difference, type ServerDifference, type SetDifference } from './diff.ts'
import { serviceLink, spareSet } from './names.ts'
import { rulesWanted } from './rules.ts'
import type { Desired, Observed } from './state.ts'

export function driftOf(
  options: { readonly desired: Desired; readonly observed: Observed; readonly family: IpFamily },
  extent: Extent,
): readonly Drift[] {
  const { desired, observed, family } = options
  const ofRules = rulesDrift(rulesWanted(desired, family), observed.rules, extent)
  if (extent === 'base') return ofRules
  const found = difference({ desired, observed, touched: 'everything', sweep: true }, family)
  const address = (what: string, kind: Drift['kind'], service?: ServiceKey): Drift => ({ what, kind, service })
  return [
    ...ofRules,
    ...(found.createLink ? [address(`link ${serviceLink}`, 'missing')] : []),
    ...(found.spareIsLeft ? [address(`set ${spareSet(family)}`, 'unexpected')] : []),
    ...found.sets.flatMap(set => setDrift(set, desired)),
    ...found.servers.flatMap(server => serverDrift(server, desired)),
    ...found.addAddresses.map(each => address(`${serviceLink}: address ${each}`, 'missing', ownerOf(desired, each))),
    ...found.removeAddresses.map(each => address(`${serviceLink}: address ${each}`, 'unexpected')),
  ]
}

function setDrift({ name, create, replaces, add, remove }: SetDifference, desired: Desired): readonly Drift[] {
  if (create !== undefined)
    return [{ what: `set ${name}`, kind: replaces === undefined ? 'missing' : 'changed', service: undefined }]
  return [
    ...add.map(entry => ({
      what: `set ${name}: ${entry}`,
      kind: 'missing' as const,
      service: ownerOf(desired, `${name} ${entry}`),
    })),
    ...remove.map(entry => ({ what: `set ${name}: ${entry}`, kind: 'unexpected' as const, service: undefined })),
  ]
}

function serverDrift(
  { name, owner: service, change, options, add, edit, remove }: ServerDifference,
  desired: Desired,
): readonly Drift[] {
  const server = `virtual server ${name}`
  if (change === 'added') return [{ what: server, kind: 'missing', service }]
  if (change === 'removed') return [{ what: server, kind: 'unexpected', service }]
  const owner = service ?? desired.draining.get(name)?.values().next().value?.service
  return [
    ...(change === 'edited'
      ? [{ what: `${server}: options, expected ${options}`, kind: 'changed' as const, service: owner }]
      : []),
    ...add.map(([real]) => ({ what: `${server}: real server ${real}`, kind: 'missing' as const, service: owner })),
    ...edit.map(([real, how]) => ({
      what: `${server}: real server ${real}, expected ${how}`,
      kind: 'changed' as const,
      service: owner,
    })),
    ...remove.map(real => ({ what: `${server}: real server ${real}`, kind: 'unexpected' as const, service: owner })),
  ]
}
