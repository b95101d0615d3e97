// What the daemon's process keeps and uses: resident memory, before and after an hour's worth of changes in a short time, and its own
// time on a core at one change a second, beside that of the tools and of the kernel for them.
import { setTimeout as delay } from 'node:timers/promises'
import type { MeasuredDaemon } from '../daemon.ts'
import type { Measurement } from '../figures.ts'
import { clock } from '../helper.ts'
import type { World } from '../world.ts'
import { Churn } from './change.ts'
import { sizeAndBackend } from './cold.ts'

const settlesMs = 10_000

export async function measureMemory(
  world: World,
  daemon: MeasuredDaemon,
  { changes, perSecond }: { readonly changes: number; readonly perSecond: number },
): Promise<readonly Measurement[]> {
  await delay(settlesMs)
  const settled = await daemon.memory()
  const common = { part: 'memory', unit: 'MB', ...sizeAndBackend(world) } as const
  const rows: Measurement[] = [
    { ...common, what: 'resident', samples: [settled.residentMB] },
    { ...common, what: 'most at any time', samples: [settled.peakMB] },
  ]
  if (changes === 0) return rows
  const churn = new Churn(world, perSecond)
  const halves: number[] = []
  for (const share of [0.5, 1]) {
    while (churn.changes < changes * share) await delay(100)
    halves.push((await daemon.memory()).residentMB)
  }
  await churn.stop()
  await delay(settlesMs)
  const after = await daemon.memory()
  const churned = `${changes.toLocaleString('en-US')} changes, ${perSecond} a second`
  return [
    ...rows,
    { ...common, what: `resident after half of ${churned}`, samples: [halves[0] ?? Number.NaN] },
    { ...common, what: `resident after ${churned}`, samples: [after.residentMB] },
    { ...common, what: `most at any time, ${churned}`, samples: [after.peakMB] },
  ]
}

export async function measureCpu(world: World, daemon: MeasuredDaemon, seconds: number): Promise<readonly Measurement[]> {
  // The reading of all rules that follows a start is over by then; those after it are two hundred times their own time apart, so a short measurement has none.
  await delay(settlesMs)
  const before = await daemon.times()
  const startedAt = clock()
  const churn = new Churn(world, 1)
  await delay(seconds * 1000)
  await churn.stop()
  await delay(1000)
  const after = await daemon.times()
  const share = (name: keyof typeof after) => [(100 * (after[name] - before[name])) / (clock() - startedAt)]
  const common = { part: 'cpu', unit: '%', ...sizeAndBackend(world) } as const
  return [
    { ...common, what: 'of a core, the daemon itself, at one change a second', samples: share('own') },
    { ...common, what: 'of a core, the tools in user space', samples: share('toolsUser') },
    { ...common, what: 'of a core, the kernel for the tools', samples: share('toolsKernel') },
  ]
}
