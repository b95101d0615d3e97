// Ipvs mode: what a first sync, one endpoint change and a restart cost, each beside its floor.
import { createExec } from '../src/kernel/exec.ts'
import { toolsOf } from '../src/kernel/iptables.ts'
import { probeBackend } from '../src/kernel/probe.ts'
import { ipvsMode } from '../src/modes/ipvs/index.ts'
import { createNamespace, type Namespace } from '../test/support/namespace.ts'
import { benchCluster, type ClusterSize } from './cluster.ts'
import { benchSync, feedByHand, median, printTable, Recorder, readByHand } from './run.ts'

const changes = 20

interface Row {
  readonly what: string
  readonly milliseconds: number
  readonly floorMs: number
  readonly lines: number
  /** Programs that were started. */
  readonly runs: number
}

export async function benchIpvs(sizes: readonly ClusterSize[]): Promise<void> {
  const rows: (readonly (string | number)[])[] = []
  for (const size of sizes) {
    console.log(`measuring ${size.services} Services with ${size.endpoints} endpoints each`)
    for (const { what, milliseconds, floorMs, lines, runs } of await measure(size)) {
      const ratio = (milliseconds / floorMs).toFixed(2)
      rows.push([`${size.services}x${size.endpoints}`, what, Math.round(milliseconds), Math.round(floorMs), ratio, lines, runs])
    }
  }
  console.log()
  printTable([['Services x endpoints', 'what', 'ms', 'floor ms', 'ratio', 'lines', 'programs'], ...rows], 2)
  console.log('floor: the same lines fed by hand to the same tools; of a restart, the same questions put by hand')
}

async function measure(size: ClusterSize): Promise<readonly Row[]> {
  const cluster = benchCluster(size)
  await using ours = await createNode()
  await using byHand = await createNode()
  const { backend } = await probeBackend({ family: 'IPv4', exec: createExec({ prefix: ours.prefix }), procNet: '/proc/net' })
  const mode = ipvsMode({ family: 'IPv4', tools: toolsOf('IPv4', backend), abilities: { hasScheduler: () => true } })
  const recorder = new Recorder(ours)
  const newSync = () => benchSync({ cluster, mode, exec: recorder.exec })
  const sync = newSync()
  const first = await sync.pass()
  let commands = recorder.take()
  const rows: Row[] = [{ what: 'first sync', ...first, floorMs: await feedByHand(commands, byHand), runs: commands.length }]

  const changed: Row[] = []
  for (let count = 0; count < changes; count++) {
    const change = await sync.change(count)
    commands = recorder.take()
    changed.push({ what: 'change', ...change, floorMs: await feedByHand(commands, byHand), runs: commands.length })
  }
  rows.push(typical(changed))

  const restart = await newSync().pass()
  commands = recorder.take()
  rows.push({ what: 'restart', ...restart, floorMs: await readByHand(commands, ours), runs: commands.length })
  return rows
}

function typical(rows: readonly Row[]): Row {
  return {
    what: `one endpoint changes (median of ${rows.length})`,
    milliseconds: median(rows.map(row => row.milliseconds)),
    floorMs: median(rows.map(row => row.floorMs)),
    lines: Math.max(...rows.map(row => row.lines)),
    runs: Math.max(...rows.map(row => row.runs)),
  }
}

/** In a namespace that never had a link that is up no address counts as unicast, and IPVS takes no real server. */
async function createNode(): Promise<Namespace> {
  const namespace = await createNamespace('bench')
  await createExec({ prefix: namespace.prefix })({ argv: ['ip', 'link', 'set', 'lo', 'up'] })
  return namespace
}
