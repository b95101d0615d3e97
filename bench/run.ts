// One scenario, part after part: a cluster of one size and a node that follows it with one backend.
import type { ClusterSize, Measurement, Part } from './figures.ts'
import { measureChanges, measureChurn } from './parts/change.ts'
import { checkSameRules, measureCold } from './parts/cold.ts'
import { measureCpu, measureMemory } from './parts/resources.ts'
import { measureRestart } from './parts/restart.ts'
import type { Extent, Scenario } from './schedule.ts'
import { World } from './world.ts'

const churnPerSecond = 50
const probes = 10

export interface RunOptions {
  readonly extent: Extent
  readonly dispatch: string
  readonly program: readonly string[]
  /** A smaller cluster is idle: nothing changes in it. */
  readonly idleBelow: number
}

export async function runScenario(scenario: Scenario, options: RunOptions): Promise<readonly Measurement[]> {
  const { size, backend, parts } = scenario
  const { extent, dispatch, program } = options
  const has = (...wanted: readonly Part[]) => wanted.some(part => parts.includes(part))
  const isIdle = size.services < options.idleBelow
  const cluster = { ...size, probes: isIdle ? 0 : probes }
  await using world = await World.create({ cluster, backend, dispatch, program })
  const twin = has('cold', 'change', 'churn') && !isIdle ? await world.createTwin() : undefined
  const { daemon: first, measurements: cold } = await measureCold(world, twin)
  const measurements: Measurement[] = has('cold') ? [...cold] : []
  let daemon = first
  const changing = () => ({ world, twin, daemon, count: extent.changes })
  if (has('memory')) measurements.push(...(await measureMemory(world, daemon, { ...memoryChanges(size, options) })))
  if (has('restart')) {
    const restarted = await measureRestart(world, daemon)
    daemon = restarted.daemon
    measurements.push(...restarted.measurements)
  }
  // What changed for the memory's sake changed behind the twin's back.
  const twinIsBehind = has('memory') && memoryChanges(size, options).changes > 0
  if (twinIsBehind)
    await twin?.feeder.ask({ do: 'change', put: await world.server.ask({ do: 'list', plural: 'endpointslices' }) })
  if (has('change')) measurements.push(...(await measureChanges(changing())))
  if (has('churn')) measurements.push(...(await measureChurn({ ...changing(), count: extent.churned }, churnPerSecond)))
  if (twin !== undefined && has('cold', 'change', 'churn')) await checkSameRules(world, twin)
  if (has('cpu')) measurements.push(...(await measureCpu(world, daemon, extent.cpuSeconds)))
  return measurements
}

/** Where a change takes the kernel a second, an hour's worth of them would take hours. */
function memoryChanges({ services, endpoints }: ClusterSize, { extent, idleBelow }: RunOptions) {
  const isCostly = endpoints > 100
  return { changes: services < idleBelow || isCostly ? 0 : extent.memoryChanges, perSecond: churnPerSecond }
}
