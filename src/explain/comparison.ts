// What plan and verify are made from: one comparison of the kernel with what it should hold, and the words that both objects begin with.
import type { Inspection } from '../sync/inspect.ts'
import type { ParameterState } from '../sync/wanted-parameters.ts'
import type { ComparisonObject } from './comparison-object.ts'

export interface Comparison<Found extends Inspection = Inspection> {
  readonly node: string
  /** What runs, or would run. */
  readonly mode: string
  /** `manifests in /etc/switchyard`. */
  readonly source: string
  /** False: something could not be read, so nothing stale is removed, since it may be its. */
  readonly sweeps: boolean
  /** Milliseconds since 1970. */
  readonly now: number
  readonly inspections: readonly Found[]
  /** Those that are wrong. */
  readonly parameters: readonly ParameterState[]
}

export function headOf<Kind extends string>(
  kind: Kind,
  { node, mode, source, sweeps, now, inspections }: Comparison,
): ComparisonObject<Kind> {
  const readAt = Math.min(now, ...inspections.map(inspection => inspection.readAt))
  const times = { time: new Date(now).toISOString(), readAt: new Date(readAt).toISOString() }
  return { apiVersion: 'switchyard/v1', kind, ...times, node, mode, source, sweeps }
}

/** The fixed part first, then by namespace and name. */
export function inOrder<T extends { readonly service: string | null }>(all: readonly T[]): readonly T[] {
  return all.toSorted(({ service: one }, { service: other }) => ((one ?? '') < (other ?? '') ? -1 : Number(one !== other)))
}
