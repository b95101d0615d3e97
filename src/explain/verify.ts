// Inspections → the verify object: every difference with its Service and its meaning. Pure.
import type { Inspection } from '../sync/inspect.ts'
import { isBare } from './bare.ts'
import { type Comparison, headOf, inOrder } from './comparison.ts'
import { parameterDrift } from './parameter-drift.ts'
import type { VerifiedDrift, VerifyObject } from './verify-object.ts'

export function verifyObject(comparison: Comparison): VerifyObject {
  const { inspections, parameters } = comparison
  const drifts = inOrder([...parameters.map(parameterDrift), ...inspections.flatMap(familyDrifts)])
  const families = inspections.map(({ family }) => family)
  const bare = inspections.filter(each => isBare(each.drifts)).map(({ family }) => family)
  return { ...headOf('Verification', comparison), clean: drifts.length === 0, families, bare, drifts }
}

function familyDrifts({ family, drifts, meaning }: Inspection): readonly VerifiedDrift[] {
  return drifts.map(drift => {
    const { kind, what, service } = drift
    return { family, kind, what, service: service ?? null, meaning: meaning(drift) }
  })
}
