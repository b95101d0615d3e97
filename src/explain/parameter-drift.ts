// A kernel parameter that is not as it should be, as a difference among others.
import type { ParameterState } from '../sync/wanted-parameters.ts'
import type { VerifiedDrift } from './verify-object.ts'

export function parameterDrift({ name, is, expected, why, consequence }: ParameterState): VerifiedDrift {
  const what = `kernel parameter ${name}: ${is ?? 'absent'}, expected ${expected} (${why})`
  return { family: null, kind: is === undefined ? 'missing' : 'changed', what, service: null, meaning: consequence }
}
