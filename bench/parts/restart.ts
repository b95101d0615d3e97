// The daemon ends and starts again over a kernel that nobody changed; beside it the time of one reading of the rules.
import { createExec } from '../../src/kernel/exec.ts'
import type { MeasuredDaemon } from '../daemon.ts'
import type { Measurement } from '../figures.ts'
import { clock } from '../helper.ts'
import type { World } from '../world.ts'
import { sizeAndBackend } from './cold.ts'

/** Gives the daemon that runs afterwards. */
export async function measureRestart(
  world: World,
  before: MeasuredDaemon,
): Promise<{ readonly daemon: MeasuredDaemon; readonly measurements: readonly Measurement[] }> {
  await before.stop()
  const exec = createExec({ prefix: world.node.namespace.prefix })
  const readFrom = clock()
  await exec({ argv: [`iptables-${world.options.backend}-save`] })
  const floor = [clock() - readFrom]
  const daemon = world.startDaemon()
  const readyAt = await world.readyAt()
  const synced = await daemon.waitForSync()
  const common = { part: 'restart', ...sizeAndBackend(world) } as const
  return {
    daemon,
    measurements: [
      { ...common, what: 'process started until ready', unit: 'ms', samples: [readyAt - daemon.startedAt], floor },
      { ...common, what: 'lines written', unit: 'lines', samples: [Number(synced['lines'])] },
    ],
  }
}
