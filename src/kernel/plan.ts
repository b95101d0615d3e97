// A change of the kernel as a value: what `plan` prints, what `run` executes and what tests compare is the same thing.
// Takes nothing, decides nothing; modes make Plans, `sync/apply.ts` runs them.
import type { ServiceKey } from '../model/objects.ts'

/** Lines that one Service is the reason for; owner undefined: the fixed part that belongs to no Service. */
export interface Chunk {
  readonly owner: ServiceKey | undefined
  readonly lines: readonly string[]
}

/** One run of one tool. */
export interface Step {
  /** For people: `add filter rules, rewrite 3 nat chains`. */
  readonly why: string
  readonly argv: readonly string[]
  /** Standard input, in order. May be iterated more than once; large inputs are rendered while they are iterated. */
  readonly input: Iterable<Chunk>
  /** Standard input that the tool accepts and that changes nothing; absent where there is none. */
  readonly idleInput?: readonly string[]
  /** For a tool that ends well although it did not do everything. */
  readonly readBack?: ReadBack
}

/** How to find out whether a step did what it says. */
export interface ReadBack {
  /** `complaint`: only where the tool wrote to standard error. */
  readonly when: 'always' | 'complaint'
  readonly query: Query
  /** Lines of the input that the standard output of `query` shows not to be in effect. */
  readonly missing: (output: string) => readonly Chunk[]
}

export interface Plan {
  readonly steps: readonly Step[]
  /** Chains (or sets, or virtual servers) that the plan creates or rewrites, and that it deletes. */
  readonly written: number
  readonly removed: number
  /** What the plan leaves alone although it is stale, and why: to be said once. */
  readonly kept: readonly string[]
}

export const emptyPlan: Plan = { steps: [], written: 0, removed: 0, kept: [] }

/** Something to read from the kernel: the command, of which standard output counts. */
export interface Query {
  readonly argv: readonly string[]
}

/** One after the other. */
export function joinPlans(...plans: readonly Plan[]): Plan {
  return {
    steps: plans.flatMap(({ steps }) => steps),
    written: plans.reduce((sum, { written }) => sum + written, 0),
    removed: plans.reduce((sum, { removed }) => sum + removed, 0),
    kept: plans.flatMap(({ kept }) => kept),
  }
}

/** How many lines of standard input the plan feeds to tools. */
export function lineCount(plan: Plan): number {
  let count = 0
  for (const step of plan.steps) for (const chunk of step.input) count += chunk.lines.length
  return count
}

/** The chunk that holds line `number` (from 1) of the step's input, and that line. */
export function lineAt(
  step: Step,
  number: number,
): { readonly owner: ServiceKey | undefined; readonly line: string } | undefined {
  let before = 0
  for (const { owner, lines } of step.input) {
    const line = lines[number - 1 - before]
    if (line !== undefined) return { owner, line }
    before += lines.length
  }
  return undefined
}

/** Everyone who has a line in the step. */
export function ownersOf(step: Step): ReadonlySet<ServiceKey> {
  const found = new Set<ServiceKey>()
  for (const { owner } of step.input) if (owner !== undefined) found.add(owner)
  return found
}

/** The same run of the same tool with nothing to do: shows whether the tool works at all. */
export function idle({ why, argv, idleInput = [] }: Step): Step {
  return { why, argv, idleInput, input: [{ owner: undefined, lines: idleInput }] }
}
