// Says each problem once: when it appears, when it reads otherwise, and when it is gone.
import type { ReportProblem, SourceProblem } from '../source.ts'

export interface ProblemLog {
  /** Everything that is wrong at present, by a key that stays with the thing that is wrong. */
  update(problems: ReadonlyMap<string, SourceProblem>): void
}

export function createProblemLog(report: ReportProblem): ProblemLog {
  let known: ReadonlyMap<string, SourceProblem> = new Map()
  return {
    update(problems) {
      for (const [key, problem] of problems) {
        if (!isSame(known.get(key), problem)) report(problem)
      }
      for (const [key, problem] of known) {
        if (!problems.has(key) && problem.severity !== 'info') report(solved(problem))
      }
      known = new Map(problems)
    },
  }
}

function isSame(one: SourceProblem | undefined, other: SourceProblem): boolean {
  return (
    one !== undefined &&
    one.severity === other.severity &&
    one.where === other.where &&
    one.problem === other.problem &&
    one.advice === other.advice
  )
}

function solved({ where, problem }: SourceProblem): SourceProblem {
  return { severity: 'info', where, problem: `solved: ${problem}`, advice: 'Nothing to do.' }
}
