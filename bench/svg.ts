// Lines over two axes as an SVG that reads on light and on dark pages. Pure: the same chart gives the same text.
export interface Point {
  readonly x: number
  readonly y: number
}

export interface Series {
  readonly name: string
  readonly points: readonly Point[]
  /** For what the other lines are compared with. */
  readonly dashed?: boolean
}

export interface Chart {
  readonly title: string
  readonly x: { readonly label: string; readonly ticks: readonly number[]; readonly logarithmic?: boolean }
  readonly y: { readonly label: string; readonly ticks: readonly number[]; readonly logarithmic?: boolean }
  readonly series: readonly Series[]
}

const size = { width: 720, height: 400 }
const plot = { left: 70, right: 500, top: 44, bottom: 340 }
const colours = 6

const style = `
  text { font: 13px system-ui, sans-serif; fill: #24292f }
  .title { font-size: 15px; font-weight: 600 }
  .grid { stroke: #d0d7de; stroke-width: 1 }
  .line { fill: none; stroke-width: 2 }
  .c0 { stroke: #0969da; fill: #0969da } .c1 { stroke: #bc4c00; fill: #bc4c00 } .c2 { stroke: #1a7f37; fill: #1a7f37 }
  .c3 { stroke: #8250df; fill: #8250df } .c4 { stroke: #bf3989; fill: #bf3989 } .c5 { stroke: #6e7781; fill: #6e7781 }
  .line.line { fill: none }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .grid { stroke: #30363d }
    .c0 { stroke: #58a6ff; fill: #58a6ff } .c1 { stroke: #f0883e; fill: #f0883e } .c2 { stroke: #3fb950; fill: #3fb950 }
    .c3 { stroke: #bc8cff; fill: #bc8cff } .c4 { stroke: #f778ba; fill: #f778ba } .c5 { stroke: #8b949e; fill: #8b949e }
  }
`

export function svg({ title, x, y, series }: Chart): string {
  const toX = scale(x, [plot.left, plot.right])
  const toY = scale(y, [plot.bottom, plot.top])
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size.width} ${size.height}" role="img" aria-label="${escaped(title)}">`,
    `<style>${style}</style>`,
    text({ x: plot.left, y: 24, words: title, kind: 'title' }),
    ...y.ticks.flatMap(tick => [
      `<line class="grid" x1="${plot.left}" x2="${plot.right}" y1="${toY(tick)}" y2="${toY(tick)}"/>`,
      text({ x: plot.left - 8, y: toY(tick) + 4, words: tick.toLocaleString('en-US'), anchor: 'end' }),
    ]),
    ...x.ticks.flatMap(tick => [
      `<line class="grid" x1="${toX(tick)}" x2="${toX(tick)}" y1="${plot.top}" y2="${plot.bottom}"/>`,
      text({ x: toX(tick), y: plot.bottom + 18, words: tick.toLocaleString('en-US'), anchor: 'middle' }),
    ]),
    text({ x: (plot.left + plot.right) / 2, y: plot.bottom + 42, words: x.label, anchor: 'middle' }),
    `<text transform="translate(16 ${(plot.top + plot.bottom) / 2}) rotate(-90)" text-anchor="middle">${escaped(y.label)}</text>`,
    ...series.flatMap((each, index) => [
      `<polyline class="line c${index % colours}"${each.dashed === true ? ' stroke-dasharray="5 4"' : ''} points="${each.points
        .map(point => `${toX(point.x)},${toY(point.y)}`)
        .join(' ')}"/>`,
      `<line class="line c${index % colours}"${each.dashed === true ? ' stroke-dasharray="5 4"' : ''} x1="516" x2="540" y1="${56 + 22 * index}" y2="${56 + 22 * index}"/>`,
      text({ x: 548, y: 60 + 22 * index, words: each.name }),
    ]),
    '</svg>',
  ]
  return `${parts.join('\n')}\n`
}

/** Ends of an axis are its first and last tick; what lies beyond is drawn at the end. */
function scale({ ticks, logarithmic = false }: Chart['x'], [from, to]: readonly [number, number]): (value: number) => number {
  const place = (value: number): number => (logarithmic ? Math.log10(value) : value)
  const first = place(ticks[0] ?? 0)
  const last = place(ticks.at(-1) ?? 1)
  return value => {
    const share = Math.min(1, Math.max(0, (place(value) - first) / (last - first)))
    return Math.round((from + share * (to - from)) * 10) / 10
  }
}

function text(options: {
  readonly x: number
  readonly y: number
  readonly words: string
  readonly anchor?: 'end' | 'middle'
  readonly kind?: string
}): string {
  const { x, y, words, anchor, kind } = options
  const attributes = [anchor === undefined ? '' : ` text-anchor="${anchor}"`, kind === undefined ? '' : ` class="${kind}"`]
  return `<text x="${x}" y="${y}"${attributes.join('')}>${escaped(words)}</text>`
}

function escaped(words: string): string {
  return words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}
