// argv → what to measure.
import { type ClusterSize, type Part, parts } from './figures.ts'

export interface Wishes {
  readonly parts: readonly Part[]
  /** Empty: the usual ones. */
  readonly sizes: readonly ClusterSize[]
  readonly backends: readonly ('nft' | 'legacy')[]
  readonly full: boolean
  readonly runs: number
  readonly dispatch: string
  /** Where the figures are kept. */
  readonly out: string
  /** A folder for CPU profiles of the daemon. */
  readonly profile: string | undefined
  /** Node's own flags for the daemon. */
  readonly nodeFlags: readonly string[]
}

export const usage = `Usage: npm run bench [-- [PART ...] [SERVICESxENDPOINTS ...] [OPTION ...]]
       npm run bench -- report [FILE]

Measures the daemon in network namespaces of its own, beside the tools' own time for the same rules ("floor"). Waits a second before each
measurement to see what else the machine does.

Parts, without any all but ipvs:
  cold       a node that has nothing is programmed
  restart    the daemon ends and starts again over the same rules; floor: one iptables-save
  change     one endpoint is replaced, a Service comes, a Service goes, until a client's connection shows it
  churn      the same while 50 other changes a second come
  memory     what the process keeps, after a start and after many changes
  cpu        what the process uses at one change a second
  dataplane  what a connection costs through a Service
  ipvs       the first, second and third in ipvs mode; minutes where that needs user-mode Linux
Sizes, without any 10, 1,000 and 10,000 Services of 5 endpoints: 1000x5 and so on. Both backends, unless one is named.

  --full            the sizes of docs/performance.md and more samples, which takes long
  --runs N          each part so many times
  --backend NAME    nft or legacy alone
  --dispatch NAME   auto, linear or bucketed (switchyard.conf)
  --out FILE        keeps the figures there; those of other parts and sizes stay. Default: .cache/bench.json
  --profile FOLDER  the daemon writes CPU profiles there
  --node FLAG       for the daemon's Node, to try what it changes; again for more

report makes docs/performance.md and its plots anew, from the figures in FILE (docs/performance.json).
`

/** Throws an Error that says what was expected. */
export function parseWishes(argv: readonly string[]): Wishes {
  const wishes = {
    parts: [] as Part[],
    sizes: [] as ClusterSize[],
    backends: ['nft', 'legacy'] as Wishes['backends'],
    full: false,
    runs: 1,
    dispatch: 'auto',
    out: '.cache/bench.json',
    profile: undefined as string | undefined,
    nodeFlags: [] as string[],
  }
  const words = [...argv]
  const nextOf = (option: string): string => {
    const value = words.shift()
    if (value === undefined) throw new Error(`${option} needs a value`)
    return value
  }
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    const size = parseSize(word)
    if (size !== undefined) wishes.sizes.push(size)
    else if (parts.some(part => part === word)) wishes.parts.push(word as Part)
    else if (word === '--full') wishes.full = true
    else if (word === '--runs') wishes.runs = positive(nextOf(word), word)
    else if (word === '--backend') wishes.backends = [oneOf(nextOf(word), ['nft', 'legacy'], word)]
    else if (word === '--dispatch') wishes.dispatch = oneOf(nextOf(word), ['auto', 'linear', 'bucketed'], word)
    else if (word === '--out') wishes.out = nextOf(word)
    else if (word === '--profile') wishes.profile = nextOf(word)
    else if (word === '--node') wishes.nodeFlags.push(nextOf(word))
    else throw new Error(`${word}: expected a part (${parts.join(', ')}), a size such as 1000x5 or an option (--help)`)
  }
  return wishes
}

function parseSize(text: string): ClusterSize | undefined {
  const [, services, endpoints] = /^([1-9]\d*)x([1-9]\d*)$/.exec(text) ?? []
  return services === undefined ? undefined : { services: Number(services), endpoints: Number(endpoints) }
}

function positive(text: string, option: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new Error(`${option} ${text}: expected a number from 1`)
  return Number(text)
}

function oneOf<Name extends string>(text: string, names: readonly Name[], option: string): Name {
  const found = names.find(name => name === text)
  if (found === undefined) throw new Error(`${option} ${text}: expected ${names.join(' or ')}`)
  return found
}
