// The standard input of steps as text, and what has been fed so far. A large input is rendered while the tool reads it: its text is never in
// memory whole, and the tool works meanwhile.
import type { Step } from '../kernel/plan.ts'

/** So much is one text: enough for every change of a few Services. */
const mostLinesAtOnce = 10_000
const linesInPiece = 1000

export class Fed {
  lines = 0
  /** What iptables-restore was told to append or insert, by table; other tools know no tables. */
  readonly rules: Record<string, number> = {}

  inputOf(step: Step): { readonly input: string; readonly more?: Iterable<string> } {
    const lines = this.#counted(step)
    const input = take(lines, mostLinesAtOnce)
    return input.isAll ? { input: input.text } : { input: input.text, more: pieces(lines) }
  }

  *#counted({ input }: Step): Generator<string, undefined> {
    let table: string | undefined
    for (const { lines } of input) {
      for (const line of lines) {
        this.lines++
        if (line.startsWith('*')) table = line.slice(1)
        if (table !== undefined && (line.startsWith('-A ') || line.startsWith('-I ')))
          this.rules[table] = (this.rules[table] ?? 0) + 1
        yield line
      }
    }
  }
}

function* pieces(lines: Iterator<string, undefined>): Generator<string> {
  for (let piece = take(lines, linesInPiece); piece.text !== ''; piece = take(lines, linesInPiece)) yield piece.text
}

/** Up to so many lines, each with its newline. */
function take(lines: Iterator<string, undefined>, most: number): { readonly text: string; readonly isAll: boolean } {
  let text = ''
  for (let count = 0; count < most; count++) {
    const { value } = lines.next()
    if (value === undefined) return { text, isAll: true }
    text += `${value}\n`
  }
  return { text, isAll: false }
}
