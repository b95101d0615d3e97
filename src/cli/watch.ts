// The same question again and again until somebody interrupts: redrawn in place on a terminal, one block after another in a pipe.
import { setTimeout as sleep } from 'node:timers/promises'
import { stripVTControlCharacters } from 'node:util'

export interface Block {
  readonly text: string
  /** It could not be told: what was told last stays on the screen below it. */
  readonly failed: boolean
}

export interface WatchOptions {
  readonly ask: () => Promise<Block>
  readonly everyMs: number
  readonly output: NodeJS.WriteStream
  readonly signal: AbortSignal
}

const enter = '\u001b[?1049h\u001b[?25l'
const leave = '\u001b[?25h\u001b[?1049l'
const home = '\u001b[H'
const clearLine = '\u001b[K'
const clearBelow = '\u001b[J'

/** Resolves when the signal aborts. On a terminal the last block stays, below what was there before. */
export async function watch({ ask, everyMs, output, signal }: WatchOptions): Promise<void> {
  const { isTTY } = output
  let shown = ''
  let told = ''
  let first = true
  const draw = (): void => void output.write(home + frame(shown, output) + clearBelow)
  if (isTTY) {
    output.write(enter)
    output.on('resize', draw)
  }
  try {
    while (!signal.aborted) {
      const { text, failed } = await ask()
      if (signal.aborted) break
      shown = failed && told !== '' && isTTY ? `${text}\n${told}` : text
      if (!failed) told = text
      if (isTTY) draw()
      else if (text !== '') output.write(first ? text : `\n${text}`)
      first &&= text === ''
      await sleep(everyMs, undefined, { signal }).catch(() => undefined)
    }
  } finally {
    if (isTTY) {
      output.off('resize', draw)
      output.write(leave + shown)
    }
  }
}

/** As many lines as fit, counted as the terminal wraps them; a last one says what is missing. */
function frame(text: string, { rows, columns }: Pick<NodeJS.WriteStream, 'rows' | 'columns'>): string {
  const lines = text.trimEnd().split('\n')
  const heights = lines.map(line => Math.max(1, Math.ceil(stripVTControlCharacters(line).length / columns)))
  const total = heights.reduce((sum, height) => sum + height, 0)
  if (total < rows) return lines.map(line => `${line}${clearLine}\n`).join('')
  let used = 0
  const fitting = lines.filter((_, index) => {
    used += heights[index] ?? 1
    return used < rows - 1
  })
  const rest = `... and ${lines.length - fitting.length} more lines than fit here`
  return [...fitting, rest].map(line => `${line}${clearLine}`).join('\n')
}
