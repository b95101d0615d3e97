// The plan object → what a person reads: by Service, the fixed part first, `+` what comes and `-` what goes. Pure; colour is the caller's to give.
import type { FamilyPlan, PlannedChange, PlannedParameterChange, PlanObject, ServicePlan } from '../explain/plan-object.ts'
import { count } from '../model/count.ts'
import { visible } from './plain.ts'
import type { Paint } from './table.ts'

export interface PlanTextOptions {
  readonly paint: Paint
  /** Only how many changes each Service has. */
  readonly summary: boolean
  /** How many lines a Service shows at most; undefined: all. */
  readonly most: number | undefined
}

export function planText(plan: PlanObject, options: PlanTextOptions): string {
  const { paint } = options
  const families = plan.families.filter(({ services, kept }) => services.length + kept.length > 0)
  return [
    paint('title', `${plan.empty ? 'Nothing to do' : 'Would change'} on node ${plan.node}, mode ${plan.mode}, by ${plan.source}`),
    ...(isKnown(plan) ? ['Only what is known to differ from kube-proxy: no connection is treated otherwise.'] : []),
    ...(plan.sweeps ? [] : ['Something could not be read: nothing stale is removed, since it may be its.']),
    ...families.map(family => familyText(family, options)),
    ...(plan.parameters.length > 0 ? [parametersText(plan.parameters, options)] : []),
    ...(plan.empty ? [] : [totalsText(plan)]),
    '',
  ].join('\n')
}

/** Whether each change has a word that says why it harms nothing. */
function isKnown({ empty, families, parameters }: PlanObject): boolean {
  const changes = families.flatMap(({ services }) => services.flatMap(service => service.changes))
  return !empty && parameters.length === 0 && changes.every(({ note }) => note !== null)
}

const words = { added: 'add', removed: 'remove', changed: 'change' } as const
const styles = { added: 'good', removed: 'bad', changed: undefined } as const

function familyText({ family, mode, services, kept }: FamilyPlan, options: PlanTextOptions): string {
  const title = mode === 'retiring ipvs' ? `${family}, what ipvs mode left: goes when its connections have ended` : family
  const blocks = services.map(service => serviceText(service, options))
  return ['', options.paint('title', title), ...blocks, ...kept.map(what => `  stays: ${visible(what)}`)].join('\n')
}

/** Known differences to kube-proxy with one reason are one line each, whatever they consist of. */
function serviceText({ service, changes }: ServicePlan, options: PlanTextOptions): string {
  const { paint, summary, most } = options
  const name = service ?? 'for all Services'
  const counts = (['added', 'changed', 'removed'] as const)
    .map(kind => ({ kind, count: changes.filter(change => change.kind === kind).length }))
    .filter(({ count }) => count > 0)
    .map(({ kind, count }) => `${count} ${kind}`)
  const title = `  ${paint('title', name)}  ${counts.join(', ')}`
  if (summary) return title
  const lines = changes.flatMap(change => changeLines(change, paint))
  const shown = most === undefined || lines.length <= most + 1 ? lines : lines.slice(0, most)
  const more = lines.length > shown.length ? [`    ... ${lines.length - shown.length} more lines (--all)`] : []
  return [title, ...shown, ...more].join('\n')
}

function changeLines({ kind, what, was, will, note }: PlannedChange, paint: Paint): readonly string[] {
  const verb = `${words[kind].padEnd(6)} ${visible(what)}`
  const style = styles[kind]
  const head = `    ${style === undefined ? verb : paint(style, verb)}`
  const { goes, comes } = difference(was, will)
  const reordered = kind === 'changed' && was.length > 0 && goes.length + comes.length === 0
  return [
    head,
    ...(note === null ? [] : [`           (${note})`]),
    ...(reordered ? ['           (the same, in another order)'] : []),
    ...goes.map(line => `      ${paint('bad', `- ${visible(line)}`)}`),
    ...comes.map(line => `      ${paint('good', `+ ${visible(line)}`)}`),
  ]
}

/** What one list has more often than the other. */
function difference(
  was: readonly string[],
  will: readonly string[],
): { readonly goes: readonly string[]; readonly comes: readonly string[] } {
  return { goes: without(was, will), comes: without(will, was) }
}

function without(lines: readonly string[], others: readonly string[]): readonly string[] {
  const left = new Map<string, number>()
  for (const line of others) left.set(line, (left.get(line) ?? 0) + 1)
  return lines.filter(line => {
    const count = left.get(line) ?? 0
    left.set(line, count - 1)
    return count <= 0
  })
}

function parametersText(parameters: readonly PlannedParameterChange[], { paint }: PlanTextOptions): string {
  const lines = parameters.map(({ name, from, to, why }) => `    set    ${name}: ${from ?? 'absent'} -> ${to} (${why})`)
  return ['', paint('title', 'Kernel parameters'), ...lines].join('\n')
}

function totalsText({ families, parameters }: PlanObject): string {
  const total = (of: (family: FamilyPlan) => number): number => families.reduce((sum, family) => sum + of(family), 0)
  const services = new Set(families.flatMap(family => family.services.flatMap(({ service }) => service ?? [])))
  const parts = [
    count(services.size, 'Service'),
    count(
      total(({ totals }) => totals.written),
      'chain, set or virtual server written',
      'chains, sets and virtual servers written',
    ),
    `${total(({ totals }) => totals.removed)} removed`,
    `${count(
      total(({ totals }) => totals.lines),
      'line',
    )} for the tools`,
    ...(parameters.length > 0 ? [count(parameters.length, 'kernel parameter')] : []),
  ]
  return `\nIn all: ${parts.join(', ')}. Nothing was changed.`
}
