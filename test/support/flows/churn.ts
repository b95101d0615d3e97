// No failed connection while everything changes: a client that connects all the time to one Service, through its cluster IP and
// its node port, in both families, while Services come and go around it and its own endpoints change, too. An endpoint that is taken
// out goes on serving, so no failure is legitimate.
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { type Lab, startLab } from '../lab/lab.ts'
import { type RunningProxy, startProxy } from '../lab/proxy.ts'
import { describeLoad, type LoadTarget, startLoad } from './load.ts'
import { RandomCluster, steady } from './random-cluster.ts'

/** Together 200 connections a second. */
const perSecond = 50
const rounds = 30
const leastConnections = 2000

export async function checkChurn(t: TestContext, commandLine: readonly string[]): Promise<void> {
  const seed = Number(process.env['SWITCHYARD_SEED'] ?? Math.floor(Math.random() * 2 ** 32))
  t.diagnostic(`seed ${seed} (SWITCHYARD_SEED repeats it)`)
  await using lab = await startLab()
  await using proxy = await startProxy({ lab, arguments: commandLine })
  const cluster = new RandomCluster({ seed, pods: lab.pods })
  await proxy.program(cluster.toYaml())

  const loads = await Promise.all(targets(lab).map(target => startLoad(lab, target)))
  for (let round = 0; round < rounds; round++) await churn({ lab, proxy, cluster, burst: round % 4 })
  await Promise.all(loads.map(load => load.reach(leastConnections / loads.length)))
  const reports = await Promise.all(loads.map(load => load.stop()))

  for (const { name, report } of reports) t.diagnostic(describeLoad(name, report))
  assert.deepEqual(
    reports.flatMap(({ name, report }) => report.failures.map(failure => ({ name, ...failure }))),
    [],
    `connections failed; the daemon's last lines:\n${proxy.daemon.lastLines()}`,
  )
}

function targets(lab: Lab): readonly LoadTarget[] {
  return [
    { from: 'c', address: steady.ipv4, port: steady.port, perSecond },
    { from: 'c', address: steady.ipv6, port: steady.port, perSecond },
    { from: 'client', address: lab.node.ipv4, port: steady.nodePort, perSecond },
    { from: 'client', address: lab.node.ipv6, port: steady.nodePort, perSecond },
  ]
}

/** A few changes in one go or one after the other without waiting, then the certainty that the last one is programmed. */
async function churn(options: { lab: Lab; proxy: RunningProxy; cluster: RandomCluster; burst: number }): Promise<void> {
  const { lab, proxy, cluster, burst } = options
  for (let write = 0; write <= burst; write++) {
    cluster.change()
    await proxy.write(cluster.toYaml())
  }
  await proxy.settle()
  const asked = { protocol: 'TCP', address: steady.ipv4, port: steady.port, timeoutMs: 15_000, count: 5, parallel: 5 } as const
  for (const outcome of await lab.agent(lab.node.name).ask('connect', asked)) {
    assert(outcome.ok, `the node itself cannot connect: ${JSON.stringify(outcome)}`)
    assert(cluster.endpoints.includes(outcome.name), `${outcome.name} was taken out, but still gets new connections`)
  }
}
