// Which sizes each part is measured at, and how often: quick enough to try something, or all that docs/performance.md shows.
import type { ClusterSize, Part } from './figures.ts'

export interface Scenario {
  readonly size: ClusterSize
  readonly backend: 'nft' | 'legacy'
  readonly parts: readonly Part[]
}

export interface Extent {
  readonly changes: number
  readonly churned: number
  readonly memoryChanges: number
  readonly cpuSeconds: number
}

export const quick: Extent = { changes: 20, churned: 20, memoryChanges: 500, cpuSeconds: 15 }
/** So long that one of the readings of all rules is among what is measured: at 10,000 Services they are four to ten minutes apart. */
export const full: Extent = { changes: 100, churned: 100, memoryChanges: 3600, cpuSeconds: 600 }

const idle: ClusterSize = { services: 10, endpoints: 5 }
const small: ClusterSize = { services: 1000, endpoints: 5 }
const middle: ClusterSize = { services: 5000, endpoints: 5 }
const large: ClusterSize = { services: 10_000, endpoints: 5 }
/** Few Services of many endpoints: what costs nf_tables most. */
const wide: ClusterSize = { services: 1000, endpoints: 250 }

const all: readonly Part[] = ['cold', 'change', 'churn', 'restart', 'memory', 'cpu']

export const quickScenarios: readonly Scenario[] = [
  { size: idle, backend: 'nft', parts: ['memory'] },
  { size: small, backend: 'nft', parts: all },
  { size: large, backend: 'nft', parts: all },
  { size: small, backend: 'legacy', parts: ['cold', 'change'] },
]

export const fullScenarios: readonly Scenario[] = [
  { size: idle, backend: 'nft', parts: ['cold', 'memory'] },
  { size: small, backend: 'nft', parts: all },
  { size: middle, backend: 'nft', parts: all },
  { size: large, backend: 'nft', parts: all },
  { size: wide, backend: 'nft', parts: ['cold', 'restart', 'memory'] },
  { size: small, backend: 'legacy', parts: ['cold', 'change', 'restart'] },
  { size: middle, backend: 'legacy', parts: ['cold', 'change', 'restart'] },
  { size: large, backend: 'legacy', parts: ['cold', 'change', 'restart'] },
]

/** Those of the given ones that have something to measure. */
export function wishedScenarios(wishes: {
  readonly parts: readonly Part[]
  readonly sizes: readonly ClusterSize[]
  readonly backends: readonly string[]
  readonly full: boolean
}): readonly Scenario[] {
  const usual = wishes.full ? fullScenarios : quickScenarios
  const scenarios =
    wishes.sizes.length === 0
      ? usual
      : wishes.sizes.flatMap(size => (['nft', 'legacy'] as const).map(backend => ({ size, backend, parts: all })))
  return scenarios
    .filter(({ backend }) => wishes.backends.includes(backend))
    .map(scenario => ({
      ...scenario,
      parts: scenario.parts.filter(part => wishes.parts.length === 0 || wishes.parts.includes(part)),
    }))
    .filter(({ parts }) => parts.length > 0)
}
