// What `ipset save` printed → whether a set has a packet. Sets are read when a rule first asks for them.
import { type Address, contains, parseCidr } from '../../model/address.ts'
import type { Passing, Surroundings } from '../rules/passing.ts'

/** Undefined: the kernel cannot say either, as for a protocol without ports in a set of ports: then the packet is not in it. */
type Part = string | undefined

interface SavedSet {
  /** `ip`, `port`, `net`: what an entry is made of; undefined for types that are not known here. */
  readonly parts: readonly string[] | undefined
  readonly entries: ReadonlySet<string>
  /** Where an entry may be a range, each must be looked at. */
  readonly lines: readonly (readonly string[])[]
}

export function savedSets(save: string): Surroundings['isInSet'] {
  const sets = new Map<string, SavedSet | undefined>()
  const find = (name: string): SavedSet | undefined => {
    if (!sets.has(name)) sets.set(name, read(save, name))
    return sets.get(name)
  }
  return (name, directions, packet) => {
    const set = find(name)
    return set === undefined ? undefined : has(set, directions, packet)
  }
}

function read(save: string, name: string): SavedSet | undefined {
  const lines = save.split('\n')
  const create = lines.find(line => line.startsWith(`create ${name} `))
  if (create === undefined) return undefined
  const [, , type = ''] = create.split(' ')
  const prefix = `add ${name} `
  const entries = lines.filter(line => line.startsWith(prefix)).map(line => line.slice(prefix.length))
  // `nomatch` and what else follows an entry changes its meaning.
  const isPlain = entries.every(entry => !/ nomatch\b/.test(entry))
  const known = /^(?:hash|bitmap):((?:ip|port|net)(?:,(?:ip|port|net))*)$/.exec(type)?.[1]?.split(',')
  const texts = entries.map(entry => entry.split(' ')[0] ?? '')
  const ranges = known?.includes('net') === true || create.includes(' netmask ') || texts.some(text => text.includes('/'))
  return {
    parts: isPlain ? known : undefined,
    entries: new Set(texts),
    lines: ranges ? texts.map(text => text.split(',')) : [],
  }
}

function has({ parts, entries, lines }: SavedSet, directions: readonly string[], packet: Passing): boolean | undefined {
  const isKnown = parts?.every(
    (part, index) => directions[index] !== undefined && !(part === 'port' && directions[index] === 'src'),
  )
  // A client's own port may be any.
  if (parts === undefined || isKnown !== true) return undefined
  const asked = parts.map((part, index) =>
    partOf(packet, { part, direction: directions[index] ?? '', alone: parts.length === 1 }),
  )
  if (asked.some(part => part === undefined)) return false
  const whole = asked.join(',')
  if (entries.has(whole)) return true
  return lines.some(line => line.every((part, index) => isSame(part, asked[index])))
}

/** A bitmap has ports of TCP and UDP alone, and no word of which; beside an address a port has its protocol. */
function partOf(
  { source, destination, protocol }: Passing,
  { part, direction, alone }: { readonly part: string; readonly direction: string; readonly alone: boolean },
): Part {
  const isSource = direction === 'src'
  if (part !== 'port') return isSource ? source : destination.address
  if (alone && protocol === 'SCTP') return undefined
  return alone ? String(destination.port) : `${protocol.toLowerCase()}:${destination.port}`
}

function isSame(entry: string, asked: Part): boolean {
  if (entry === asked) return true
  const range = entry.includes('/') ? parseCidr(entry) : undefined
  return range !== undefined && asked !== undefined && contains(range, asked as Address)
}
