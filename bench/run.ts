// What the benchmarks of all modes share: one IP family's sync over a made-up cluster, what it asks of tools, and the same fed by hand.
import { createExec, type Exec } from '../src/kernel/exec.ts'
import { parseCidr } from '../src/model/address.ts'
import { type NodeFacts, nodeFacts, type TrafficSettings } from '../src/model/node.ts'
import type { Mode } from '../src/modes/mode.ts'
import { createSyncEmitter, type SyncReport } from '../src/sync/events.ts'
import { FamilySync } from '../src/sync/family-sync.ts'
import type { Namespace } from '../test/support/namespace.ts'
import type { BenchCluster } from './cluster.ts'

type Command = Parameters<Exec>[0]

const podRange = parseCidr('10.244.0.0/16')
const settings: TrafficSettings = {
  masqueradeAll: false,
  masqueradeMark: 0x4000,
  localhostNodePorts: true,
  nodePortAddresses: 'all',
  detectLocal: { mode: 'ClusterCIDR', cidrs: podRange === undefined ? [] : [podRange] },
  tcpBeLiberal: false,
  ipvs: { scheduler: 'rr', excludeCidrs: [], strictArp: false, drainDeadlineMs: 900_000, drainGoneDeadlineMs: 120_000 },
}
const node: NodeFacts = nodeFacts('node1', undefined, [])

/** Changes what it was made for. */
export interface BenchSync {
  pass(): Promise<SyncReport>
  /** Gives an endpoint of the `count`th Service that changes another address, and programs that. */
  change(count: number): Promise<SyncReport>
}

export function benchSync<Desired, Observed>(options: {
  readonly cluster: BenchCluster
  readonly mode: Mode<Desired, Observed>
  readonly exec: Exec
}): BenchSync {
  const { cluster } = options
  const sync = new FamilySync({ ...options, events: createSyncEmitter(), now: () => performance.now() })
  const pass = (): Promise<SyncReport> => sync.pass({ node, settings, sweep: true })
  return {
    pass,
    change: async count => {
      const key = cluster.keys[(count * 37) % cluster.keys.length]
      if (key === undefined) throw new Error('bench: a cluster without Services')
      cluster.changeEndpoint(key)
      sync.markDirty(new Set([key]))
      return pass()
    },
  }
}

/** Runs commands inside a namespace and remembers them. */
export class Recorder {
  readonly exec: Exec
  #commands: Command[] = []

  constructor({ prefix }: Namespace) {
    const plain = createExec({ prefix })
    this.exec = command => {
      this.#commands.push(command)
      return plain(command)
    }
  }

  /** What was run since this was asked last. */
  take(): readonly Command[] {
    const commands = this.#commands
    this.#commands = []
    return commands
  }
}

/** The floor: the same lines, fed to the same tools by hand. What was read, and not written, is no part of it. */
export async function feedByHand(commands: readonly Command[], { prefix }: Namespace): Promise<number> {
  const exec = createExec({ prefix })
  return timed(async () => {
    for (const command of commands) if (command.input !== undefined) await exec(command)
  })
}

/** The floor of what reads only: the same questions, put at once. */
export async function readByHand(commands: readonly Command[], { prefix }: Namespace): Promise<number> {
  const exec = createExec({ prefix })
  return timed(() => Promise.all(commands.filter(({ input }) => input === undefined).map(exec)))
}

export async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}

/** Columns as wide as their widest cell; the first `words` of them start at the left. */
export function printTable(rows: readonly (readonly (string | number)[])[], words: number): void {
  const texts = rows.map(row => row.map(String))
  const widths = (texts[0] ?? []).map((_, index) => Math.max(...texts.map(row => row[index]?.length ?? 0)))
  for (const row of texts) {
    const cells = row.map((text, index) => (index < words ? text.padEnd(widths[index] ?? 0) : text.padStart(widths[index] ?? 0)))
    console.log(cells.join('  ').trimEnd())
  }
}
