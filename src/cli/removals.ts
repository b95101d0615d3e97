// What takeover and handover remove, done and told, or only told.
import type { Exec } from '../kernel/exec.ts'
import type { Plan } from '../kernel/plan.ts'
import { applyPlan } from '../sync/apply.ts'
import type { Removal } from '../sync/left-behind.ts'

/** Gives how many failed; one that fails does not keep the others from going. */
export async function remove(
  removals: readonly Removal[],
  { exec, say, complain }: { exec: Exec; say: (text: string) => void; complain: (problem: string) => void },
): Promise<number> {
  if (removals.length > 0) say('Removed:\n')
  let failures = 0
  for (const { what, plan } of removals) {
    try {
      await applyPlan(plan, exec)
      say(`  ${what}\n`)
    } catch (error) {
      failures++
      complain(`${what}: ${error instanceof Error ? error.message : error}`)
    }
    for (const kept of plan.kept) say(`  kept, emptied: ${kept}\n`)
  }
  return failures
}

export function printRemovals(removals: readonly Removal[], say: (text: string) => void): void {
  if (removals.length > 0) say('Would remove:\n')
  for (const { what, plan } of removals) {
    say(`  ${what}\n`)
    for (const line of deletions(plan)) say(`    ${line}\n`)
  }
}

/** The lines that delete something, in the words of the tools. */
export function deletions(plan: Plan): readonly string[] {
  const lines = plan.steps.flatMap(({ input }) => [...input].flatMap(chunk => chunk.lines))
  return lines.filter(line => /^(-[DX]|destroy|delete|link del|addr del) /.test(line))
}
