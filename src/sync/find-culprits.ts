// iptables-restore refused a plan. Which Service is it? Where the tool names a line, that line's owner; where it names only the
// COMMIT line, halve the suspects until one is left. Pure but for the injected trial.

import { ownersOf, type Step } from '../kernel/plan.ts'
import type { ServiceKey } from '../model/objects.ts'
import type { Applied } from './apply.ts'
import { ApplyError } from './apply.ts'

export interface Trial {
  /**
   * Reads the kernel, then programs everything (or, with `touched`, only these Services) except that the Services in
   * `without` keep what the kernel has. Throws ApplyError.
   */
  readonly apply: (attempt: {
    readonly without: ReadonlySet<ServiceKey>
    readonly touched?: ReadonlySet<ServiceKey>
  }) => Promise<Applied>
  /** Runs the tool of a step that was refused with nothing to do. Throws ApplyError. */
  readonly runIdle: (step: Step) => Promise<void>
}

export interface Found {
  readonly culprits: ReadonlyMap<ServiceKey, string>
  /** The last, complete programming of all others. */
  readonly applied: Applied
}

/** More culprits than this in one pass are not bad objects but a bad machine: then the pass fails as a whole. */
const mostCulprits = 16

/** Throws the last ApplyError where no set of Services is to blame (the fixed rules themselves fail), or too many are. */
export async function findCulprits(failure: ApplyError, trial: Trial): Promise<Found> {
  const culprits = new Map<ServiceKey, string>()
  // The first failure may come from a kernel that changed under us; the trial reads it anew.
  let last = failure
  while (culprits.size <= mostCulprits) {
    const outcome = await attemptWithout(new Set(culprits.keys()), trial)
    if ('applied' in outcome) {
      // Nothing was left to write, so nothing has shown yet that the tool works at all.
      if (culprits.size > 0 && outcome.applied.lines === 0) await trial.runIdle(last.step)
      return { culprits, applied: outcome.applied }
    }
    last = outcome.failure
    const named = last.culprit === undefined ? await halve({ failure: last, culprits, trial }) : [last.culprit]
    // One that keeps what it has and is named all the same is not the reason.
    if (named.every(service => culprits.has(service))) throw last
    for (const service of named) culprits.set(service, last.message)
  }
  const verdict = `the rules of more than ${mostCulprits} Services are refused, so it is rather this machine (a kernel module that is missing?): `
  throw new ApplyError(last.step, last.failure, verdict)
}

/** A machine that fails for another reason says nothing about anyone: that ends the search. */
async function attemptWithout(
  without: ReadonlySet<ServiceKey>,
  trial: Trial,
  touched?: ReadonlySet<ServiceKey>,
): Promise<{ readonly applied: Applied } | { readonly failure: ApplyError }> {
  try {
    return { applied: await trial.apply(touched === undefined ? { without } : { without, touched }) }
  } catch (error) {
    if (error instanceof ApplyError && error.blamesInput) return { failure: error }
    throw error
  }
}

/** All culprits among the owners of the failed plan; none where the plan fails without any of them too. */
async function halve(options: {
  readonly failure: ApplyError
  readonly culprits: ReadonlyMap<ServiceKey, string>
  readonly trial: Trial
}): Promise<readonly ServiceKey[]> {
  const { failure, culprits, trial } = options
  const suspects = [...ownersOf(failure.step)].filter(service => !culprits.has(service))
  const withoutAll = await attemptWithout(new Set([...suspects, ...culprits.keys()]), trial)
  if ('failure' in withoutAll) return []
  const found: ServiceKey[] = []
  const narrow = async (group: readonly ServiceKey[]): Promise<void> => {
    if (group.length === 0 || culprits.size + found.length > mostCulprits) return
    const inGroup = new Set(group)
    const without = new Set([...suspects.filter(service => !inGroup.has(service)), ...culprits.keys(), ...found])
    const outcome = await attemptWithout(without, trial, inGroup)
    if ('applied' in outcome) return
    if (group.length === 1) {
      found.push(...group)
      return
    }
    const middle = Math.ceil(group.length / 2)
    await narrow(group.slice(0, middle))
    await narrow(group.slice(middle))
  }
  await narrow(suspects)
  return found
}
