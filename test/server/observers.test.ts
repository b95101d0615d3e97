// Everything together: configuration and moments in, HTTP and Events out.
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { parseFlags } from '../../src/config/flag-parser.ts'
import { loadConfig } from '../../src/config/load.ts'
import { type NotInForce, wrongFiles } from '../../src/config/not-in-force.ts'
import { createExec } from '../../src/kernel/exec.ts'
import { toolsOf } from '../../src/kernel/iptables.ts'
import type { EndpointSlice, Service } from '../../src/model/objects.ts'
import { iptablesMode } from '../../src/modes/iptables/index.ts'
import { type ObserverOptions, type Observers, startObservers } from '../../src/server/observers.ts'
import type { Status } from '../../src/server/status-object.ts'
import { createApiClient } from '../../src/source/kubernetes/client.ts'
import { loadCredentials } from '../../src/source/kubernetes/credentials.ts'
import { createKubernetesSource } from '../../src/source/kubernetes/source.ts'
import { createStore } from '../../src/source/store.ts'
import { updateDecisions } from '../../src/sync/decisions.ts'
import { createSyncEmitter, type SyncReport } from '../../src/sync/events.ts'
import { parseExposition } from '../metrics/support.ts'
import { startApiServer } from '../support/apiserver/index.ts'
import { address, endpoint, node, put, service, settings, slice } from '../support/cluster.ts'
import { ask, freePort, isListening, occupy, recordLog, until } from './support.ts'

const report: SyncReport = {
  family: 'IPv4',
  kind: 'full',
  services: 1,
  touchedServices: 1,
  lines: 10,
  written: 1,
  removed: 0,
  milliseconds: 20,
  restoreMilliseconds: 5,
  quarantined: 0,
  draining: 0,
  hasNodePorts: true,
}

interface SetUp {
  readonly flags?: readonly string[]
  readonly api?: ObserverOptions['api']
  readonly healthPort?: number
}

async function setUp(context: TestContext, { flags = [], api, healthPort }: SetUp = {}) {
  const ports = { health: healthPort ?? (await freePort()), metrics: await freePort() }
  const bind = [`--healthz-bind-address=127.0.0.1:${ports.health}`, `--metrics-bind-address=127.0.0.1:${ports.metrics}`]
  const { values } = parseFlags(['--hostname-override=node1', ...bind, ...flags])
  const loaded = loadConfig({ flags: values, readFile: () => '', hostname: 'ignored' })
  const { config } = loaded
  assert.ok(config !== undefined)
  const events = createSyncEmitter()
  const log = recordLog()
  const fatal: Error[] = []
  const notInForce: NotInForce[] = []
  const observers: Observers = startObservers({
    inspections: async () => [],
    plans: async () => [],
    live: { config, loaded, notInForce },
    events,
    modes: () => [iptablesMode('IPv4', toolsOf('IPv4', 'nft'))],
    backend: () => 'nft',
    exec: createExec(),
    source: { description: 'manifests in /m', unread: () => [] },
    api,
    version: '0.1.0',
    log,
    onFatal: error => fatal.push(error),
    routes: { '/more': () => ({ status: 200, contentType: 'text/plain', body: 'more' }) },
  })
  context.after(() => observers.close())
  const store = createStore({ nodeName: 'node1' })
  const program = (objects: readonly (Service | EndpointSlice)[]): void => {
    const changes = objects.map(put)
    store.apply(changes)
    events.emit('changed', { changes, complete: true, unreadable: false, cluster: store })
    events.emit('queued', { family: 'IPv4', scope: 'everything' })
    events.emit('passStarted', { family: 'IPv4', scope: 'everything' })
    const decisions = updateDecisions({ decisions: new Map(), scope: 'everything', cluster: store, family: 'IPv4', node })
    const rules = { written: { nat: 3 }, total: () => ({ nat: 30, filter: 10 }) }
    events.emit('programmed', { family: 'IPv4', scope: 'everything', decisions, quarantined: new Map(), node, settings, rules })
    events.emit('synced', report)
  }
  const listening = () =>
    until(() => (observers.healthPort !== undefined && observers.metricsPort !== undefined) || undefined, 'the servers')
  return { observers, events, log, fatal, ports, program, listening, notInForce }
}

function localLoadBalancer(port: number): readonly (Service | EndpointSlice)[] {
  const web = service({
    type: 'LoadBalancer',
    externalTrafficPolicy: 'Local',
    healthCheckNodePort: port,
    loadBalancerAddresses: [address('192.0.2.1')],
    uid: 'u-1',
  })
  return [web, slice({ endpoints: [endpoint('10.244.1.1')] })]
}

describe('the observers of a daemon', () => {
  it('serve health and metrics, and follow what is programmed', async context => {
    const { ports, program, listening } = await setUp(context)
    await listening()
    assert.equal((await ask({ port: ports.health, path: '/readyz' })).status, 503)
    program([service()])
    assert.equal((await ask({ port: ports.health, path: '/readyz' })).status, 200)
    assert.equal((await ask({ port: ports.health, path: '/healthz' })).status, 200)
    const { value } = parseExposition((await ask({ port: ports.metrics, path: '/metrics' })).body)
    assert.equal(value('kubeproxy_sync_proxy_rules_duration_seconds_count{ip_family="IPv4"}'), 1)
    assert.equal(value('kubeproxy_proxy_healthz_total{code="200"}'), 1)
    assert.equal(value('kubeproxy_sync_proxy_rules_iptables_total{ip_family="IPv4",table="nat"}'), 30)
    assert.equal(value('switchyard_ready'), 1)
    assert.equal(value(`switchyard_build_info{version="0.1.0",node_version="${process.version}",mode="iptables"}`), 1)
    const config = JSON.parse((await ask({ port: ports.metrics, path: '/configz' })).body) as Record<
      string,
      Record<string, unknown>
    >
    assert.equal(config['kubeproxy.config.k8s.io']?.['healthzBindAddress'], `127.0.0.1:${ports.health}`)
    assert.equal((await ask({ port: ports.metrics, path: '/proxyMode' })).body, 'iptables')
    assert.match((await ask({ port: ports.metrics, path: '/flagz' })).body, /hostname-override.*node1/)
    assert.equal((await ask({ port: ports.metrics, path: '/more' })).body, 'more')
    const answer = await ask({ port: ports.metrics, path: '/switchyard/v1/status' })
    assert.equal(answer.headers['content-type'], 'application/json')
    const { mode, node: name, families } = JSON.parse(answer.body) as Status
    assert.deepEqual(
      [mode, name, families.map(({ family, services }) => [family, services])],
      ['iptables', 'node1', [['IPv4', 1]]],
    )
  })

  it('tell of settings that are not in force for as long as they are not', async context => {
    const { ports, listening, notInForce } = await setUp(context)
    await listening()
    const count = async () =>
      parseExposition((await ask({ port: ports.metrics, path: '/metrics' })).body).value('switchyard_settings_not_in_force')
    assert.equal(await count(), 0)
    notInForce.push(wrongFiles('config.yaml:3: no'))
    assert.equal(await count(), 1)
    const { body } = await ask({ port: ports.metrics, path: '/switchyard/v1/status' })
    const [setting] = (JSON.parse(body) as Status).notInForce ?? []
    assert.equal(setting?.reason, 'config.yaml:3: no')
    notInForce.pop()
    assert.equal(await count(), 0)
  })

  it('without an API server say Events in the log alone', async context => {
    const { log } = await setUp(context)
    assert.deepEqual(
      log.lines.filter(({ message }) => message.startsWith('Event')),
      [
        {
          level: 'debug',
          message: 'Event (there is no API server to send it to): Starting: Switchyard 0.1.0 starts in iptables mode',
        },
      ],
    )
  })

  it('open a health check port, and try again with the next pass where somebody has it', async context => {
    const other = await occupy(0)
    const { program, log, ports, listening } = await setUp(context)
    await listening()
    program(localLoadBalancer(other.port))
    await until(() => (log.lines.some(({ level }) => level === 'error') ? true : undefined), 'the error')
    const metrics = async () => parseExposition((await ask({ port: ports.metrics, path: '/metrics' })).body)
    assert.equal((await metrics()).value('switchyard_health_check_ports{state="failed"}'), 1)
    await other.close()
    program(localLoadBalancer(other.port))
    const { status, headers } = await until(() => ask({ port: other.port }).catch(() => undefined), 'the health check')
    assert.deepEqual([status, headers['x-load-balancing-endpoint-weight']], [200, '1'])
    assert.equal((await metrics()).value('switchyard_health_check_ports{state="open"}'), 1)
  })

  it('try again by themselves where nothing changes', async context => {
    const other = await occupy(0)
    const { program, log } = await setUp(context, { flags: ['--iptables-sync-period=50ms', '--iptables-min-sync-period=10ms'] })
    program(localLoadBalancer(other.port))
    await until(() => (log.lines.some(({ level }) => level === 'error') ? true : undefined), 'the error')
    await other.close()
    assert.equal((await until(() => ask({ port: other.port }).catch(() => undefined), 'the health check')).status, 200)
  })

  it('with an API server publish Events', async context => {
    const server = await startApiServer({ tls: false })
    context.after(() => server.close())
    const client = createApiClient({ credentials: await loadCredentials({ master: server.url }), userAgent: 'test' })
    context.after(() => client.close())
    const source = createKubernetesSource({ client, nodeName: 'node1', report: () => {} })
    const other = await occupy(0)
    context.after(() => other.close())
    const { program, ports, listening } = await setUp(context, { api: { client, source } })
    await listening()
    program(localLoadBalancer(other.port))
    const events = await until(() => (server.list('events').length === 2 ? server.list('events') : undefined), 'two Events')
    assert.deepEqual(
      events.map(event => [event['reason'], event['type'], (event['regarding'] as Record<string, unknown>)['uid']]),
      [
        ['Starting', 'Normal', 'node1'],
        ['FailedToStartServiceHealthcheck', 'Warning', 'u-1'],
      ],
    )
    const { status, body } = await ask({ port: ports.health, path: '/readyz' })
    assert.equal(status, 503)
    assert.match(body, /watch of services: not read completely yet/)
    assert.equal((await ask({ port: ports.health, path: '/healthz' })).status, 503, 'there is no such Node')
  })

  it('end the process where bindAddressHardFail wants it, and say why in an Event', async context => {
    const other = await occupy(0, '127.0.0.1')
    context.after(() => other.close())
    const { fatal, log, observers } = await setUp(context, { flags: ['--bind-address-hard-fail'], healthPort: other.port })
    const error = await until(() => fatal[0], 'the fatal error')
    assert.match(
      error.message,
      new RegExp(`^health server: cannot listen on 127\\.0\\.0\\.1:${other.port}: another program has the port`),
    )
    assert.ok(log.lines.some(({ message }) => message.includes('FailedToStartProxierHealthcheck')))
    await until(() => observers.metricsPort, 'the other server')
  })

  it('have no server where there is no address', async context => {
    const { observers } = await setUp(context, { flags: ['--healthz-bind-address='] })
    await until(() => observers.metricsPort, 'the metrics server')
    assert.equal(observers.healthPort, undefined)
  })

  it('leave nothing behind', async context => {
    const checkPort = await freePort()
    const { observers, events, ports, program, listening } = await setUp(context)
    await listening()
    program(localLoadBalancer(checkPort))
    await until(async () => (await isListening(checkPort)) || undefined, 'the health check')
    await observers.close()
    for (const port of [ports.health, ports.metrics, checkPort]) assert.equal(await isListening(port), false)
    assert.deepEqual(events.eventNames(), [])
  })
})
