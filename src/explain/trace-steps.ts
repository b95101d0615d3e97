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

/**
 * The chain that jumps to the one that translates, or, where that is one of several by chance, the one that chooses among those. However deep it lies: what
 * leads there may take any number of chains.
 */
function chooser(path: readonly TraceStep[], branches: readonly Branch[]): TraceStep | undefined {
  const translating = path.findLast(({ what }) => / -j DNAT /.test(` ${what}`))
  if (translating === undefined) return undefined
  const jump = jumpTo(translating, path)
  if (jump === undefined) return translating
  const inGroup = endpointsBy(jump, branches)
  const above = jumpTo(jump, path)
  const inAll = above === undefined ? inGroup : endpointsBy(above, branches)
  if (above !== undefined && inAll > inGroup)
    return { where: above.where, what: `one of ${inAll} endpoints, by chance: a group of them, then one of the group` }
  return inGroup === 1 ? jump : { where: jump.where, what: `one of ${inGroup} rules, by chance` }
}

/** The step before that leads to the chain of this one. */
function jumpTo({ where }: TraceStep, path: readonly TraceStep[]): TraceStep | undefined {
  const chain = where.split(' ').at(-1)
  return path.findLast(({ what }) => leadsTo(what, chain))
}

/** How many endpoints the branches reach that jump on from the chain of this step. */
function endpointsBy({ where }: TraceStep, branches: readonly Branch[]): number {
  const ways = branches.filter(({ path }) => path.some(step => step.where === where && / -[jg] \S+$/.test(` ${step.what}`)))
  return new Set(ways.flatMap(({ endpoint = [] }) => endpoint)).size
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
