// What the daemon says of itself, asked over the network as load balancers, kubelet and Prometheus ask.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Backend, toolsOf } from '../../src/kernel/iptables.ts'
import { complaintsAboutKubeProxy, promtoolComplaints } from '../metrics/promtool.ts'
import { parseExposition } from '../metrics/support.ts'
import { type AnswerInside, connectNamespaces, fetchInside, occupyInside, startInside } from '../server/in-namespace.ts'
import type { Announcement, Command } from '../support/apiserver/control.ts'
import type { ApiObject } from '../support/apiserver/index.ts'
import { refuseEverything } from '../support/daemon/faults.ts'
import { createNode, type TestNode } from '../support/daemon/node.ts'
import type { Manifest } from '../support/daemon/objects.ts'
import { runOnce } from '../support/daemon/run-once.ts'
import { manifestsOf, putManifest, type Switchyard, startSwitchyard, switchyardFlags } from '../support/daemon/switchyard.ts'
import { createToolbox } from '../support/daemon/toolbox.ts'
import { Daemon } from '../support/lab/daemon.ts'
import { poll } from '../support/lab/poll.ts'
import { createNamespace } from '../support/namespace.ts'

const nodeAddress = '10.77.0.2'
const outsideAddress = '10.77.0.1'
const checkPort = 32_008

/** A load balancer's Service with policy Local; each endpoint on this node, ready or not. */
function localService(endpoints: readonly { readonly address: string; readonly ready: boolean }[]): readonly ApiObject[] {
  return [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', namespace: 'shop' },
      spec: {
        type: 'LoadBalancer',
        clusterIP: '10.96.0.80',
        clusterIPs: ['10.96.0.80'],
        externalTrafficPolicy: 'Local',
        healthCheckNodePort: checkPort,
        ports: [{ name: 'http', port: 80, targetPort: 8080, nodePort: 30_080, protocol: 'TCP' }],
      },
      status: { loadBalancer: { ingress: [{ ip: '192.0.2.80' }] } },
    },
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: 'web-abc', namespace: 'shop', labels: { 'kubernetes.io/service-name': 'web' } },
      addressType: 'IPv4',
      endpoints: endpoints.map(({ address, ready }) => ({ addresses: [address], nodeName: 'node1', conditions: { ready } })),
      ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    },
  ]
}

/** One that can talk to itself. */
async function createHealthNode(): Promise<TestNode> {
  const node = await createNode('health')
  await node.run(['ip', 'link', 'set', 'lo', 'up'])
  return node
}

const ready = (address: string) => ({ address, ready: true })
const oneEndpoint = localService([ready('10.244.1.1')])

/** A sync period of one second: what has to be tried again is, soon. */
const quick: Manifest = { iptables: { syncPeriod: '1s', minSyncPeriod: '100ms' } }

function isAnswer(answer: AnswerInside | { readonly error: string }): answer is AnswerInside {
  return 'status' in answer
}

/** Asks until the answer is as the test wants it. */
function waitForAnswer(options: {
  readonly daemon: Pick<Switchyard, 'waitFor'>
  readonly namespace: string
  readonly url: string
  readonly holds: (answer: AnswerInside) => boolean
}): Promise<AnswerInside> {
  const { daemon, namespace, url, holds } = options
  const probe = async () => {
    const answer = await fetchInside(namespace, url)
    return isAnswer(answer) && holds(answer) ? answer : undefined
  }
  return daemon.waitFor(probe, `an answer of ${url} that is as it should be: ${holds}`)
}

const weightOf = ({ headers }: AnswerInside): string | undefined => headers['x-load-balancing-endpoint-weight']

describe('a health check node port', { concurrency: true }, () => {
  for (const backend of ['nft', 'legacy'] as const) {
    it(`is let through a firewall, counts endpoints, and goes with its Service (${backend})`, () => throughFirewall(backend))
  }
  it('that somebody else has is said once and taken as soon as it is free', takenPort)
})

async function throughFirewall(backend: Backend): Promise<void> {
  await using node = await createHealthNode()
  await using outside = await createNamespace('outside')
  await connectNamespaces([
    { namespace: node.namespace, address: nodeAddress },
    { namespace: outside.name, address: outsideAddress },
  ])
  await node.edit({ backend }, ['-A INPUT -i lo -j ACCEPT', '-P INPUT DROP'])
  await putManifest(manifestsOf(node), 'web.yaml', localService([ready('10.244.1.1'), ready('10.244.1.2')]))
  await using switchyard = await startSwitchyard({ node, arguments: ['--iptables-backend', backend] })
  const url = `http://${nodeAddress}:${checkPort}/any/path`
  const fromOutside = (holds: (answer: AnswerInside) => boolean) =>
    waitForAnswer({ daemon: switchyard, namespace: outside.name, url, holds })

  await switchyard.waitForSync()
  const two = await fromOutside(answer => weightOf(answer) === '2')
  assert.equal(two.status, 200)
  assert.deepEqual([two.headers['content-type'], two.headers['x-content-type-options']], ['application/json', 'nosniff'])
  assert.equal(
    two.body,
    '{\n\t"service": {\n\t\t"namespace": "shop",\n\t\t"name": "web"\n\t},\n\t"localEndpoints": 2,\n\t"serviceProxyHealthy": true\n}',
  )
  await assertDropped({ node, outside: outside.name, backend, port: 10_256 })

  await switchyard.put('web.yaml', localService([ready('10.244.1.1'), { address: '10.244.1.2', ready: false }]))
  assert.equal((await fromOutside(answer => weightOf(answer) === '1')).status, 200)
  await switchyard.put('web.yaml', localService([{ address: '10.244.1.2', ready: false }]))
  assert.equal((await fromOutside(answer => weightOf(answer) === '0')).status, 503)

  await switchyard.remove('web.yaml')
  const inside = `http://127.0.0.1:${checkPort}/`
  // A request that meets the moment of closing is reset.
  await switchyard.waitFor(async () => {
    const answer = await fetchInside(node.namespace, inside)
    return !isAnswer(answer) && answer.error === 'ECONNREFUSED' ? true : undefined
  }, 'the end of the port')
  assert.equal(await switchyard.stop(), 'code 0')
}

/** The firewall is one: what no rule lets through ends at its policy, whose packets are counted. */
async function assertDropped(options: { node: TestNode; outside: string; backend: Backend; port: number }): Promise<void> {
  const { node, outside, backend, port } = options
  const dropped = async (): Promise<number> => {
    const listing = await node.run([toolsOf('IPv4', backend).tool, '-v', '-S', 'INPUT'])
    return Number(/^-P INPUT DROP -c (\d+) /m.exec(listing)?.[1])
  }
  const before = await dropped()
  const script = `const socket = require('node:net').connect(${port}, '${nodeAddress}', () => console.log('connected'))
    socket.on('error', error => console.log(error.code))
    console.log('trying')`
  await using attempt = await startInside(outside, ['--eval', script])
  assert.equal(attempt.announcement, 'trying')
  await poll(async () => ((await dropped()) > before ? true : undefined), {
    what: `a packet to port ${port} that the firewall drops`,
  })
}

async function takenPort(): Promise<void> {
  await using node = await createHealthNode()
  await putManifest(manifestsOf(node), 'web.yaml', oneEndpoint)
  await using switchyard = await (async () => {
    await using _other = await occupyInside(node.namespace, checkPort)
    const started = await startSwitchyard({ node, config: quick })
    await started.waitForLog(/^cannot answer health checks of Service shop\/web on port 32008: another program has the port;/)
    // Two more passes, in which it is tried again and not said again.
    for (const endpoints of [[], [ready('10.244.1.1')]]) {
      const since = started.mark()
      await started.put('web.yaml', localService(endpoints))
      await started.waitForSync({ since })
    }
    assert.equal(started.linesSince(0, /^cannot answer health checks/).length, 1)
    return started
  })()
  const url = `http://127.0.0.1:${checkPort}/`
  const answer = await waitForAnswer({
    daemon: switchyard,
    namespace: node.namespace,
    url,
    holds: ({ status }) => status === 200,
  })
  assert.equal(weightOf(answer), '1')
  await switchyard.waitForLog(/^health check of Service shop\/web: port 32008 open$/)
}

describe('the health of the daemon', { concurrency: true }, () => {
  it('fails while the kernel does not get what the cluster wants, and mends with it', failingSync)
  it('is served on the addresses that are configured, or the process ends where that is wanted', hardFail)
  it('names a resource that the API server does not let us read, in the log, in /readyz and in an Event', forbidden)
})

async function failingSync(): Promise<void> {
  await using node = await createHealthNode()
  const toolbox = await createToolbox(node.directory)
  await putManifest(manifestsOf(node), 'web.yaml', oneEndpoint)
  await using switchyard = await startSwitchyard({
    node,
    path: toolbox.path,
    arguments: ['--iptables-backend', 'nft'],
    config: quick,
  })
  const answer = (path: string, holds: (answer: AnswerInside) => boolean) =>
    waitForAnswer({ daemon: switchyard, namespace: node.namespace, url: `http://127.0.0.1:10256${path}`, holds })
  const status = (path: string, wanted: number) => answer(path, each => each.status === wanted)
  await status('/readyz', 200)
  await status('/healthz', 200)
  await assertMetrics(node)

  await toolbox.break('iptables-nft-restore', refuseEverything('no such kernel'))
  await switchyard.put('web.yaml', localService([ready('10.244.1.9')]))
  await status('/livez', 503)
  // On a busy machine the same change waits in IPv6 too, but not for good.
  const { families, healthy } = bodyOf(
    await answer('/healthz', each => each.status === 503 && bodyOf(each).families['IPv6']?.healthy === true),
  )
  assert.deepEqual([families['IPv4']?.healthy, healthy], [false, false])
  const ofIPv4Alone = /"missing":\["IPv4: a change has been waiting for \d+ s"\]/
  await answer('/readyz', each => each.status === 503 && ofIPv4Alone.test(each.body))
  const check = await fetchInside(node.namespace, `http://127.0.0.1:${checkPort}/`)
  assert.ok(isAnswer(check))
  assert.deepEqual([check.status, weightOf(check)], [503, '1'], 'load balancers are told as well')

  await toolbox.mend('iptables-nft-restore')
  await status('/livez', 200)
  await status('/healthz', 200)
  await status('/readyz', 200)
}

function bodyOf({ body }: AnswerInside) {
  const { healthy, status } = JSON.parse(body) as {
    readonly healthy: boolean
    readonly status: Readonly<Record<string, { readonly healthy: boolean }>>
  }
  return { healthy, families: status }
}

/** As Prometheus reads them. */
async function assertMetrics(node: TestNode): Promise<void> {
  const answer = await fetchInside(node.namespace, 'http://127.0.0.1:10249/metrics')
  assert.ok(isAnswer(answer))
  const { value } = parseExposition(answer.body)
  const save = await node.save({ backend: 'nft' })
  const nat = save.slice(save.indexOf('*nat'))
  const rules = nat
    .slice(0, nat.indexOf('COMMIT'))
    .split('\n')
    .filter(line => line.startsWith('-A '))
  assert.equal(value('kubeproxy_sync_proxy_rules_iptables_total{ip_family="IPv4",table="nat"}'), rules.length)
  assert.equal(value('kubeproxy_sync_proxy_rules_iptables_last{ip_family="IPv4",table="nat"}'), rules.length)
  assert.equal(value('switchyard_cluster_objects{kind="Endpoint"}'), 1)
  assert.equal(value('switchyard_health_check_ports{state="open"}'), 1)
  assert.equal(value('kubeproxy_iptables_ct_state_invalid_dropped_packets_total'), 0)
  assert.ok((value('process_resident_memory_bytes') ?? 0) > 0)
  assert.deepEqual(await promtoolComplaints(answer.body), complaintsAboutKubeProxy)
}

async function hardFail(): Promise<void> {
  await using node = await createHealthNode()
  await using _other = await occupyInside(node.namespace, 20_256)
  const bind = { healthzBindAddress: '127.0.0.1:20256', metricsBindAddress: '127.0.0.1:20249' }
  const flags = await switchyardFlags({ node, config: { ...bind, bindAddressHardFail: true } })
  const { exitStatus, said } = await runOnce({ node, arguments: flags })
  assert.equal(exitStatus, 1)
  assert.ok(
    said.some(line =>
      /^health server: cannot listen on 127\.0\.0\.1:20256: another program has the port; .*\(bindAddressHardFail\)$/.test(line),
    ),
    said.join('\n'),
  )

  await using switchyard = await startSwitchyard({ node, config: bind })
  await switchyard.waitForLog(/^health server: cannot listen on .*; tried again every few seconds; all else goes on$/)
  const url = 'http://127.0.0.1:20249/proxyMode'
  const answer = await waitForAnswer({
    daemon: switchyard,
    namespace: node.namespace,
    url,
    holds: ({ status }) => status === 200,
  })
  assert.equal(answer.body, 'iptables')
}

async function forbidden(): Promise<void> {
  await using node = await createHealthNode()
  const nodeObject: ApiObject = {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'node1', uid: 'node-uid' },
    spec: {},
    status: {},
  }
  const options = { tls: false, objects: [nodeObject, ...oneEndpoint] }
  const main = new URL('../support/apiserver/main.ts', import.meta.url).pathname
  await using server = await startInside(node.namespace, ['--disable-warning=ExperimentalWarning', main, JSON.stringify(options)])
  const { url, control } = JSON.parse(server.announcement) as Announcement
  const command = async (sent: Command): Promise<unknown> => {
    const answer = await fetchInside(node.namespace, control, { method: 'POST', body: JSON.stringify(sent) })
    assert.ok(isAnswer(answer) && answer.status === 200, JSON.stringify(answer))
    return JSON.parse(answer.body)
  }
  await command({ do: 'fault', fault: { fault: 'forbid', resource: 'endpointslices' } })
  const flags = ['run', '--master', url, '--hostname-override', 'node1', '--conntrack-max-per-core=0']
  await using daemon = new Daemon({ namespace: node.namespace, arguments: flags })
  daemon.start()
  const waitFor: Switchyard['waitFor'] = (probe, what) => daemon.waitFor(probe, { what, everyMs: 50 })
  const health = (path: string, holds: (answer: AnswerInside) => boolean) =>
    waitForAnswer({ daemon: { waitFor }, namespace: node.namespace, url: `http://127.0.0.1:10256${path}`, holds })

  await daemon.waitForLog(({ msg }) => /cannot (list|watch) endpointslices at .*: 403 \(Forbidden\)/.test(msg), {
    what: 'the refusal',
  })
  await health(
    '/readyz',
    ({ status, body }) => status === 503 && body.includes('watch of endpointslices: not read completely yet (forbidden;'),
  )
  const events = await waitFor(async () => {
    const found = (await command({ do: 'list', plural: 'events' })) as readonly Readonly<Record<string, unknown>>[]
    return found.some(event => event['reason'] === 'ResourceForbidden') ? found : undefined
  }, 'the Event')
  const said = events.map(({ reason, type, regarding }) => [
    reason,
    type,
    (regarding as Manifest)['kind'],
    (regarding as Manifest)['name'],
  ])
  assert.deepEqual(said.toSorted(), [
    ['ResourceForbidden', 'Warning', 'Node', 'node1'],
    ['Starting', 'Normal', 'Node', 'node1'],
  ])
  assert.match(
    String(events.find(event => event['reason'] === 'ResourceForbidden')?.['note']),
    /Allow list and watch on endpointslices/,
  )
  assert.equal((await health('/healthz', () => true)).status, 200, 'the Node is there, and nothing waits to be programmed')

  await command({ do: 'mend' })
  await health('/readyz', ({ status }) => status === 200)
  const check = await waitForAnswer({
    daemon: { waitFor },
    namespace: node.namespace,
    url: `http://127.0.0.1:${checkPort}/`,
    holds: ({ status }) => status === 200,
  })
  assert.equal(weightOf(check), '1')
  await command({ do: 'remove', objects: [nodeObject] })
  const gone = await health('/healthz', ({ status }) => status === 503)
  assert.match(gone.body, /"nodeEligible":false,"healthy":true/)
  assert.equal(await daemon.stop(), 'code 0')
}
