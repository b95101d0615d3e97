// The trace object → what a person reads: the verdict first, then whose address it is, who decides, the endpoints and what else there is to know.
// Pure; colour is the caller's to give. Texts of others are shown without control characters, which a terminal obeys, and those
// of the kernel with words for them.
import type { TracedDrift, TraceObject } from '../explain/trace-object.ts'
import type { TraceStep } from '../modes/trace.ts'
import { plain, visible } from './plain.ts'
import { type Cell, type Paint, type Style, table } from './table.ts'

export interface TraceTextOptions {
  readonly paint: Paint
  /** Of a line, in characters; tables and rules are never cut. */
  readonly width: number
  /** Every rule that it passes. */
  readonly path: boolean
  /** How many endpoints are shown; undefined: all. */
  readonly most: number | undefined
}

export function traceText(trace: TraceObject, options: TraceTextOptions): string {
  const blocks = [
    heading(trace, options),
    facts(trace, options),
    endpoints(trace, options),
    path(trace, options),
    drifts(trace.drifts, options),
    unsure(trace, options),
  ]
  return `${blocks.filter(block => block !== '').join('\n\n')}\n`
}

function heading(trace: TraceObject, { paint, width }: TraceTextOptions): string {
  const { from, to, node, mode, summary } = trace
  const { word, style } = verdictOf(trace)
  const goal = `${to.family === 'IPv6' ? `[${to.address}]` : to.address}:${to.port}/${to.protocol}`
  const sender = from.kind === 'outside' ? 'a client outside' : from.kind === 'node' ? 'this node' : 'a pod'
  return [
    `${paint(style, word)}  ${paint('title', `${plain(from.given)} -> ${plain(to.given)}`)}`,
    ...wrap(`${from.address} (${sender}) -> ${goal}, on node ${plain(node)}, mode ${plain(mode)}`, { width, indent: '  ' }),
    '',
    ...summary.flatMap(sentence => wrap(visible(sentence), { width, indent: '  ' })),
  ].join('\n')
}

function verdictOf({ verdict, shares, outcome }: TraceObject): { readonly word: string; readonly style: Style } {
  if (outcome !== undefined) return { word: plain(outcome).toUpperCase(), style: outcome === 'answered' ? 'good' : 'bad' }
  if (verdict !== 'endpoints') return { word: verdict === 'not a Service' ? 'NOT TAKEN' : verdict.toUpperCase(), style: 'bad' }
  return shares.endpoints > 0.999_999 ? { word: 'ANSWERED', style: 'good' } : { word: 'PARTLY ANSWERED', style: 'bad' }
}

const addressWords = {
  'cluster IP': 'cluster IP',
  'external address': 'external address',
  'load balancer': "load balancer's address",
  'node port': 'node port',
} as const

function facts(trace: TraceObject, options: TraceTextOptions): string {
  const { service, decidedBy, masquerade, candidates } = trace
  const lines: (readonly [string, string])[] = []
  if (service !== null) {
    lines.push(['Service', `${service.port}, type ${service.type}; this is its ${addressWords[service.addressKind]}`])
    lines.push(['Policy', service.policy])
  }
  if (decidedBy !== null) lines.push(['Decided by', `${decidedBy.where}: ${decidedBy.what}`])
  if (masquerade !== null && candidates.length > 0) lines.push(['Masquerade', `${masquerade.applies}: ${masquerade.reason}`])
  const { paint, width } = options
  return lines
    .flatMap(([name, text]) => {
      const [first = '', ...others] = wrap(visible(text), { width, indent: ' '.repeat(12) })
      return [`${paint('title', name.padEnd(12))}${first.trimStart()}`, ...others]
    })
    .join('\n')
}

function endpoints({ candidates, others }: TraceObject, { paint, most }: TraceTextOptions): string {
  const weighted = candidates.some(({ weight }) => weight !== null)
  const masqueraded = candidates.some(({ masquerade }) => masquerade) && !candidates.every(({ masquerade }) => masquerade)
  const rows = [
    ...candidates.map((each): readonly Cell[] => [
      each.endpoint,
      { text: percentage(each.probability), style: each.wanted === false ? 'bad' : 'good' },
      ...(weighted ? [each.weight === null ? '' : String(each.weight)] : []),
      plain(each.pod ?? '-'),
      plain(each.node ?? '-'),
      [each.note ?? '', masqueraded && each.masquerade ? 'masqueraded' : ''].filter(Boolean).map(plain).join('; '),
    ]),
    ...others.map((each): readonly Cell[] => [
      each.endpoint,
      { text: 'none', style: 'bad' },
      ...(weighted ? [''] : []),
      plain(each.pod ?? '-'),
      plain(each.node ?? '-'),
      plain(each.reason),
    ]),
  ]
  if (rows.length === 0) return ''
  const shown = most === undefined || rows.length <= most + 1 ? rows : rows.slice(0, most)
  const more = rows.length > shown.length ? [`... ${rows.length - shown.length} more (--all)`] : []
  const notes = shown.some(row => row.at(-1) !== '')
  const title = ['ENDPOINT', 'CHANCE', ...(weighted ? ['WEIGHT'] : []), 'POD', 'NODE', notes ? 'WHY' : '']
  return [
    ...table([title, ...shown], paint)
      .split('\n')
      .map(line => line.trimEnd()),
    ...more,
  ].join('\n')
}

function percentage(share: number): string {
  return `${(share * 100).toFixed(1)} %`
}

function path({ path: steps }: TraceObject, { paint, path: wanted }: TraceTextOptions): string {
  if (!wanted || steps.length === 0) return ''
  return [paint('title', 'Path: what it meets on its way'), ...stepLines(steps, paint)].join('\n')
}

/** Rules that follow each other in one chain stand under its name. */
function stepLines(steps: readonly TraceStep[], paint: Paint): readonly string[] {
  return steps.flatMap(({ where, what }, index) => [
    ...(steps[index - 1]?.where === where ? [] : [`  ${paint('title', visible(where))}`]),
    `    ${visible(what)}`,
  ])
}

function drifts(all: readonly TracedDrift[], { paint, width }: TraceTextOptions): string {
  if (all.length === 0) return ''
  const lines = all.flatMap(({ kind, what, meaning }) => [
    `  ${paint('bad', kind.padEnd(10))} ${visible(what)}`,
    ...wrap(visible(meaning), { width, indent: ' '.repeat(13) }),
  ])
  return [paint('title', 'Where the kernel is not as it should be'), ...lines].join('\n')
}

function unsure({ unsure: all }: TraceObject, { paint, width }: TraceTextOptions): string {
  if (all.length === 0) return ''
  return [paint('title', 'What could not be judged'), ...all.flatMap(text => wrap(visible(text), { width, indent: '  ' }))].join(
    '\n',
  )
}

/** Words on lines of at most `width`, each behind `indent`; a word that is longer has a line of its own. */
export function wrap(text: string, { width, indent }: { readonly width: number; readonly indent: string }): readonly string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && indent.length + line.length + 1 + word.length > width) {
      lines.push(indent + line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, indent + line]
}
