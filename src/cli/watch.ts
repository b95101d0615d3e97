// --watch: the same answer again and again, in place on a terminal, one block after another in a pipe, until SIGINT or SIGTERM.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Answer } from './status.ts'

/** Cursor to the corner, and what is below it away: without a flicker that clearing the screen first would give. */
const inPlace = '\u001B[H\u001B[J'

export async function watch(ask: () => Promise<Answer>, everyMs: number): Promise<number> {
  const stop = new AbortController()
  const end = (): void => stop.abort()
  process.once('SIGINT', end).once('SIGTERM', end)
  const { isTTY } = process.stdout
  // A reader of the pipe that goes is the end, and no error.
  process.stdout.once('error', end)
  let isFirst = true
  while (!stop.signal.aborted) {
    const { text } = await ask()
    if (stop.signal.aborted) break
    process.stdout.write(`${isTTY ? inPlace : isFirst ? '' : '\n'}${text}`)
    isFirst = false
    await sleep(everyMs, undefined, { signal: stop.signal }).catch(() => undefined)
  }
  return 0
}
