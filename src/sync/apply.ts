// The one place where a Plan meets the kernel.
import { CommandError, type Exec } from '../kernel/exec.ts'
import { parseComplaint } from '../kernel/iptables.ts'
import { lineAt, type Plan, type Query, type Step } from '../kernel/plan.ts'
import type { ServiceKey } from '../model/objects.ts'
import { Fed } from './fed.ts'

export interface Applied {
  /** Lines given to tools. */
  readonly lines: number
  readonly written: number
  readonly removed: number
  readonly milliseconds: number
  /** Rules among the lines, by iptables table. */
  readonly rules: Readonly<Record<string, number>>
}

/** A step failed; steps and blocks before it stay applied, those after it never ran. */
export class ApplyError extends Error {
  override readonly name = 'ApplyError'
  readonly step: Step
  readonly failure: CommandError
  /** Whose line the tool named; undefined where it named none, or one that belongs to no Service. */
  readonly culprit: ServiceKey | undefined

  /**
   * @param context what goes before the tool's words.
   * @param culprit whose line it was, where that was found out by other means.
   */
  constructor(step: Step, failure: CommandError, context = '', culprit?: ServiceKey) {
    const complaint = parseComplaint(failure.stderr)
    const named = complaint === 'no line named' ? undefined : lineAt(step, complaint.line)
    const where = named === undefined || named.line === 'COMMIT' ? '' : ` at \`${named.line}\``
    super(`${context}${failure.message}${where}`, { cause: failure })
    this.step = step
    this.failure = failure
    this.culprit = culprit ?? named?.owner
  }

  /** Whether what was fed may be at fault, and not the machine: no such program, no permission, a lock. */
  get blamesInput(): boolean {
    return this.failure.failure === 'failed'
  }
}

/** Runs the steps in order. Throws ApplyError at the first that fails. */
export async function applyPlan(plan: Plan, exec: Exec): Promise<Applied> {
  let milliseconds = 0
  const fed = new Fed()
  for (const step of plan.steps) {
    try {
      const result = await exec({ argv: step.argv, ...fed.inputOf(step) })
      milliseconds += result.milliseconds
      await readBack(step, result.stderr, exec)
    } catch (error) {
      throw error instanceof CommandError ? new ApplyError(step, error) : error
    }
  }
  return { lines: fed.lines, written: plan.written, removed: plan.removed, milliseconds, rules: fed.rules }
}

/** Throws ApplyError where the kernel does not hold what a step that ended well has written. */
async function readBack(step: Step, stderr: string, exec: Exec): Promise<void> {
  const check = step.readBack
  if (check === undefined || (check.when === 'complaint' && stderr.trim() === '')) return
  const [first, ...others] = check.missing((await exec(check.query)).stdout)
  if (first === undefined) return
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`
  const reason = `${stderr.trim().split('\n')[0] || 'it said nothing, but its input'} is not in effect: \`${first.lines.join('; ')}\`${more}`
  throw new ApplyError(step, new CommandError({ argv: step.argv, failure: 'failed', stderr, reason }), '', first.owner)
}

/** Reads everything at once: the queries of a mode do not depend on each other. */
export async function runQueries(queries: readonly Query[], exec: Exec, signal?: AbortSignal): Promise<readonly string[]> {
  signal?.throwIfAborted()
  const results = await Promise.all(queries.map(({ argv }) => exec(signal === undefined ? { argv } : { argv, signal })))
  return results.map(({ stdout }) => stdout)
}
