// What commands print, and the exit status that goes with it.

/** On standard output, as it stands. Gives the exit status. */
export function say(text: string, status = 0): number {
  process.stdout.write(text)
  return status
}

/** A problem, a line on standard error. Gives the exit status. */
export function complain(problem: string, status = 1): number {
  process.stderr.write(`switchyard: ${problem}\n`)
  return status
}

/** Several, each a line: the command line is wrong. */
export function refuse(problems: readonly string[]): number {
  for (const problem of problems) complain(problem)
  return 64
}

/** What was thrown, in words for the user. */
export function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
