// Paths of branches → the step that decides, and the way up to where branches part.
import type { Branch, TraceStep } from '../modes/trace.ts'

/** The virtual server, or the chain whose rules choose among the endpoints; the rule that refuses or drops; null where nothing takes the packet. */
export function decidedBy(branches: readonly Branch[]): TraceStep | null {
  const decided =
    branches.find(({ verdict }) => verdict === 'endpoint') ?? branches.find(({ verdict }) => verdict !== 'untouched')
  if (decided === undefined) return null
  const { path, verdict } = decided
  const server = path.find(({ where }) => where.startsWith('virtual server'))
  if (verdict !== 'endpoint') return path.at(-1) ?? null
  return server ?? chooser(path, branches) ?? path.at(-1) ?? null
}

/** The chain that jumps to the one that translates. However deep it lies: what leads there may take any number of chains. */
function chooser(path: readonly TraceStep[], branches: readonly Branch[]): TraceStep | undefined {
  const index = path.findLastIndex(({ what }) => / -j DNAT /.test(` ${what}`))
  const translating = path[index]
  if (translating === undefined) return undefined
  const target = translating.where.split(' ').at(-1)
  const jump = path.slice(0, index).findLast(({ what }) => leadsTo(what, target))
  if (jump === undefined) return translating
  const ways = branches.filter(each => each.path.some(({ where, what }) => where === jump.where && / -[jg] \S+$/.test(what)))
  const choices = new Set(ways.flatMap(({ endpoint = [] }) => endpoint)).size
  return choices === 1 ? jump : { where: jump.where, what: `one of ${choices} rules, by chance` }
}

function leadsTo(rule: string, chain: string | undefined): boolean {
  return rule.endsWith(`-j ${chain}`) || rule.endsWith(`-g ${chain}`)
}

export function pathOf(branches: readonly Branch[]): readonly TraceStep[] {
  const [first, ...others] = branches.map(({ path }) => path)
  if (first === undefined) return []
  const end = first.findIndex((step, index) => !others.every(path => isSame(path[index], step)))
  return end === -1 ? first : first.slice(0, end)
}

function isSame(one: TraceStep | undefined, other: TraceStep): boolean {
  return one?.where === other.where && one.what === other.what
}
