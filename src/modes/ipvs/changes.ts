// Difference → what people read of a plan of ipvs mode: sets, entries, virtual servers and addresses that come and go, each with its Service.
import type { VirtualServer } from '../../kernel/ipvsadm.ts'
import type { IpFamily } from '../../model/address.ts'
import type { ServiceKey } from '../../model/objects.ts'
import type { Change, KernelChange } from '../mode.ts'
import { ruleChanges } from '../rules/changes.ts'
import { difference as rulesDifference } from '../rules/diff.ts'
import { ownerOf } from './claims.ts'
import { type Difference, difference, type ServerDifference, type SetDifference } from './diff.ts'
import { serviceLink, spareSet } from './names.ts'
import { rulesWanted } from './rules.ts'
import type { Desired, Observed } from './state.ts'

export function ipvsChanges(
  change: Change<Desired, Observed>,
  { family, outputs }: { readonly family: IpFamily; readonly outputs: readonly string[] },
): readonly KernelChange[] {
  const desired = rulesWanted(change.desired, family)
  const ofRules = rulesDifference({ observed: change.observed.rules, desired, touched: 'everything', sweep: change.sweep })
  const found = difference(change, family)
  const spare = found.spareIsLeft ? [whole('removed', `set ${spareSet(family)}`)] : []
  return [...ruleChanges(ofRules, { desired, save: outputs[0] ?? '' }), ...spare, ...differenceChanges(found, change)]
}

export const linkGone: KernelChange = whole('removed', `link ${serviceLink}`)

export function setsGone({ sets }: Observed): readonly KernelChange[] {
  return [...sets].map(([name, { entries }]) => whole('removed', `set ${name}`, { was: [...entries] }))
}

/** But for the rules. */
export function differenceChanges(found: Difference, { desired, observed }: Change<Desired, Observed>): readonly KernelChange[] {
  return [
    ...(found.createLink ? [whole('added', `link ${serviceLink}`)] : []),
    ...found.sets.flatMap(set => setChanges(set, { desired, observed })),
    ...found.servers.map(server => serverChange(server, { desired, observed })),
    ...byOwner(`addresses on ${serviceLink}`, {
      add: found.addAddresses.map(address => [ownerOf(desired, address), address]),
      remove: found.removeAddresses.map(address => [undefined, address]),
    }),
  ]
}

interface States {
  readonly desired: Desired
  readonly observed: Observed
}

interface Lines {
  readonly was?: readonly string[]
  readonly will?: readonly string[]
}

function whole(
  kind: KernelChange['kind'],
  what: string,
  { was = [], will = [] }: Lines = {},
  service: ServiceKey | undefined = undefined,
): KernelChange {
  return { kind, what, service, lines: () => ({ was, will }) }
}

/** A set that is made is the fixed part's, its entries are their Services'. */
function setChanges({ name, create, replaces, add, remove }: SetDifference, { desired }: States): readonly KernelChange[] {
  const made = create === undefined ? [] : [whole(replaces === undefined ? 'added' : 'changed', `set ${name}`)]
  const entries = {
    add: add.map(entry => [ownerOf(desired, `${name} ${entry}`), entry] as const),
    remove: remove.map(entry => [undefined, entry] as const),
  }
  return [...made, ...byOwner(`entries in set ${name}`, entries)]
}

type Owned = readonly (readonly [ServiceKey | undefined, string])[]

function byOwner(what: string, { add, remove }: { readonly add: Owned; readonly remove: Owned }): readonly KernelChange[] {
  const changes = (kind: 'added' | 'removed', items: Owned): readonly KernelChange[] =>
    [...Map.groupBy(items, ([owner]) => owner)].map(([owner, ofOwner]) => {
      const lines = ofOwner.map(([, line]) => line)
      return whole(kind, what, kind === 'added' ? { will: lines } : { was: lines }, owner)
    })
  return [...changes('added', add), ...changes('removed', remove)]
}

function serverChange({ name, owner, change }: ServerDifference, { desired, observed }: States): KernelChange {
  const kind = change === 'added' || change === 'removed' ? change : 'changed'
  const service = owner ?? desired.draining.get(name)?.values().next().value?.service
  const lines = { was: serverLines(observed.servers.get(name)), will: serverLines(desired.servers.get(name)) }
  return whole(kind, `virtual server ${name}`, lines, service)
}

function serverLines(server: VirtualServer | undefined): readonly string[] {
  if (server === undefined) return []
  return [server.options, ...[...server.realServers].map(([realServer, how]) => `-r ${realServer} ${how}`)]
}
