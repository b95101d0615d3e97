import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { startApiServer } from '../../support/apiserver/index.ts'
import { follow, nodeName } from './support/follow.ts'
import { endpointSlice, node, service } from './support/objects.ts'
import { until } from './support/until.ts'

describe('the source over an API server', () => {
  it('asks what kube-proxy asks: three streamed lists, with its selectors', async context => {
    const server = await startApiServer({ tls: false })
    context.after(() => server.close())
    const follower = await follow(context, { credentials: { master: server.url } })
    await follower.inStep(server)
    const asked = server.requests.map(({ verb, group, resource, labelSelector, fieldSelector }) => ({
      verb,
      group,
      resource,
      labelSelector,
      fieldSelector,
    }))
    assert.deepEqual(
      asked.toSorted((one, other) => (one.resource < other.resource ? -1 : 1)),
      [
        {
          verb: 'watch',
          group: 'discovery.k8s.io',
          resource: 'endpointslices',
          labelSelector: '!service.kubernetes.io/headless',
          fieldSelector: undefined,
        },
        { verb: 'watch', group: '', resource: 'nodes', labelSelector: undefined, fieldSelector: `metadata.name=${nodeName}` },
        {
          verb: 'watch',
          group: '',
          resource: 'services',
          labelSelector: '!service.kubernetes.io/service-proxy-name',
          fieldSelector: 'spec.clusterIP!=None',
        },
      ],
    )
    for (const { query } of server.requests) {
      assert.deepEqual(
        [query['resourceVersion'], query['sendInitialEvents'], query['resourceVersionMatch'], query['allowWatchBookmarks']],
        ['', 'true', 'NotOlderThan', 'true'],
      )
      const seconds = Number(query['timeoutSeconds'])
      assert.ok(Number.isInteger(seconds) && seconds >= 300 && seconds <= 600, `${seconds} s`)
    }
  })

  it('tells what passes the selectors, and nothing else', async context => {
    const server = await startApiServer({
      tls: false,
      objects: [
        service('web'),
        service('headless', { clusterIP: 'None' }),
        service('others', { labels: { 'service.kubernetes.io/service-proxy-name': 'other' } }),
        endpointSlice('web'),
        endpointSlice('headless', { labels: { 'service.kubernetes.io/headless': '' } }),
        node(nodeName),
        node('node-2'),
      ],
    })
    context.after(() => server.close())
    const follower = await follow(context, { credentials: { master: server.url } })
    await follower.inStep(server)
    assert.deepEqual([...follower.state.keys()].toSorted(), [
      'EndpointSlice default/web',
      `Node ${nodeName}`,
      'Service default/web',
    ])
    server.put(service('web', { labels: { 'service.kubernetes.io/service-proxy-name': 'other' } }))
    await until(
      () => !follower.state.has('Service default/web'),
      () => 'a Service that another proxy took is gone',
    )
    server.put(service('web'))
    await follower.inStep(server)
  })

  it('is complete when Services and EndpointSlices are, whatever becomes of the Node', async context => {
    const server = await startApiServer({ tls: false, objects: [service('web'), endpointSlice('web')] })
    context.after(() => server.close())
    await server.fault({ fault: 'forbid', resource: 'nodes' })
    const lift = await server.fault({ fault: 'status', status: 500, resource: 'endpointslices' })
    const follower = await follow(context, { credentials: { master: server.url } })
    await until(
      () => follower.heard('failed').length >= 3 && follower.state.size === 1,
      () => 'only the Service is known',
    )
    assert.ok(follower.updates.every(({ complete }) => !complete))
    lift()
    await until(
      () => follower.updates.at(-1)?.complete === true,
      () => 'complete',
    )
    assert.equal(follower.state.size, 2)
    assert.equal(follower.source.status().find(({ resource }) => resource === 'nodes')?.synced, false)
  })

  it('is complete in an empty cluster', async context => {
    const server = await startApiServer({ tls: false })
    context.after(() => server.close())
    const follower = await follow(context, { credentials: { master: server.url } })
    await until(
      () => follower.updates.at(-1)?.complete === true,
      () => 'complete',
    )
    assert.deepEqual(follower.changes, [])
  })

  it('tells a Service that was deleted and created again as two changes', async context => {
    const server = await startApiServer({ tls: false, objects: [service('web')] })
    context.after(() => server.close())
    const follower = await follow(context, { credentials: { master: server.url } })
    await follower.inStep(server)
    follower.pause()
    server.remove(service('web'))
    server.put(service('web'))
    follower.resume()
    await until(
      () => follower.changes.length === 3,
      () => `${follower.changes.length} changes`,
    )
    assert.deepEqual(
      follower.changes.map(({ id, object }) => [id, object !== undefined]),
      [
        ['Service default/web', true],
        ['Service default/web', false],
        ['Service default/web', true],
      ],
    )
  })

  it('says while something that exists could never be read, and which', async context => {
    const server = await startApiServer({ tls: false, objects: [service('web'), service('bad', { port: 99_999 })] })
    context.after(() => server.close())
    const follower = await follow(context, { credentials: { master: server.url } })
    await until(
      () => follower.updates.at(-1)?.complete === true,
      () => 'complete',
    )
    assert.equal(follower.updates.at(-1)?.unreadable, true)
    assert.deepEqual(
      follower.problems.map(({ where }) => where),
      ['Service default/bad'],
    )
    assert.deepEqual([...follower.state.keys()], ['Service default/web'])

    server.put(service('bad', { port: 80 }))
    await until(
      () => follower.state.has('Service default/bad'),
      () => 'it can be read',
    )
    assert.equal(follower.updates.at(-1)?.unreadable, false)

    server.put(service('bad', { port: 99_999 }))
    server.put(service('other', { port: 99_999 }))
    await until(
      () => follower.problems.length === 3,
      () => `${follower.problems.length} problems`,
    )
    await until(
      () => follower.updates.at(-1)?.unreadable === true,
      () => 'unreadable',
    )
    assert.ok(follower.state.has('Service default/bad'), 'the last good version stays')
    server.remove(service('other'))
    await until(
      () => follower.updates.at(-1)?.unreadable === false,
      () => 'all that is there was readable once',
    )
  })

  it('stops reading from the server while the consumer is busy, and loses nothing by it', async context => {
    const server = await startApiServer({ tls: false, objects: [service('web')], historyLimit: 200_000 })
    context.after(() => server.close())
    const follower = await follow(context, { credentials: { master: server.url } })
    await follower.inStep(server)
    follower.pause()
    const padding = { note: 'x'.repeat(4000) }
    for (let index = 0; index < 20_000; index += 1)
      server.put(service(`burst-${index % 500}`, { port: 1 + index, labels: padding }))
    await until(
      () => follower.heard('paused').length > 0,
      () => 'reading pauses',
    )
    await until(
      () => server.unread('services') > 20 * 1024 * 1024,
      () => `${server.unread('services')} bytes wait on the server`,
    )
    const [paused] = follower.heard('paused')
    assert.ok((paused?.waiting ?? 0) >= 4096 && (paused?.waiting ?? 0) < 8192, `${paused?.waiting} changes wait here`)
    follower.resume()
    await follower.inStep(server)
    assert.deepEqual(follower.heard('failed'), [], 'a busy consumer is no failure of the server')
    assert.equal(follower.changes.length, 1 + 20_000)
  })

  it('tells its state to whoever asks', async context => {
    const server = await startApiServer({ tls: false, objects: [service('web'), endpointSlice('web')], bookmarkEveryMs: 20 })
    context.after(() => server.close())
    const follower = await follow(context, { credentials: { master: server.url } })
    assert.ok(follower.source.status().every(({ synced, lastContactAgeMs }) => !synced && lastContactAgeMs === undefined))
    await follower.inStep(server)
    const status = () => follower.source.status().find(({ resource }) => resource === 'services')
    assert.deepEqual(
      { ...status(), lastContactAgeMs: 0 },
      {
        resource: 'services',
        doing: 'watch',
        synced: true,
        lastContactAgeMs: 0,
        objects: 1,
        unreadable: 0,
        failuresInARow: 0,
        failuresByKind: {},
        lastFailure: undefined,
      },
    )
    await server.fault({ fault: 'status', status: 500 })
    await server.fault({ fault: 'restart', history: 'kept' })
    await until(
      // The first may be that connections broke.
      () => (status()?.failuresInARow ?? 0) >= 3 && (status()?.failuresByKind['server error'] ?? 0) >= 2,
      () => 'failures are counted',
    )
    assert.equal(status()?.lastFailure?.kind, 'server error')
    server.mend()
    await until(
      () => status()?.failuresInARow === 0,
      () => 'it is followed again',
    )
    assert.equal(status()?.lastFailure, undefined)
    assert.ok((status()?.failuresByKind['server error'] ?? 0) >= 2)
    assert.equal(follower.source.description, `the API server at ${server.url}`)
  })

  it('ends when the signal aborts, whatever is under way, and leaves no connection', async context => {
    const server = await startApiServer({ tls: false, objects: [service('web')] })
    context.after(() => server.close())
    const follower = await follow(context, { credentials: { master: server.url } })
    await follower.inStep(server)
    await follower.stop()
    await until(
      () => ['services', 'endpointslices', 'nodes'].every(plural => server.watches(plural) === 0),
      () => 'all watches are closed',
    )
    assert.ok(follower.source.status().every(({ doing }) => doing === 'nothing'))
  })
})
