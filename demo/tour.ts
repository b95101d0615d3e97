// The stations of the demo. Each asks real servers through real rules, shows the answers, and throws where they are not as promised.
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseAllDocuments, stringify } from 'yaml'
import { ask, connect, expect, look, type Tour } from './ask.ts'
import { openConnection, showDrain, showNodePort, showVirtualServers } from './ipvs.ts'
import { command, good, say, step } from './screen.ts'

export async function showEverything(tour: Tour): Promise<void> {
  await clusterIp(tour)
  await nodePort(tour)
  await loadBalancer(tour)
  await affinity(tour)
  await podGoesAway(tour)
  await nobodyHome(tour)
  await (tour.mode === 'ipvs' ? showVirtualServers(tour) : rules(tour))
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
  // In ipvs mode nothing answers on 127.0.0.1.
  if (tour.mode === 'ipvs') return showNodePort(tour)
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
  const open = tour.mode === 'ipvs' ? await openConnection(tour) : undefined
  const { daemon, manifests } = tour
  const since = daemon.log.length
  await removeEndpoint(join(manifests, 'myweb-svc.yaml'), '10.244.1.13')
  const line = await daemon.waitForLog(({ msg }) => msg === 'synced IPv4: programmed', {
    what: 'the change to be programmed',
    since,
  })
  const lines = line['lines'] === 1 ? '1 line' : `${line['lines']} lines`
  good(`programmed in ${line['milliseconds']} ms, with ${lines} to ${tour.mode === 'ipvs' ? 'ipvsadm' : 'iptables-restore'}`)
  const answers = await ask(tour, { from: 'web-1', url: 'http://10.96.10.1', count: 60 })
  expect(answers.size === 2 && !answers.has('web-3'), 'only web-1 and web-2 answer', `${[...answers.keys()].join(', ')} answered`)
  if (open !== undefined) await showDrain(tour, open)
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

async function rules(tour: Tour): Promise<void> {
  step('What the kernel holds: the chains that every tutorial shows')
  const found = await look(tour, 'iptables -t nat -S | grep KUBE-SVC')
  const count = found.match(/^-A /gm)?.length ?? 0
  expect(count > 0, `${count} rules`, 'there are none')
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
