// ipset(8) over sets in memory: save, list -name and restore, as strict as the real one where that matters here. A line that fails ends a restore;
// what came before it stays.
import { commandError, numbered } from './fake-tool.ts'

export interface FakeSet {
  /** `hash:ip,port family inet`. */
  readonly shape: string
  readonly maxEntries: number
  readonly entries: Set<string>
}

export interface FakeSets {
  readonly sets: Map<string, FakeSet>
  /** Whether a rule uses the set. */
  readonly isInUse: (name: string) => boolean
  /** Asked for every line; it fails then. */
  readonly refuses: (line: string) => boolean
}

export function ipset({ sets, isInUse, refuses }: FakeSets, argv: readonly string[], input: string): string {
  const [, verb, option] = argv
  if (verb === 'save') return [...sets].map(([name, set]) => save(name, set)).join('')
  if (verb === 'list' && option === '-name') return [...sets.keys()].map(name => `${name}\n`).join('')
  if (verb !== 'restore') throw new Error(`the fake does not know: ${argv.join(' ')}`)
  for (const [number, line] of numbered(input)) {
    const complaint = refuses(line) ? 'Kernel error received: Invalid argument' : carryOut(line, { sets, isInUse })
    if (complaint !== undefined) throw commandError(argv, `ipset v7.17: Error in line ${number}: ${complaint}`)
  }
  return ''
}

function save(name: string, { shape, maxEntries, entries }: FakeSet): string {
  const sizes = Number.isFinite(maxEntries) ? ` hashsize 1024 maxelem ${maxEntries} bucketsize 12 initval 0x2e637a9f` : ''
  return [`create ${name} ${shape}${sizes}\n`, ...[...entries].map(entry => `add ${name} ${entry}\n`)].join('')
}

type State = Pick<FakeSets, 'sets' | 'isInUse'>

/** Undefined where all is well, else what the tool says. */
function carryOut(line: string, { sets, isInUse }: State): string | undefined {
  const [verb, name = '', third = ''] = line.split(' ')
  if (verb === 'create') return create(line, sets)
  const set = sets.get(name)
  if (set === undefined) return 'The set with the given name does not exist'
  switch (verb) {
    case 'add':
      return add(set, third)
    case 'del':
      return set.entries.delete(third) ? undefined : "Element cannot be deleted from the set: it's not added"
    case 'destroy':
      if (isInUse(name)) return 'Set cannot be destroyed: it is in use by a kernel component'
      sets.delete(name)
      return undefined
    case 'swap':
      return swap({ name, other: third, sets })
    default:
      throw new Error(`the fake does not know: ${line}`)
  }
}

function create(line: string, sets: Map<string, FakeSet>): string | undefined {
  const [, name = '', shape, , maxEntries] =
    /^create (\S{1,31}) (\S+ (?:family inet6?|range \S+))( hashsize \d+ maxelem (\d+))?$/.exec(line) ?? []
  if (shape === undefined) return `Syntax error: ${line}`
  if (sets.has(name)) return 'Set cannot be created: set with the same name already exists'
  sets.set(name, { shape, maxEntries: Number(maxEntries ?? Number.POSITIVE_INFINITY), entries: new Set() })
  return undefined
}

function add({ shape, maxEntries, entries }: FakeSet, entry: string): string | undefined {
  if (shape.includes(' inet') && shape.includes('inet6') !== entry.includes('::')) return 'Syntax error: another family'
  if (entries.has(entry)) return "Element cannot be added to the set: it's already added"
  if (entries.size >= maxEntries) return 'Hash is full, cannot add more elements'
  entries.add(entry)
  return undefined
}

function swap({ name, other, sets }: { name: string; other: string; sets: Map<string, FakeSet> }): string | undefined {
  const [one, two] = [sets.get(name), sets.get(other)]
  if (one === undefined || two === undefined) return 'Sets cannot be swapped: the second set does not exist'
  if (one.shape !== two.shape) return 'The sets cannot be swapped: their type does not match'
  sets.set(name, two).set(other, one)
  return undefined
}
