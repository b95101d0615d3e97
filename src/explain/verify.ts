// Inspections → the verify object: every difference with its Service and its meaning. Pure.
import type { Inspection } from '../sync/inspect.ts'
import type { ParameterState } from '../sync/wanted-parameters.ts'
import type { VerifiedDrift, VerifyObject } from './verify-object.ts'

export interface VerifyFacts {
  readonly node: string
  readonly mode: string
  readonly source: string
  readonly sweeps: boolean
  /** Milliseconds since 1970. */
  readonly now: number
  readonly inspections: readonly Inspection[]
  /** Those that are wrong. */
  readonly parameters: readonly ParameterState[]
}

export function verifyObject({ node, mode, source, sweeps, now, inspections, parameters }: VerifyFacts): VerifyObject {
  const found = [...parameters.map(parameterDrift), ...inspections.flatMap(familyDrifts)]
  const drifts = found.sort((one, other) => compare(one.service ?? '', other.service ?? ''))
  const head = { apiVersion: 'switchyard/v1', kind: 'Verification', time: new Date(now).toISOString() } as const
  const families = inspections.map(({ family }) => family)
  return { ...head, node, mode, source, sweeps, clean: drifts.length === 0, families, drifts }
}

function familyDrifts({ family, drifts, meaning }: Inspection): readonly VerifiedDrift[] {
  return drifts.map(drift => {
    const { kind, what, service } = drift
    return { family, kind, what, service: service ?? null, meaning: meaning(drift) }
  })
}

function parameterDrift({ name, is, expected, why, consequence }: ParameterState): VerifiedDrift {
  const what = `kernel parameter ${name}: ${is ?? 'absent'}, expected ${expected} (${why})`
  return { family: null, kind: is === undefined ? 'missing' : 'changed', what, service: null, meaning: consequence }
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0
}
