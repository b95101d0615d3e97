// A metric as data: what /metrics serves, what docs/metrics.md lists and what a dashboard may rely on is one table each.

interface Common {
  readonly name: string
  /** What stands behind `# HELP`. */
  readonly help: string
  /** Names of its labels. */
  readonly labels: readonly string[]
}

export type MetricDefinition =
  | (Common & { readonly type: 'counter' | 'gauge' })
  | (Common & { readonly type: 'histogram'; readonly buckets: readonly number[] })

export type MetricDefinitions = Readonly<Record<string, MetricDefinition>>

export const ipFamilyLabel = ['ip_family'] as const

/** For places that do not know which table a definition is from. */
export function metricNames(definitions: MetricDefinitions): readonly string[] {
  return Object.values(definitions).map(({ name }) => name)
}
