// The file of figures: what is measured again takes the place of what it was, everything else stays.
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type Results, replaceFigures } from './figures.ts'

/** Starts a line of output that holds results, where files that are written are lost. */
export const figuresPrefix = 'figures: '

export async function keepResults(path: string, { machine, figures }: Results): Promise<void> {
  const before = await readResults(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  const results: Results = { machine: before?.machine ?? machine, figures: replaceFigures(before?.figures ?? [], figures) }
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, resultsText(results))
}

/** Throws where there is none (ENOENT), and where the file holds something else. */
export async function readResults(path: string): Promise<Results> {
  const text = await readFile(path, 'utf8')
  const value = parsed(text)
  if (typeof value !== 'object' || value === null || !('machine' in value) || !('figures' in value))
    throw new Error(`${path}: these are no figures of npm run bench; name another file`)
  return value as Results
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** A figure a line, so that a difference of two files can be read. */
function resultsText({ machine, figures }: Results): string {
  const lines = figures.map(figure => `    ${JSON.stringify(figure)}`)
  return `{\n  "machine": ${JSON.stringify(machine)},\n  "figures": [\n${lines.join(',\n')}\n  ]\n}\n`
}
