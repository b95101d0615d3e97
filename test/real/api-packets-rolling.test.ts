// A rolling update of a Deployment: clients connect all the time while every endpoint is replaced one by one, and no connection
// fails; nor does one while the API server misbehaves meanwhile. An old pod takes new connections until the proxy has programmed
// that it is gone, as one with a preStop hook does, and refuses them from then on: a rule that still led there would be seen.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import type { Fault } from '../support/apiserver/index.ts'
import { describeLoad, type RunningLoad, startLoad } from '../support/flows/load.ts'
import { type Replacement, rolled, rollout, steadyState } from '../support/flows/rollout.ts'
import { type ApiProxy, parseObjects, startApiProxy } from '../support/lab/api-proxy.ts'
import { type Lab, startLab } from '../support/lab/lab.ts'

/** Of each of the four clients: together 200 connections a second. */
const perSecond = 50

/** Connections of each client after each step. */
const leastBetweenSteps = 15

const nodes = parseObjects(readFileSync(new URL('../cases/cluster.yaml', import.meta.url), 'utf8'))
const generations = { a: ['a1', 'a2', 'a3', 'a4', 'a5'], b: ['b1', 'b2', 'b3', 'b4', 'b5'] } as const

/**
 * What the API server does while the first endpoints are replaced, one after the other. No more than these: failures in close
 * succession make the proxy wait longer and longer before it asks again, as they should.
 */
const faults: readonly Fault[] = [
  { fault: 'gone', as: 'status' },
  { fault: 'reset mid-line', resource: 'endpointslices' },
  { fault: 'restart', history: 'kept', downMilliseconds: 1500 },
]

test('no connection fails in a rolling update', async t => {
  await using lab = await startLab({
    nodes: [
      { name: 'node1', pods: ['c', 'a1', 'a2', 'a3', 'b1', 'b2'] },
      { name: 'node2', pods: ['a4', 'a5', 'b3', 'b4', 'b5'] },
    ],
  })
  await using proxy = await startApiProxy({ lab, objects: nodes, arguments: ['--iptables-backend', 'nft'] })
  await proxy.program([...nodes, ...steadyState(generations.a.map(name => lab.pod(name)))])

  await t.test('of an API server that works', sub => replaceAll(sub, { lab, proxy, from: 'a', to: 'b', faults: [] }))
  for (const name of generations.a) await setServing(lab, name, true)
  await t.test('of one that answers 410, resets a watch in mid-line, and restarts', sub =>
    replaceAll(sub, { lab, proxy, from: 'b', to: 'a', faults }),
  )
})

interface Update {
  readonly lab: Lab
  readonly proxy: ApiProxy
  readonly from: keyof typeof generations
  readonly to: keyof typeof generations
  /** One for each endpoint, as far as there are. */
  readonly faults: readonly Fault[]
}

async function replaceAll(t: TestContext, update: Update): Promise<void> {
  const { lab, proxy, from, to } = update
  const targets = [
    { from: 'c', address: rolled.ipv4, port: rolled.port },
    { from: 'c', address: rolled.ipv6, port: rolled.port },
    { from: 'client', address: lab.node.ipv4, port: rolled.nodePort },
    { from: 'client', address: lab.node.ipv6, port: rolled.nodePort },
  ]
  const loads = await Promise.all(targets.map(target => startLoad(lab, { ...target, perSecond })))
  const podsOf = (generation: keyof typeof generations) => generations[generation].map(name => lab.pod(name))
  const replacements = rollout(podsOf(from), podsOf(to))
  for (const [position, replacement] of replacements.entries()) {
    await moreConnections(loads)
    await replaceOne({ proxy, loads, steps: replacement.steps, fault: update.faults[position] })
    await setServing(lab, replacement.old.name, false)
  }
  await moreConnections(loads)
  const reports = await Promise.all(loads.map(load => load.stop()))

  for (const { name, report } of reports) t.diagnostic(describeLoad(name, report))
  const failures = reports.flatMap(({ name, report }) => report.failures.map(failure => ({ name, ...failure })))
  assert.deepEqual(failures, [], `connections failed; the daemon's last lines:\n${proxy.daemon.lastLines()}`)
  const answered = new Set(reports.flatMap(({ report }) => Object.keys(report.answered)))
  assert.deepEqual([...answered].sort(), [...generations.a, ...generations.b], 'who answered')
}

interface OneReplacement {
  readonly proxy: ApiProxy
  readonly loads: readonly RunningLoad[]
  readonly steps: Replacement['steps']
  readonly fault: Fault | undefined
}

/** Returns when the proxy has programmed the last step. */
async function replaceOne({ proxy, loads, steps, fault }: OneReplacement): Promise<void> {
  const before = await readsOfSlices(proxy)
  const misbehaving = fault === undefined ? undefined : proxy.server.ask({ do: 'fault', fault })
  for (const objects of steps) {
    await proxy.write([...nodes, ...objects])
    if (fault === undefined) await proxy.settle()
    await moreConnections(loads)
  }
  await misbehaving
  await proxy.settle()
  const reads = (await readsOfSlices(proxy)) - before
  if (fault !== undefined) assert(reads > 0, `the fault ${JSON.stringify(fault)} went unnoticed: no request came of it`)
}

/** Lists and watches of EndpointSlices so far. */
async function readsOfSlices(proxy: ApiProxy): Promise<number> {
  const requests = await proxy.server.ask({ do: 'requests' })
  return requests.filter(({ resource }) => resource === 'endpointslices').length
}

/** Waits until each client has connected some more times from now on. */
async function moreConnections(loads: readonly RunningLoad[]): Promise<void> {
  await Promise.all(loads.map(async load => load.reach((await load.attempts()) + leastBetweenSteps)))
}

/** A pod that does not serve resets new connections; those that it has go on to their end. */
async function setServing(lab: Lab, pod: string, serves: boolean): Promise<void> {
  const rule = ['INPUT', '-p', 'tcp', '--dport', '8080', '--syn', '-j', 'REJECT', '--reject-with', 'tcp-reset']
  for (const tool of ['iptables', 'ip6tables']) await lab.run(pod, [tool, '-w', serves ? '-D' : '-A', ...rule])
}
