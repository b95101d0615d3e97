// The text formats of ipset(8): what `ipset save` prints, what `ipset restore` takes. Runs nothing.
import type { Query } from './plan.ts'

/** What a set is made of, as far as it matters; the kernel adds a random initval and its own sizes. */
export interface SetShape {
  readonly type: string
  /** `family inet`, `range 0-65535`. */
  readonly options: string
  /** How many entries it takes; undefined for a bitmap, which has room for its whole range. */
  readonly maxEntries: number | undefined
}

export interface SavedSet {
  readonly shape: SetShape
  readonly entries: Set<string>
}

/** All sets of this network namespace. */
export const saveSetsQuery: Query = { argv: ['ipset', 'save'] }

export const restoreSetsArgv: readonly string[] = ['ipset', 'restore']

/** `wanted` says which sets are of interest: others' may be huge. */
export function parseSets(output: string, wanted: (name: string) => boolean): Map<string, SavedSet> {
  const sets = new Map<string, SavedSet>()
  for (const line of output.split('\n')) {
    const [verb, name = '', rest = '', ...more] = line.split(' ')
    if (verb === 'create' && wanted(name)) sets.set(name, { shape: parseShape(rest, more), entries: new Set() })
    // Copies: a slice would keep the whole output alive.
    else if (verb === 'add') sets.get(name)?.entries.add(Buffer.from(rest, 'utf8').toString('utf8'))
  }
  return sets
}

function parseShape(type: string, words: readonly string[]): SetShape {
  const wordAfter = (key: string): string | undefined => words[words.indexOf(key) + 1]
  const kind = ['family', 'range'].find(key => words.includes(key))
  const maxEntries = words.includes('maxelem') ? Number(wordAfter('maxelem')) : undefined
  return { type, options: kind === undefined ? '' : `${kind} ${wordAfter(kind)}`, maxEntries }
}

/** The kernel's and kube-proxy's defaults are written out, since they decide how much fits. */
export function createSet(name: string, { type, options, maxEntries }: SetShape): string {
  const sizes = maxEntries === undefined ? '' : ` hashsize 1024 maxelem ${maxEntries}`
  return `create ${name} ${type} ${options}${sizes}`
}

export const addEntry = (set: string, entry: string): string => `add ${set} ${entry}`
export const deleteEntry = (set: string, entry: string): string => `del ${set} ${entry}`
export const destroySet = (set: string): string => `destroy ${set}`
/** Both names keep their rules; each has the other's entries afterwards. Needs equal types. */
export const swapSets = (one: string, other: string): string => `swap ${one} ${other}`
