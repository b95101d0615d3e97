// iptables mode: what a cold start, one endpoint change and a restart cost, on both backends.
import { type Backend, toolsOf } from '../src/kernel/iptables.ts'
import { iptablesMode } from '../src/modes/iptables/index.ts'
import { createNamespace } from '../test/support/namespace.ts'
import { benchCluster, type ClusterSize } from './cluster.ts'
import { benchSync, feedByHand, median, printTable, Recorder } from './run.ts'

const changes = 20

export async function benchIptables(sizes: readonly ClusterSize[]): Promise<void> {
  const rows: (readonly (string | number)[])[] = []
  for (const size of sizes) for (const backend of ['nft', 'legacy'] as const) rows.push(await measure(size, backend))
  const heads = ['Services x endpoints', 'backend', 'cold ms', 'floor ms', 'ratio', 'change ms', 'lines', 'restart ms', 'lines']
  printTable([heads, ...rows], 2)
}

async function measure(size: ClusterSize, backend: Backend): Promise<readonly (string | number)[]> {
  const cluster = benchCluster(size)
  await using namespace = await createNamespace('bench')
  await using other = await createNamespace('bench')
  const recorder = new Recorder(namespace)
  const { exec } = recorder
  const newSync = () => benchSync({ cluster, mode: iptablesMode('IPv4', toolsOf('IPv4', backend)), exec })
  const sync = newSync()
  const cold = await sync.pass()
  const floorMs = await feedByHand(recorder.take(), other)
  const reports = []
  for (let count = 0; count < changes; count++) reports.push(await sync.change(count))
  const restart = await newSync().pass()
  return [
    `${size.services}x${size.endpoints}`,
    backend,
    Math.round(cold.milliseconds),
    Math.round(floorMs),
    (cold.milliseconds / floorMs).toFixed(2),
    median(reports.map(({ milliseconds }) => milliseconds)).toFixed(1),
    Math.max(...reports.map(({ lines }) => lines)),
    Math.round(restart.milliseconds),
    restart.lines,
  ]
}
