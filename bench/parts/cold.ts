// A node that has nothing: from the start of the process until it is ready, and the first sync alone; beside the tools' own time for the
// same rules.
import { createExec } from '../../src/kernel/exec.ts'
import type { MeasuredDaemon } from '../daemon.ts'
import type { Measurement } from '../figures.ts'
import type { Twin, World } from '../world.ts'

export interface Started {
  readonly daemon: MeasuredDaemon
  readonly measurements: readonly Measurement[]
}

/** Programs the node, and the twin after it. */
export async function measureCold(world: World, twin: Twin | undefined): Promise<Started> {
  const daemon = world.startDaemon()
  const readyAt = await world.readyAt()
  const synced = await daemon.waitForSync()
  const fed = await twin?.feeder.ask({ do: 'program' })
  const common = { part: 'cold', unit: 'ms', ...sizeAndBackend(world) } as const
  const floor = fed === undefined ? {} : { floor: [fed.milliseconds] }
  return {
    daemon,
    measurements: [
      { ...common, what: 'process started until ready', samples: [readyAt - daemon.startedAt], ...floor },
      { ...common, what: 'first sync', samples: [Number(synced['milliseconds'])], ...floor },
      { ...common, what: 'lines written', unit: 'lines', samples: [Number(synced['lines'])] },
    ],
  }
}

export function sizeAndBackend({ options: { cluster, backend, dispatch } }: World) {
  const { services, endpoints } = cluster
  return { services, endpoints, backend: dispatch === 'auto' ? backend : `${backend} ${dispatch}` }
}

/** The daemon's node and its twin hold the same rules, or what was compared was not the same. Throws where they do not. */
export async function checkSameRules(world: World, twin: Twin): Promise<void> {
  const save = async (prefix: readonly string[]) => {
    const { stdout } = await createExec({ prefix })({ argv: [`iptables-${world.options.backend}-save`] })
    return stdout
      .split('\n')
      .filter(line => !line.startsWith('#'))
      .map(line => line.replace(/\[\d+:\d+\]/, ''))
      .sort()
  }
  const ours = await save(world.node.namespace.prefix)
  const theirs = new Set(await save(twin.node.namespace.prefix))
  const first = ours.find(line => !theirs.has(line))
  if (first !== undefined || ours.length !== [...theirs].length + ours.length - new Set(ours).size)
    throw new Error(`bench: the floor was fed other rules than the daemon: ${first ?? 'it has more'}`)
}
