// What a benchmark measured, as data: what is printed, kept as JSON and made into docs/performance.md. All samples are kept, so that
// a page can be made anew with other percentiles.
import type { ClusterSize } from './cluster.ts'
import type { Machine } from './machine.ts'

export type { ClusterSize } from './cluster.ts'

export const parts = ['cold', 'change', 'churn', 'restart', 'memory', 'cpu', 'dataplane', 'ipvs'] as const
export type Part = (typeof parts)[number]

/** One run of one measurement. */
export interface Run {
  readonly samples: readonly number[]
  /** The same measured by hand in the same run. */
  readonly floor?: readonly number[]
  /** Cores that were busy with something else just before. */
  readonly busyCores: number
}

export interface Figure extends ClusterSize {
  readonly part: Part
  /** What was measured, as a person would say it. */
  readonly what: string
  /** `nft`, `legacy`, `nft linear`, `ipvs`. */
  readonly backend: string
  readonly unit: 'ms' | 'µs' | 'MB' | '%' | 'lines' | 'Services' | 'programs'
  readonly runs: readonly Run[]
}

/** What a part of the benchmark gives; its runs become those of a Figure. */
export type Measurement = Omit<Figure, 'runs'> & Omit<Run, 'busyCores'>

export interface Results {
  readonly machine: Machine
  readonly figures: readonly Figure[]
}

export function sizeText({ services, endpoints }: ClusterSize): string {
  return `${services.toLocaleString('en-US')} × ${endpoints}`
}

export function keyOf({ part, what, backend, services, endpoints }: Omit<Figure, 'runs' | 'unit'>): string {
  return [part, backend, services, endpoints, what].join(' ')
}

/** Measurements of one run join those of the runs before it. */
export function addRun(figures: readonly Figure[], measurements: readonly Measurement[], busyCores: number): readonly Figure[] {
  const byKey = new Map(figures.map(figure => [keyOf(figure), figure]))
  for (const { samples, floor, ...measured } of measurements) {
    const run = { samples: samples.map(rounded), ...(floor === undefined ? {} : { floor: floor.map(rounded) }), busyCores }
    const before = byKey.get(keyOf(measured))?.runs ?? []
    byKey.set(keyOf(measured), { ...measured, runs: [...before, run] })
  }
  return [...byKey.values()]
}

/** Figures that were measured again take the place of what they were; the others stay. */
export function replaceFigures(old: readonly Figure[], fresh: readonly Figure[]): readonly Figure[] {
  const byKey = new Map([...old, ...fresh].map(figure => [keyOf(figure), figure]))
  return [...byKey.values()].sort(inOrder)
}

function inOrder(one: Figure, other: Figure): number {
  return (
    parts.indexOf(one.part) - parts.indexOf(other.part) ||
    one.endpoints - other.endpoints ||
    one.services - other.services ||
    other.backend.localeCompare(one.backend) ||
    0
  )
}

function rounded(value: number): number {
  return Number(value.toPrecision(4))
}
