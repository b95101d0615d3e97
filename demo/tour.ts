// The stations of the demo. Each asks real servers through real rules, shows the answers, and throws where they are not as promised.
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseAllDocuments, stringify } from 'yaml'
import type { Outcome } from '../test/support/lab/agent/protocol.ts'
import type { Daemon } from '../test/support/lab/daemon.ts'
import type { Lab } from '../test/support/lab/lab.ts'
import { bars, command, good, output, say, step } from './screen.ts'

export interface Tour {
  readonly lab: Lab
  readonly daemon: Daemon
  readonly manifests: string
  readonly mode: 'iptables' | 'ipvs'
}

export async function showEverything(tour: Tour): Promise<void> {
  await clusterIp(tour)
  await nodePort(tour)
  await loadBalancer(tour)
  await affinity(tour)
  await podGoesAway(tour)
  await nobodyHome(tour)
  await (tour.mode === 'ipvs' ? virtualServers(tour) : rules(tour))
}

async function clusterIp(tour: Tour): Promise<void> {
  step('ClusterIP: a pod asks the Service myweb-svc, all three pods answer')
  const answers = await ask(tour, { from: 'web-1', url: 'http://10.96.10.1', count: 60 })
  expect(answers.size === 3, 'three pods answer', `only ${[...answers.keys()].join(', ')} answered`)
}

async function nodePort(tour: Tour): Promise<void> {
  step('NodePort: the client outside asks the node on port 30123')
  const answers = await ask(tour, { from: 'client', url: 'http://10.200.1.2:30123', count: 60 })
  expect(answers.size === 3, 'three pods answer through the node', `only ${[...answers.keys()].join(', ')} answered`)
  if (tour.mode === 'ipvs') return
  await ask(tour, { from: 'node1', url: 'http://127.0.0.1:30123', count: 3 })
  good('on the node itself 127.0.0.1 works too')
}

async function loadBalancer(tour: Tour): Promise<void> {
  step('LoadBalancer: myweb-svc-lb has the address 192.168.100.240, and node port 31313')
  const byAddress = await ask(tour, { from: 'client', url: 'http://192.168.100.240', count: 60 })
  expect(
    byAddress.size === 3,
    'three pods answer at the load balancer address',
    `only ${[...byAddress.keys()].join(', ')} answered`,
  )
  const byPort = await ask(tour, { from: 'client', url: 'http://10.200.1.2:31313', count: 60 })
  expect(byPort.size === 3, 'and on its node port', `only ${[...byPort.keys()].join(', ')} answered`)
}

async function affinity(tour: Tour): Promise<void> {
  step('Session affinity: svc-lb-sa keeps a client with its pod for 3,600 s')
  const answers = await ask(tour, { from: 'client', url: 'http://192.168.100.241', count: 60 })
  expect(answers.size === 1, `all 60 requests went to ${[...answers.keys()][0]}`, `${answers.size} pods answered`)
}

async function podGoesAway(tour: Tour): Promise<void> {
  step('A pod goes away: web-3 is taken out of the EndpointSlice of myweb-svc, in the manifest, live')
  const { daemon, manifests } = tour
  const since = daemon.log.length
  await removeEndpoint(join(manifests, 'myweb-svc.yaml'), '10.244.1.13')
  const line = await daemon.waitForLog(({ msg }) => msg === 'synced IPv4: programmed', {
    what: 'the change to be programmed',
    since,
  })
  const tools = tour.mode === 'ipvs' ? 'ipvsadm' : 'iptables-restore'
  good(`programmed in ${line['milliseconds']} ms, with ${line['lines']} lines to ${tools}`)
  const answers = await ask(tour, { from: 'web-1', url: 'http://10.96.10.1', count: 60 })
  expect(answers.size === 2 && !answers.has('web-3'), 'only web-1 and web-2 answer', `${[...answers.keys()].join(', ')} answered`)
}

async function nobodyHome({ lab }: Tour): Promise<void> {
  step('A Service with no endpoints: nobody-home refuses at once, nobody waits')
  command('curl http://10.96.10.5            # in web-1')
  const [outcome] = await connect(lab, { from: 'web-1', address: '10.96.10.5', port: 80, count: 1 })
  const milliseconds = outcome === undefined ? 0 : outcome.endedAt - outcome.startedAt
  expect(
    outcome?.ok === false && outcome.reason === 'refused',
    `refused after ${milliseconds} ms`,
    `not refused: ${JSON.stringify(outcome)}`,
  )
}

async function rules({ lab }: Tour): Promise<void> {
  step('What the kernel holds: the chains that every tutorial shows')
  command('iptables -t nat -S | grep KUBE-SVC       # in node1')
  const { stdout } = await lab.run('node1', ['iptables', '-t', 'nat', '-S'])
  const lines = stdout.split('\n').filter(line => line.includes('KUBE-SVC'))
  output(lines.join('\n'))
  expect(lines.length > 0, `${lines.length} rules`, 'there are none')
}

async function virtualServers({ lab }: Tour): Promise<void> {
  step('What the kernel holds: a virtual server for each address, and for the node port at each address of the node')
  command('ipvsadm -ln       # in node1')
  const { stdout } = await lab.run('node1', ['ipvsadm', '-ln'])
  output(stdout.trimEnd())
  const atNodePort = stdout.split('\n').filter(line => /:30123 /.test(line))
  expect(atNodePort.length > 0, `node port 30123 at ${atNodePort.length} addresses`, 'there is none')
}

/** Requests one after the other; shows and gives how often each pod answered. */
async function ask(tour: Tour, request: { from: string; url: string; count: number }): Promise<ReadonlyMap<string, number>> {
  const { from, url, count } = request
  const { hostname, port } = new URL(url)
  command(`for i in $(seq ${count}); do curl ${url}; done            # in ${from}`)
  const outcomes = await connect(tour.lab, { from, address: hostname, port: port === '' ? 80 : Number(port), count })
  const failed = outcomes.find(outcome => !outcome.ok)
  if (failed !== undefined) throw new Error(`a request failed: ${JSON.stringify(failed)}`)
  const answers = new Map<string, number>()
  for (const outcome of outcomes) if (outcome.ok) answers.set(outcome.name, (answers.get(outcome.name) ?? 0) + 1)
  bars(answers)
  return answers
}

function connect(
  lab: Lab,
  { from, ...target }: { from: string; address: string; port: number; count: number },
): Promise<readonly Outcome[]> {
  return lab.agent(from).ask('connect', { protocol: 'TCP', timeoutMs: 3000, parallel: 1, ...target })
}

async function removeEndpoint(file: string, address: string): Promise<void> {
  const documents = parseAllDocuments(await readFile(file, 'utf8')).map(document => document.toJS())
  for (const object of documents) {
    if (object.kind !== 'EndpointSlice') continue
    object.endpoints = object.endpoints.filter((endpoint: { addresses: string[] }) => !endpoint.addresses.includes(address))
  }
  await writeFile(file, documents.map(document => stringify(document)).join('---\n'))
  say(`(edited ${file})`)
}

function expect(holds: boolean, promise: string, otherwise: string): void {
  if (!holds) throw new Error(`expected: ${promise}; but ${otherwise}`)
  good(promise)
}
