// No failed connection while everything changes: a client that connects all the time to one Service, through its cluster IP and
// its node port, in both families, while Services come and go around it and its own endpoints change, too. An endpoint that is taken
// out goes on serving, so no failure is legitimate.
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { LoadReport } from '../lab/agent/protocol.ts'
import { type Lab, startLab } from '../lab/lab.ts'
import { poll } from '../lab/poll.ts'
import { type RunningProxy, startProxy } from '../lab/proxy.ts'
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

  for (const { name, report } of reports) t.diagnostic(describe(name, report))
  assert.deepEqual(
    reports.flatMap(({ name, report }) => report.failures.map(failure => ({ name, ...failure }))),
    [],
    `connections failed; the daemon's last lines:\n${proxy.daemon.lastLines()}`,
  )
}

interface LoadTarget {
  readonly from: string
  readonly address: string
  readonly port: number
}

function targets(lab: Lab): readonly LoadTarget[] {
  return [
    { from: 'c', address: steady.ipv4, port: steady.port },
    { from: 'c', address: steady.ipv6, port: steady.port },
    { from: 'client', address: lab.node.ipv4, port: steady.nodePort },
    { from: 'client', address: lab.node.ipv6, port: steady.nodePort },
  ]
}

async function startLoad(lab: Lab, { from, address, port }: LoadTarget) {
  const agent = lab.agent(from)
  const number = await agent.ask('startLoad', { protocol: 'TCP', address, port, perSecond, timeoutMs: 15_000 })
  const reached = (attempts: number) => async () => ((await agent.ask('loadAttempts', number)) >= attempts ? true : undefined)
  return {
    reach: (attempts: number) =>
      poll(reached(attempts), { what: `${attempts} connections from ${from} to ${address}`, deadlineMs: 120_000, everyMs: 100 }),
    stop: async () => ({ name: `${from} -> ${address}:${port}`, report: await agent.ask('stopLoad', number) }),
  }
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

function describe(name: string, { attempts, answered, failures, slowestMs }: LoadReport): string {
  const answers = Object.entries(answered).map(([pod, count]) => `${pod} ${count}`)
  return `${name}: ${attempts} connections, ${failures.length} failed, the slowest took ${slowestMs} ms (${answers.join(', ')})`
}
