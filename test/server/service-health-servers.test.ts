import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { Host } from '../../src/health/port-plan.ts'
import type { ServiceCheck } from '../../src/health/service-checks.ts'
import type { ServiceKey } from '../../src/model/objects.ts'
import { ServiceHealthServers } from '../../src/server/service-health-servers.ts'
import { address } from '../support/cluster.ts'
import { ask, freePort, isListening, occupy, recordLog } from './support.ts'

const web = 'shop/web' as ServiceKey
const api = 'shop/api' as ServiceKey
const loopback: readonly Host[] = [address('127.0.0.1')]

type Ports = readonly (readonly [service: ServiceKey, port: number, localEndpoints: number])[]

function setUp(context: TestContext) {
  const log = recordLog()
  const proxy = { healthy: true }
  const failures: { readonly service: ServiceKey; readonly message: string }[] = []
  const servers = new ServiceHealthServers({
    isProxyHealthy: () => proxy.healthy,
    onFailure: failure => failures.push(failure),
    log,
  })
  context.after(() => servers.close())
  const want = (ports: Ports, hosts = loopback): Promise<void> => {
    const checks = ports.map(([service, port, localEndpoints]): [ServiceKey, ServiceCheck] => [
      service,
      { service, port, localEndpoints },
    ])
    return servers.reconcile({ checks: new Map(checks), hosts })
  }
  return { servers, log, proxy, failures, want }
}

describe('health check node ports', () => {
  it('answer any path with the endpoints here, their weight and the health of the proxy', async context => {
    const { want, proxy } = setUp(context)
    const port = await freePort()
    await want([[web, port, 2]])
    for (const path of ['/', '/healthz', '/any/thing?x=y']) {
      const { status, headers, body } = await ask({ port, path })
      assert.equal(status, 200)
      assert.equal(headers['content-type'], 'application/json')
      assert.equal(headers['x-content-type-options'], 'nosniff')
      assert.equal(headers['x-load-balancing-endpoint-weight'], '2')
      assert.equal(
        body,
        '{\n\t"service": {\n\t\t"namespace": "shop",\n\t\t"name": "web"\n\t},\n\t"localEndpoints": 2,\n\t"serviceProxyHealthy": true\n}',
      )
    }
    proxy.healthy = false
    const { status, headers, body } = await ask({ port })
    assert.deepEqual([status, headers['x-load-balancing-endpoint-weight']], [503, '2'])
    assert.deepEqual((JSON.parse(body) as Record<string, unknown>)['serviceProxyHealthy'], false)
  })

  it('answer 503 without an endpoint, and follow the count on an open port', async context => {
    const { want } = setUp(context)
    const port = await freePort()
    await want([[web, port, 0]])
    const none = await ask({ port })
    assert.deepEqual([none.status, none.headers['x-load-balancing-endpoint-weight']], [503, '0'])
    await want([[web, port, 3]])
    const three = await ask({ port })
    assert.deepEqual([three.status, three.headers['x-load-balancing-endpoint-weight']], [200, '3'])
  })

  it('are closed with their Service, moved with its number, and given to another Service', async context => {
    const { want, servers } = setUp(context)
    const [first, second] = [await freePort(), await freePort()]
    await want([[web, first, 1]])
    await want([[web, second, 1]])
    assert.deepEqual([await isListening(first), await isListening(second)], [false, true])
    await want([[api, second, 1]])
    assert.match((await ask({ port: second })).body, /"name": "api"/)
    assert.deepEqual(servers.counts(), { open: 1, failed: 0 })
    await want([])
    assert.equal(await isListening(second), false)
    assert.deepEqual(servers.counts(), { open: 0, failed: 0 })
  })

  it('listen on every host that they are told to, and only there', async context => {
    const { want } = setUp(context)
    const port = await freePort()
    await want([[web, port, 1]], [address('127.0.0.2'), address('::1')])
    assert.equal((await ask({ port, host: '127.0.0.2' })).status, 200)
    assert.equal((await ask({ port, host: '::1' })).status, 200)
    assert.equal(await isListening(port, '127.0.0.1'), false)
    await want([[web, port, 1]], ['any'])
    assert.equal((await ask({ port, host: '127.0.0.1' })).status, 200)
    assert.equal((await ask({ port, host: '::1' })).status, 200)
    await want([[web, port, 1]], [])
    assert.equal(await isListening(port, '127.0.0.1'), false)
  })

  it('that somebody else has are told of, tried again, and stop no other', async context => {
    const { want, servers, log, failures } = setUp(context)
    const other = await occupy(0, '127.0.0.1')
    const port = await freePort()
    await want([
      [web, other.port, 1],
      [api, port, 1],
    ])
    assert.equal((await ask({ port })).status, 200)
    assert.deepEqual(servers.counts(), { open: 1, failed: 1 })
    const message = `cannot answer health checks of Service shop/web on port ${other.port}: another program has the port; \`ss -ltnp sport = :${other.port}\` shows which`
    assert.deepEqual(failures, [{ service: web, message }])
    await servers.retry()
    assert.equal(failures.length, 2, 'every attempt is told')
    assert.deepEqual(
      log.lines.filter(({ level }) => level === 'error').map(line => line.message),
      [`${message}; load balancers take this node for unhealthy; tried again with every sync`],
      'and said once',
    )
    await other.close()
    await servers.retry()
    assert.equal((await ask({ port: other.port })).status, 200)
    assert.deepEqual(servers.counts(), { open: 2, failed: 0 })
  })

  it('listen nowhere where one of the hosts is impossible', async context => {
    const { want, servers, failures } = setUp(context)
    const port = await freePort()
    await want([[web, port, 1]], [address('127.0.0.1'), address('192.0.2.1')])
    assert.equal(await isListening(port), false)
    assert.deepEqual(servers.counts(), { open: 0, failed: 1 })
    assert.match(failures[0]?.message ?? '', /this node does not have the address/)
    await want([])
    assert.deepEqual(servers.counts(), { open: 0, failed: 0 })
  })

  it('come to the latest wish, however fast wishes come', async context => {
    const { want, servers } = setUp(context)
    const ports = await Promise.all(Array.from({ length: 5 }, freePort))
    const wishes = Array.from({ length: 50 }, (_, index) => want([[web, ports[index % 5] ?? 0, index]]))
    await Promise.all(wishes)
    const open = await Promise.all(ports.map(port => isListening(port)))
    assert.deepEqual(open, [false, false, false, false, true])
    assert.equal((await ask({ port: ports[4] ?? 0 })).headers['x-load-balancing-endpoint-weight'], '49')
    assert.deepEqual(servers.counts(), { open: 1, failed: 0 })
  })
})
