// The file of figures: what is measured again takes the place of what it was, everything else stays.
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type Results, replaceFigures } from './figures.ts'

/** Starts a line of output that holds results, where files that are written are lost. */
export const figuresPrefix = 'figures: '

export async function keepResults(path: string, { machine, figures }: Results): Promise<void> {
  const before = await readResults(path).catch(() => undefined)
  const results: Results = { machine: before?.machine ?? machine, figures: replaceFigures(before?.figures ?? [], figures) }
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, resultsText(results))
}

/** Throws where there is none. */
export async function readResults(path: string): Promise<Results> {
  return JSON.parse(await readFile(path, 'utf8')) as Results
}

/** A figure a line, so that a difference of two files can be read. */
function resultsText({ machine, figures }: Results): string {
  const lines = figures.map(figure => `    ${JSON.stringify(figure)}`)
  return `{\n  "machine": ${JSON.stringify(machine)},\n  "figures": [\n${lines.join(',\n')}\n  ]\n}\n`
}
