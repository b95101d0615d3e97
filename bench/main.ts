// npm run bench: see `usage`. Measures, prints, keeps the figures; decides nothing.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from '../scripts/build.ts'
import { parseWishes, usage, type Wishes } from './command-line.ts'
import { addRun, type Figure, type Measurement, type Results } from './figures.ts'
import { busyCores, describeMachine } from './machine.ts'
import { measureDataplane } from './parts/dataplane.ts'
import { measureIpvs } from './parts/ipvs.ts'
import { figuresPrefix, keepResults } from './results.ts'
import { runScenario } from './run.ts'
import { full, quick, wishedScenarios } from './schedule.ts'
import { printFigures } from './table.ts'

if (process.argv.slice(2).some(word => word === '--help' || word === '-h')) {
  process.stdout.write(usage)
} else {
  try {
    await main(parseWishes(process.argv.slice(2)))
  } catch (error) {
    // Its message alone: the error of a tool holds all that it was fed.
    console.error(`bench: ${error instanceof Error ? error.message : error}`)
    process.exitCode = 1
  }
}

async function main(wishes: Wishes): Promise<void> {
  let figures: readonly Figure[] = []
  const machine = await describeMachine()
  const folder = await mkdtemp(join(tmpdir(), 'bench-build-'))
  try {
    const program = wishes.parts.includes('ipvs') ? [] : await buildProgram(folder, wishes)
    for (let run = 1; run <= wishes.runs; run++) {
      for (const { title, measure } of tasks(wishes, program)) {
        const busy = await busyCores()
        const start = performance.now()
        const measured = await measure()
        console.log(`${title}: ${Math.round((performance.now() - start) / 1000)} s`)
        figures = addRun(figures, measured, busy)
        await keep({ machine, figures }, wishes)
      }
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  console.log()
  printFigures(figures)
}

interface Task {
  readonly title: string
  readonly measure: () => Promise<readonly Measurement[]>
}

function tasks(wishes: Wishes, program: readonly string[]): readonly Task[] {
  if (wishes.parts.includes('ipvs')) return [{ title: 'ipvs', measure: () => measureIpvs(ipvsSizes(wishes)) }]
  const { dispatch } = wishes
  const extent = wishes.full ? full : quick
  const scenarios = wishedScenarios(wishes).map(scenario => {
    const { size, backend, parts } = scenario
    const title = `${size.services}x${size.endpoints} ${backend} (${parts.join(', ')})`
    return { title, measure: () => runScenario(scenario, { extent, dispatch, program, idleBelow: 100 }) }
  })
  if (wishes.parts.length > 0 && !wishes.parts.includes('dataplane')) return scenarios
  const sizes = wishes.sizes.length > 0 ? wishes.sizes : [10, 10_000].map(services => ({ services, endpoints: 5 }))
  const dataplane = wishes.backends.map(backend => ({
    title: `dataplane ${backend}`,
    measure: () => measureDataplane({ backend, dispatch, program }, sizes),
  }))
  return [...scenarios, ...dataplane]
}

function ipvsSizes({ sizes }: Wishes) {
  return sizes.length > 0 ? sizes : [500, 2000].map(services => ({ services, endpoints: 5 }))
}

/** The bundle that ships, started as it is unless something else is wished. */
async function buildProgram(folder: string, { profile, nodeFlags }: Wishes): Promise<readonly string[]> {
  await build(folder)
  const bundle = join(folder, 'switchyard.mjs')
  const flags = [...nodeFlags, ...(profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`])]
  return flags.length === 0 ? [bundle] : [process.execPath, ...flags, bundle]
}

async function keep(results: Results, { out }: Wishes): Promise<void> {
  if (process.env['SWITCHYARD_BENCH_IN_GUEST'] === undefined) await keepResults(out, results)
  else process.stdout.write(`${figuresPrefix}${JSON.stringify(results)}\n`)
}
