// Difference → steps, one run of each tool for what is added and one for what is removed, in the order in which no packet finds a hole: what asks for
// masquerading and what guards stands before a virtual server takes packets, and addresses come last; what goes, goes in reverse.
import { addEntry, createSet, deleteEntry, destroySet, restoreSetsArgv, swapSets } from '../../kernel/ipset.ts'
import {
  addRealServer,
  addServer,
  deleteRealServer,
  deleteServer,
  editRealServer,
  editServer,
  parseServers,
  restoreServersArgv,
  saveServersQuery,
} from '../../kernel/ipvsadm.ts'
import { addAddress, addDummyLink, batchArgv, deleteAddress } from '../../kernel/link.ts'
import type { Chunk, Plan, Step } from '../../kernel/plan.ts'
import type { IpFamily } from '../../model/address.ts'
import { ownerOf, sameServer } from './claims.ts'
import type { Difference, ServerDifference, SetDifference } from './diff.ts'
import { type SetName, serviceLink, spareSet } from './names.ts'
import type { Desired } from './state.ts'
import { draining } from './virtual-servers.ts'

export interface FeedInput {
  readonly family: IpFamily
  readonly difference: Difference
  readonly desired: Desired
  /** Rules before anything is removed, and after. */
  readonly rules: { readonly adding: Plan; readonly removing: Plan }
  /** The rules of another mode still translate packets: they give way when all of ours can. */
  readonly takesOver: boolean
  /** Everything was compared: then what was written is read back in any case. */
  readonly whole: boolean
}

export function feed(input: FeedInput): Plan {
  const { difference, rules, takesOver } = input
  const sets = step({ why: 'add entries to sets', argv: restoreSetsArgv, input: setAdditions(input) })
  const servers = serverStep(input, { why: 'add and change virtual servers', lines: serverAdditions })
  const addresses = step({ why: `add addresses to ${serviceLink}`, argv: batchArgv, input: addressAdditions(input) })
  const ruleSteps = rules.adding.steps
  const steps = [
    ...(takesOver ? [...sets, ...servers, ...addresses, ...ruleSteps] : [...sets, ...ruleSteps, ...servers, ...addresses]),
    ...step({ why: `remove addresses from ${serviceLink}`, argv: batchArgv, input: addressRemovals(input) }),
    ...serverStep(input, { why: 'remove virtual and real servers, or take their weight', lines: serverRemovals }),
    ...rules.removing.steps,
    ...step({ why: 'remove entries from sets', argv: restoreSetsArgv, input: setRemovals(input) }),
  ]
  const removedServers = difference.servers.filter(({ change }) => change === 'removed').length
  return {
    steps,
    written: difference.servers.length - removedServers + difference.sets.length + rules.adding.written,
    removed: removedServers + rules.adding.removed + rules.removing.removed,
    kept: [...rules.adding.kept, ...rules.removing.kept],
  }
}

function step({ why, argv, input }: { why: string; argv: readonly string[]; input: readonly Chunk[] }): readonly Step[] {
  return input.some(({ lines }) => lines.length > 0) ? [{ why, argv, input, idleInput: [] }] : []
}

// --- sets ---

function setAdditions({ difference, desired, family }: FeedInput): readonly Chunk[] {
  const spare = spareSet(family)
  const leftover = difference.spareIsLeft ? [{ owner: undefined, lines: [destroySet(spare)] }] : []
  const additions = difference.sets.flatMap(set => {
    if (set.create !== undefined) return setCreation(set, desired, spare)
    return set.add.map(entry => ({ owner: ownerOf(desired, `${set.name} ${entry}`), lines: [addEntry(set.name, entry)] }))
  })
  return [...leftover, ...additions]
}

/** One that is in the way is exchanged in one stroke where the kernel can do that: rules go on to use it. */
function setCreation({ name, create, replaces, add }: SetDifference, desired: Desired, spare: SetName): readonly Chunk[] {
  if (create === undefined) return []
  const isSwapped = replaces === 'swapped'
  const into = isSwapped ? spare : name
  const fixed = (...lines: readonly string[]): Chunk => ({ owner: undefined, lines })
  return [
    ...(replaces === 'destroyed' ? [fixed(destroySet(name))] : []),
    fixed(createSet(into, create)),
    ...add.map(entry => ({ owner: ownerOf(desired, `${name} ${entry}`), lines: [addEntry(into, entry)] })),
    ...(isSwapped ? [fixed(swapSets(spare, name), destroySet(spare))] : []),
  ]
}

/** In the reverse order of sets: a firewall entry goes before the ranges that it would let in. */
function setRemovals({ difference, desired }: FeedInput): readonly Chunk[] {
  return difference.sets
    .toReversed()
    .flatMap(({ name, remove }) =>
      remove.map(entry => ({ owner: ownerOf(desired, `${name} ${entry}`), lines: [deleteEntry(name, entry)] })),
    )
}

// --- virtual servers ---

type ServerLines = (server: ServerDifference) => readonly string[]

const losesWeight = ([, how]: ServerDifference['edit'][number]): boolean => how === draining

const serverAdditions: ServerLines = ({ name, change, options, add, edit }) => [
  ...(change === 'added' ? [addServer(name, options)] : []),
  ...(change === 'edited' ? [editServer(name, options)] : []),
  ...add.map(([realServer, how]) => addRealServer(name, realServer, how)),
  ...edit.filter(change => !losesWeight(change)).map(([realServer, how]) => editRealServer(name, realServer, how)),
]

/** Real servers lose their weight when those that come instead are there for certain, so that there is always one to go to. */
const serverRemovals: ServerLines = ({ name, change, edit, remove }) => {
  if (change === 'removed') return [deleteServer(name)]
  return [
    ...edit.filter(losesWeight).map(([realServer, how]) => editRealServer(name, realServer, how)),
    ...remove.map(realServer => deleteRealServer(name, realServer)),
  ]
}

/** ipvsadm goes on after a line that failed and ends well, so what it complains of is read back. */
function serverStep(input: FeedInput, { why, lines }: { readonly why: string; readonly lines: ServerLines }): readonly Step[] {
  const changed = input.difference.servers.filter(server => lines(server).length > 0)
  const chunkOf = (server: ServerDifference): Chunk => ({ owner: server.owner, lines: lines(server) })
  const missing = (output: string): readonly Chunk[] => {
    const held = parseServers(output)
    const isDone = lines === serverAdditions ? isAdded : isRemoved
    return changed.filter(server => !isDone(server, held, input.desired)).map(chunkOf)
  }
  const readBack = { when: input.whole ? 'always' : 'complaint', query: saveServersQuery, missing } as const
  return step({ why, argv: restoreServersArgv, input: changed.map(chunkOf) }).map(one => ({ ...one, readBack }))
}

type IsDone = (server: ServerDifference, held: ReturnType<typeof parseServers>, desired: Desired) => boolean

const isAdded: IsDone = ({ name, edit, remove }, held, { servers }) => {
  const [wanted, found] = [servers.get(name), held.get(name)]
  if (wanted === undefined || found === undefined) return false
  const realServers = new Map(found.realServers)
  for (const realServer of remove) realServers.delete(realServer)
  for (const [realServer, how] of edit.filter(losesWeight)) realServers.set(realServer, how)
  return sameServer(wanted, { options: found.options, realServers })
}

const isRemoved: IsDone = ({ name, change, edit, remove }, held) => {
  const found = held.get(name)
  if (change === 'removed') return found === undefined
  const hasLost = edit.filter(losesWeight).every(([realServer, how]) => found?.realServers.get(realServer) === how)
  return hasLost && remove.every(realServer => !found?.realServers.has(realServer))
}

// --- addresses ---

function addressAdditions({ difference, desired }: FeedInput): readonly Chunk[] {
  const link = difference.createLink ? [{ owner: undefined, lines: [addDummyLink(serviceLink)] }] : []
  const lines = difference.addAddresses.map(address => ({
    owner: ownerOf(desired, address),
    lines: [addAddress(serviceLink, address)],
  }))
  return [...link, ...lines]
}

function addressRemovals({ difference }: FeedInput): readonly Chunk[] {
  const lines = difference.removeAddresses.map(address => deleteAddress(serviceLink, address))
  return [{ owner: undefined, lines }]
}
