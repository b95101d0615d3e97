// Results → docs/performance.md and its plots. Pure: the same figures give the same page, which a test compares with the committed one.
import { type Figure, keyOf, type Results, type Run, sizeText } from './figures.ts'
import { type Goal, goals } from './goals.ts'
import { charts } from './plots.ts'
import { median, percentile, readable } from './statistics.ts'
import { svg } from './svg.ts'

/** Paths inside docs/ → text. */
export function performancePage({ machine, figures }: Results): ReadonlyMap<string, string> {
  const plots = charts(figures)
  const { cores, memoryGB, kernel, iptables, node } = machine
  const runs = Math.max(...figures.map(figure => figure.runs.length))
  const busy = figures.flatMap(figure => figure.runs.map(run => run.busyCores))
  const lines = [
    '# Performance',
    '',
    '<!-- Made by `npm run bench -- report` of docs/performance.json: edit bench/page.ts, not this file. -->',
    '',
    `Measured by \`npm run bench\` on ${cores} cores, ${memoryGB} GB of memory, Linux ${kernel}, ${iptables}, Node ${node.slice(1)}; up to ${runs} run${runs === 1 ? '' : 's'} of each figure.`,
    `Other work kept ${readable(median(busy))} cores busy before a typical figure, ${readable(Math.max(...busy))} before the worst. Times vary from machine to machine, ratios hold.`,
    '',
    'What is measured is the bundle that ships, as a process in a network namespace that follows an API server over HTTPS. A *change* lasts from the',
    "API server's write until a client's connection shows it. The *floor* is the tool alone: in the same run, the same lines are fed by hand to the",
    'same `iptables-restore` in a second node with the same rules, hooked as in life, and a client of that node waits for the same thing. Cluster',
    'addresses are drawn at random from 10.96.0.0/12. The floor of a restart is one `iptables-save`; a p99 is compared with the median of its floor.',
    '',
    '## What we hold ourselves to',
    'Medians over all runs. The last column was measured on kube-proxy 1.36.2 in iptables mode, nf_tables backend, on the same kind of machine; `npm run bench` does not measure it.',
    '',
    ...table(
      ['Services × endpoints', 'what', '', 'measured', 'floor', 'ratio', 'goal', 'met', 'kube-proxy'],
      goals.flatMap(goal => goalRow(goal, figures)),
    ),
    '',
    '## Over size',
    ...[...plots].flatMap(([name, { title }]) => [`![${title}](performance/${name}.svg)`, '']),
    '## Where the time goes, and why it stays',
    'CPU profiles of the daemon and of the tools were looked at; at 10,000 × 5, nf_tables:',
    '',
    '- **One change** is nearly all the kernel: it checks every rule that is reachable from PREROUTING and again from OUTPUT whenever a rule with a jump or a DNAT is added, 50 to 130 ms',
    '  (by how fast the machine reaches its memory), and then waits for a grace period, 10 ms. A block that adds no such rule (chains alone, deletions) takes 16 ms and less, but every change of an',
    '  endpoint needs a DNAT. What helped: chains are made in the order in which the check meets them, so that neighbours in the rules are neighbours in memory (a third less); a small change is one block.',
    '- **A fresh node** is iptables-restore and the kernel, half each; the daemon renders while they work.',
    '- **A restart** is one `iptables-save` and 0.8 to 1.5 s: while it runs the cluster is listed, decoded and rendered, and what it prints is understood as it comes.',
    '- **A reading of all rules**, each after two hundred times what it cost (four minutes and more), gives way to a change, but the fourth in a row is done to its end: a change that meets that',
    '  one waits for as long as `iptables-save` takes. Of some hundreds of changes at 10,000 × 5 one or none does.',
    "- **The processor**: at one change a second the kernel works for up to 14 % of a core at that check, the daemon's own part is 1 to 2 %, a third of it for readings and looks at the fixed chains.",
    '- **A connection** to one Service meets two levels of jumps and part of a leaf more than among 10 Services, which costs next to nothing. One to another Service each time finds the chains of that Service, and those that lead to it, in no cache: 7 µs, which is',
    '  most where the machine is fast otherwise. Smaller leaves of the tree (20 in place of 64) made it slower: more chains are colder.',
    '- **Memory** is what is needed of the objects (endpoints, names, digests), 60 MB, and the pages of Node itself, 50 MB.',
    '',
    '## All figures',
    'The median of the runs, and in brackets the least and the most of them; p99 over the samples of a run. `npm run bench -- --help` says what each part is. In `dataplane`, *a Service* is',
    'one of the many of 5 endpoints, another one for each connection, and those *of N endpoints* are single ones that every connection goes to; the floor there is the same through 10 Services.',
    '',
    ...table(
      ['part', 'Services × endpoints', 'backend', 'what', 'unit', 'p50', 'p99', 'floor', 'p50 ÷ floor', 'p99 ÷ floor'],
      figures.map(figureRow),
    ),
    '',
    '## Make them yourself',
    '```sh',
    'npm run bench                        # some minutes: 1,000 and 10,000 Services',
    'npm run bench -- change 1000x5       # one part, one size',
    'npm run bench -- --full --runs 3 --out docs/performance.json && npm run bench -- ipvs --out docs/performance.json && npm run bench -- report',
    '```',
  ]
  const pages = [...plots].map(([name, chart]) => [`performance/${name}.svg`, svg(chart)] as const)
  return new Map([['performance.md', `${lines.join('\n')}\n`], ...pages])
}

function goalRow(goal: Goal, figures: readonly Figure[]): readonly (readonly string[])[] {
  const figure = figures.find(each => keyOf(each) === keyOf(goal.figure))
  if (figure === undefined) return []
  const value = ofRuns(figure, run => percentile(run.samples, goal.of === 'p50' ? 0.5 : 0.99)).middle
  const floor = ofRuns(figure, floorOfRun).middle
  const ratio = ofRuns(figure, run => percentile(run.samples, goal.of === 'p50' ? 0.5 : 0.99) / floorOfRun(run)).middle
  const { limit } = goal
  const isMet = 'value' in limit ? value <= limit.value : ratio <= limit.timesFloor
  return [
    [
      sizeText(figure),
      goal.says,
      figure.runs.some(({ samples }) => samples.length > 1) ? goal.of : '',
      `${readable(value)} ${figure.unit}`,
      Number.isNaN(floor) ? '' : `${readable(floor)} ${figure.unit}`,
      Number.isNaN(ratio) ? '' : `${ratio.toFixed(2)} ×`,
      'value' in limit ? `${readable(limit.value)} ${figure.unit}` : `${limit.timesFloor} ×`,
      isMet ? 'yes' : '**no**',
      goal.kubeProxy ?? '',
    ],
  ]
}

function figureRow(figure: Figure): readonly string[] {
  const several = figure.runs.some(({ samples }) => samples.length > 1)
  const hasFloor = figure.runs.some(({ floor }) => floor !== undefined)
  const spread = (of: (run: Run) => number): string => spreadText(ofRuns(figure, of))
  const times = (share: number) => spread(run => percentile(run.samples, share) / floorOfRun(run))
  return [
    figure.part,
    sizeText(figure),
    figure.backend,
    figure.what,
    figure.unit,
    spread(run => median(run.samples)),
    several ? spread(run => percentile(run.samples, 0.99)) : '',
    hasFloor ? spread(floorOfRun) : '',
    hasFloor ? times(0.5) : '',
    hasFloor && several ? times(0.99) : '',
  ]
}

function floorOfRun({ floor = [] }: Run): number {
  return median(floor)
}

interface Spread {
  readonly least: number
  readonly middle: number
  readonly most: number
}

function ofRuns({ runs }: Figure, of: (run: Run) => number): Spread {
  const values = runs.map(of).filter(value => !Number.isNaN(value))
  return { least: percentile(values, 0), middle: median(values), most: percentile(values, 1) }
}

function spreadText({ least, middle, most }: Spread): string {
  return least === most ? readable(middle) : `${readable(middle)} (${readable(least)}–${readable(most)})`
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(heads), line(heads.map(() => '---')), ...rows.map(line)]
}
