// Figures → the charts of docs/performance.md. Pure.
import { type Figure, sizeText } from './figures.ts'
import { median, percentile } from './statistics.ts'
import type { Chart, Series } from './svg.ts'

/** Sizes on one axis have as many endpoints a Service. */
const usualEndpoints = 5
const sizeTicks = [1000, 2000, 5000, 10_000]

export function charts(figures: readonly Figure[]): ReadonlyMap<string, Chart> {
  return new Map([
    ['first-sync', overSize(figures, { title: 'First sync of a fresh node', part: 'cold', what: 'first sync' })],
    ['change-over-size', overSize(figures, { title: 'One endpoint is replaced (median)', part: 'change', what: replaced })],
    ['change-distribution', distribution(figures.filter(({ part, what }) => part === 'change' && what === replaced))],
  ])
}

const replaced = 'an endpoint is replaced'

function overSize(figures: readonly Figure[], { title, part, what }: { title: string; part: string; what: string }): Chart {
  const wanted = figures.filter(each => each.part === part && each.what === what && each.endpoints === usualEndpoints)
  const backends = [...new Set(wanted.map(({ backend }) => backend))]
  const series = backends.flatMap((backend): readonly Series[] => {
    const ofBackend = wanted
      .filter(each => each.backend === backend && each.services >= (sizeTicks[0] ?? 0))
      .sort((one, other) => one.services - other.services)
    const points = (values: (figure: Figure) => readonly number[]) =>
      ofBackend.map(figure => ({ x: figure.services, y: median(values(figure)) })).filter(({ y }) => !Number.isNaN(y))
    return [
      { name: `Switchyard, ${backend}`, points: points(samplesOf) },
      { name: `the tool alone, ${backend}`, points: points(floorOf), dashed: true },
    ]
  })
  return {
    title,
    x: { label: `Services of ${usualEndpoints} endpoints`, ticks: sizeTicks, logarithmic: true },
    y: { label: 'milliseconds', ticks: decades(series), logarithmic: true },
    series,
  }
}

function distribution(figures: readonly Figure[]): Chart {
  const shares = Array.from({ length: 100 }, (_, index) => (index + 1) / 100)
  const curve = (samples: readonly number[]) => shares.map(share => ({ x: percentile(samples, share), y: share * 100 }))
  const series = figures
    .filter(({ backend }) => backend.startsWith('nft'))
    .flatMap((figure): readonly Series[] => [
      { name: `${sizeText(figure)}, ${figure.backend}`, points: curve(samplesOf(figure)) },
      { name: `the tool alone, ${sizeText(figure)}`, points: curve(floorOf(figure)), dashed: true },
    ])
    .filter(({ points }) => points.every(({ x }) => !Number.isNaN(x)))
  return {
    title: 'One endpoint is replaced: how many changes are seen within',
    x: { label: 'milliseconds until a client sees it', ticks: decades(series.map(swapped)), logarithmic: true },
    y: { label: '% of changes', ticks: [0, 25, 50, 75, 100] },
    series,
  }
}

function swapped({ name, points }: Series): Series {
  return { name, points: points.map(({ x, y }) => ({ x: y, y: x })) }
}

/** Powers of ten around all values. */
function decades(series: readonly Series[]): readonly number[] {
  const values = series.flatMap(({ points }) => points.map(({ y }) => y)).filter(value => value > 0)
  const first = Math.floor(Math.log10(Math.min(...values, 1000)))
  const last = Math.max(first + 1, Math.ceil(Math.log10(Math.max(...values, 1))))
  return Array.from({ length: last - first + 1 }, (_, index) => 10 ** (first + index))
}

export function samplesOf({ runs }: Figure): readonly number[] {
  return runs.flatMap(({ samples }) => samples)
}

export function floorOf({ runs }: Figure): readonly number[] {
  return runs.flatMap(({ floor = [] }) => floor)
}
