// Standard input → the terminal, and what it says of figures into the file that the command line names: for benchmarks that run where
// nothing that they write is kept.
import { createInterface } from 'node:readline'
import { parseWishes } from './command-line.ts'
import type { Results } from './figures.ts'
import { figuresPrefix, keepResults } from './results.ts'

const { out } = parseWishes(process.argv.slice(2))
for await (const line of createInterface({ input: process.stdin })) {
  if (line.startsWith(figuresPrefix)) await keepResults(out, JSON.parse(line.slice(figuresPrefix.length)) as Results)
  else console.log(line)
}
