// One table at one hook: what becomes of a packet there. Where a rule matches by chance the packet goes both ways, each with its share.
import type { Address } from '../../model/address.ts'
import { parseAddress } from '../../model/address.ts'
import type { TraceStep } from '../trace.ts'
import type { Hook, Passing, Place, Surroundings } from './passing.ts'
import { matchOf } from './rule-matches.ts'
import type { Rule, Target } from './rule-syntax.ts'
import type { SavedChain, SavedRules } from './saved-rules.ts'

/** One of the ways that the packet goes. */
export interface Way {
  readonly packet: Passing
  /** 0 to 1. */
  readonly share: number
  readonly path: readonly TraceStep[]
  /** The rule that gives it another source. */
  readonly masquerade: TraceStep | undefined
}

/** `passes`: the table lets it on. */
export interface Ended {
  readonly way: Way
  readonly end: 'passes' | 'dropped' | 'refused'
}

/** Shared by all tables of one trace. */
export interface Walk {
  readonly rules: SavedRules
  readonly surroundings: Surroundings
  readonly unsure: Set<string>
  /** How many rules may still be looked at, and how often a way may still part: rules that match by chance and return double the ways. */
  budget: { rules: number; partings: number }
}

interface Within {
  readonly walk: Walk
  readonly table: string
  readonly chain: string
  readonly depth: number
}

type Outcome = Ended | { readonly way: Way; readonly end: 'returns' | 'next' }

/** The kernel's limit too. */
const deepest = 16

/** Where the table has no such chain, all passes. */
export function walkTable(walk: Walk, at: { readonly table: string; readonly hook: Hook }, way: Way): readonly Ended[] {
  const { table, hook } = at
  const chain = walk.rules(table, hook)
  if (chain === undefined) return [{ way, end: 'passes' }]
  const within: Within = { walk, table, chain: hook, depth: 0 }
  return walkChain(within, chain, { ...way, packet: { ...way.packet, hook } }).map((outcome): Ended => {
    const { way: after, end } = outcome
    if (end !== 'returns' && end !== 'next') return { way: after, end }
    if (chain.policy !== 'DROP') return { way: after, end: 'passes' }
    const step = { where: nameOf(within), what: 'policy DROP' }
    return { way: { ...after, path: [...after.path, step] }, end: 'dropped' }
  })
}

function walkChain(within: Within, { rules }: SavedChain, way: Way): readonly Outcome[] {
  let going: readonly Way[] = [way]
  const ended: Outcome[] = []
  for (const rule of rules) {
    if (going.length === 0) break
    const next: Way[] = []
    for (const each of going) {
      if (rule.destination !== undefined && rule.destination !== each.packet.destination.address) {
        next.push(each)
        continue
      }
      for (const outcome of meet(within, rule, each)) {
        if (outcome.end === 'next') next.push(outcome.way)
        else ended.push(outcome)
      }
    }
    going = next
  }
  return [...ended, ...going.map((each): Outcome => ({ way: each, end: 'returns' }))]
}

function meet(within: Within, rule: Rule, way: Way): readonly Outcome[] {
  const { walk, chain } = within
  if (walk.budget.rules-- <= 0 || walk.budget.partings <= 0) {
    walk.unsure.add('there are more ways through the rules than are followed here: shares of some are missing')
    return []
  }
  const { target } = rule
  const share = matchOf(rule, { packet: way.packet, surroundings: walk.surroundings, isOurs: isOurChain(chain) })
  if (typeof share === 'object') {
    if (target !== undefined && !isHarmless(target))
      walk.unsure.add(
        `${nameOf(within)}: rule ${rule.text}: what it asks (${share.unknown}) cannot be told from here; taken as not matching`,
      )
    return [{ way, end: 'next' }]
  }
  if (share === 0 || target === undefined) return [{ way, end: 'next' }]
  if (share < 1) walk.budget.partings--
  const missed: readonly Outcome[] = share === 1 ? [] : [{ way: { ...way, share: way.share * (1 - share) }, end: 'next' }]
  const step = { where: nameOf(within), what: rule.text }
  const taken = isHarmless(target) ? way : { ...way, share: way.share * share, path: [...way.path, step] }
  return [...follow(within, { target, step }, { ...taken, share: way.share * share }), ...missed]
}

/** A chain of ours or kubelet's, in which every question is known. */
function isOurChain(chain: string): boolean {
  return chain.startsWith('KUBE-') || chain.startsWith('SWITCHYARD-')
}

function nameOf({ table, chain }: Within): string {
  return `${table} chain ${chain}`
}

const harmless = new Set([
  'LOG',
  'NFLOG',
  'ULOG',
  'TRACE',
  'AUDIT',
  'CHECKSUM',
  'TCPMSS',
  'CLASSIFY',
  'DSCP',
  'TOS',
  'TTL',
  'HL',
  'SET',
  'RATEEST',
])

function isHarmless({ name }: Target): boolean {
  return harmless.has(name)
}

function follow(within: Within, { target, step }: { target: Target; step: TraceStep }, way: Way): readonly Outcome[] {
  const { walk, table, depth } = within
  switch (target.name) {
    case 'ACCEPT':
      return [{ way, end: 'passes' }]
    case 'DROP':
      return [{ way, end: 'dropped' }]
    case 'REJECT':
      return [{ way, end: 'refused' }]
    case 'RETURN':
      return [{ way, end: 'returns' }]
    default: {
      if (isHarmless(target)) return [{ way, end: 'next' }]
      const chain = walk.rules(table, target.name)
      if (chain === undefined || depth >= deepest) return act(within, { target, step }, way)
      const inside = walkChain({ ...within, chain: target.name, depth: depth + 1 }, chain, way)
      const back = target.isGoto ? 'returns' : 'next'
      return inside.map((outcome): Outcome => (outcome.end === 'returns' ? { way: outcome.way, end: back } : outcome))
    }
  }
}

/** Targets that change the packet. */
function act(within: Within, { target, step }: { target: Target; step: TraceStep }, way: Way): readonly Outcome[] {
  const { packet } = way
  switch (target.name) {
    case 'MARK': {
      const mark = marked(target, packet.mark)
      if (mark !== undefined) return [{ way: { ...way, packet: { ...packet, mark } }, end: 'next' }]
      break
    }
    case 'DNAT': {
      const destination = placeOf(target.options.get('--to-destination') ?? '', packet.destination.port)
      if (destination !== undefined) return [{ way: { ...way, packet: translated(packet, destination) }, end: 'passes' }]
      break
    }
    case 'MASQUERADE':
    case 'SNAT':
      return [{ way: { ...way, masquerade: step }, end: 'passes' }]
    case 'CT':
    case 'NOTRACK': {
      const isTracked = !(target.name === 'NOTRACK' || target.options.has('--notrack'))
      return [{ way: { ...way, packet: { ...packet, isTracked } }, end: 'next' }]
    }
    case 'CONNMARK':
      if (!target.options.has('--restore-mark')) return [{ way, end: 'next' }]
      // Of a connection that is new it is 0, but a mask may spare some bits.
      break
  }
  within.walk.unsure.add(
    `${step.where}: rule ${step.what}: what ${target.name} does is not known here; the packet is taken to go on`,
  )
  return [{ way, end: 'next' }]
}

export function translated(packet: Passing, destination: Place): Passing {
  return { ...packet, destination, isTranslated: true }
}

/** `--set-xmark VALUE/MASK`, as all forms are printed: the mask's bits are cleared, then those of the value turned. */
function marked({ options }: Target, mark: number): number | undefined {
  const [value, mask = '0xffffffff'] = options.get('--set-xmark')?.split('/') ?? []
  return value === undefined ? undefined : ((mark & ~Number(mask)) ^ Number(value)) >>> 0
}

/** `10.244.1.11:8080`, `[fd00::1]:8080`, an address alone; undefined for a range, of which nobody knows what is taken. */
function placeOf(text: string, port: number): Place | undefined {
  const [, bracketed, plain, own] = /^(?:\[([0-9a-f:.]+)\]|([0-9.]+|[0-9a-f:]+))(?::(\d+))?$/.exec(text) ?? []
  const address: Address | undefined = parseAddress(bracketed ?? plain ?? '')
  return address === undefined ? undefined : { address, port: own === undefined ? port : Number(own) }
}
