// What the fakes of single tools share: how one says no.
import { CommandError, type CommandFailure } from '../../../src/kernel/exec.ts'

export function commandError(argv: readonly string[], stderr: string, failure: CommandFailure = 'failed'): CommandError {
  return new CommandError({ argv, failure, stderr, reason: stderr })
}

/** Lines of standard input with their numbers from 1, without empty ones. */
export function numbered(input: string): readonly (readonly [number: number, line: string])[] {
  return input
    .split('\n')
    .map((line, index) => [index + 1, line] as const)
    .filter(([, line]) => line !== '')
}
