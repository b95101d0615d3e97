// npm run bench [-- SERVICESxENDPOINTS ...]: what a cold start, one endpoint change and a restart cost at some sizes, on both
// backends, beside the tool's own floor on the same rules in the same run. Measures and prints; decides nothing.
import { createExec, type Exec } from '../src/kernel/exec.ts'
import { type Backend, toolsOf } from '../src/kernel/iptables.ts'
import { parseCidr } from '../src/model/address.ts'
import { type NodeFacts, nodeFacts, type TrafficSettings } from '../src/model/node.ts'
import { iptablesMode } from '../src/modes/iptables/index.ts'
import { createSyncEmitter, type SyncReport } from '../src/sync/events.ts'
import { FamilySync } from '../src/sync/family-sync.ts'
import { createNamespace } from '../test/support/namespace.ts'
import { type BenchCluster, benchCluster } from './cluster.ts'

const defaultSizes = ['100x5', '1000x5', '5000x5']
const changes = 20

interface Row {
  readonly size: string
  readonly backend: Backend
  readonly coldMs: number
  readonly coldFloorMs: number
  readonly changeMs: number
  readonly changeLines: number
  readonly restartMs: number
  readonly restartLines: number
}

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

async function measure(size: string, backend: Backend): Promise<Row> {
  const [services = 0, endpoints = 0] = size.split('x').map(Number)
  const cluster = benchCluster({ services, endpoints })
  await using namespace = await createNamespace('bench')
  const fed: string[] = []
  const plain = createExec({ prefix: namespace.prefix })
  const exec: Exec = command => {
    if (command.input !== undefined) fed.push(command.input)
    return plain(command)
  }
  const sync = newSync(cluster, backend, exec)
  const cold = await sync.pass({ node, settings, sweep: true })
  const coldFloorMs = await floor(fed, backend)
  const durations: number[] = []
  let changeLines = 0
  for (let count = 0; count < changes; count++) {
    const key = cluster.keys[(count * 37) % cluster.keys.length]
    if (key === undefined) break
    cluster.changeEndpoint(key)
    sync.markDirty(new Set([key]))
    const report = await sync.pass({ node, settings, sweep: true })
    durations.push(report.milliseconds)
    changeLines = Math.max(changeLines, report.lines)
  }
  const restart = await newSync(cluster, backend, exec).pass({ node, settings, sweep: true })
  return {
    size,
    backend,
    coldMs: cold.milliseconds,
    coldFloorMs,
    changeMs: median(durations),
    changeLines,
    restartMs: restart.milliseconds,
    restartLines: restart.lines,
  }
}

function newSync(cluster: BenchCluster, backend: Backend, exec: Exec): { pass: Pass; markDirty: Mark } {
  const mode = iptablesMode('IPv4', toolsOf('IPv4', backend))
  return new FamilySync({ mode, exec, cluster, events: createSyncEmitter(), now: () => performance.now() })
}
type Pass = (input: { node: NodeFacts; settings: TrafficSettings; sweep: boolean }) => Promise<SyncReport>
type Mark = (keys: ReadonlySet<BenchCluster['keys'][number]>) => void

/** The same text, fed by hand into an empty namespace. */
async function floor(fed: readonly string[], backend: Backend): Promise<number> {
  await using namespace = await createNamespace('bench')
  const exec = createExec({ prefix: namespace.prefix })
  const start = performance.now()
  for (const input of fed) await exec({ argv: [toolsOf('IPv4', backend).restore, '--noflush'], input })
  return performance.now() - start
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}

function print(rows: readonly Row[]): void {
  const heads = ['Services x endpoints', 'backend', 'cold ms', 'floor ms', 'ratio', 'change ms', 'lines', 'restart ms', 'lines']
  console.log(heads.map((head, index) => head.padStart(index < 2 ? 0 : 10)).join('  '))
  for (const row of rows) {
    const ms = [row.coldMs, row.coldFloorMs].map(Math.round)
    const cells = [row.size.padEnd(20), row.backend.padEnd(7), ...ms, (row.coldMs / row.coldFloorMs).toFixed(2)]
    const rest = [row.changeMs.toFixed(1), row.changeLines, Math.round(row.restartMs), row.restartLines]
    console.log([...cells, ...rest].map((cell, index) => String(cell).padStart(index < 2 ? 0 : 10)).join('  '))
  }
}

const sizes = process.argv.length > 2 ? process.argv.slice(2) : defaultSizes
const rows: Row[] = []
for (const size of sizes) {
  if (!/^[1-9]\d*x[1-9]\d*$/.test(size)) {
    console.error(`bench: ${size}: expected SERVICESxENDPOINTS, such as 1000x5`)
    process.exit(64)
  }
  for (const backend of ['nft', 'legacy'] as const) rows.push(await measure(size, backend))
}
print(rows)
