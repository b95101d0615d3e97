// What the tests of the reflector rest on: that the test API server answers as a real one does.
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { type ApiObject, type ApiServer, type ApiServerOptions, startApiServer } from './index.ts'
import { spawnApiServer } from './remote.ts'

type Json = Readonly<Record<string, unknown>>

function service(
  name: string,
  fields: { readonly clusterIP?: string; readonly labels?: Record<string, string> } = {},
): ApiObject {
  const { clusterIP = '10.96.0.1', labels = {} } = fields
  return { apiVersion: 'v1', kind: 'Service', metadata: { name, labels }, spec: { clusterIP } }
}

async function start(context: TestContext, options: ApiServerOptions = {}): Promise<ApiServer> {
  const server = await startApiServer({ tls: false, ...options })
  context.after(() => server.close())
  return server
}

async function get(
  server: ApiServer,
  path: string,
  init: RequestInit = {},
): Promise<{ readonly status: number; readonly body: Json; readonly headers: Headers }> {
  const response = await fetch(`${server.url}${path}`, init)
  return { status: response.status, body: (await response.json()) as Json, headers: response.headers }
}

interface Line {
  readonly type: string
  readonly object: ApiObject & { readonly code?: number }
}

/** The first lines of a watch: as many as are asked for, or all where it ends before. */
async function watch(
  server: ApiServer,
  query: string,
  count: number,
  meanwhile: () => void = () => undefined,
): Promise<readonly Line[]> {
  const controller = new AbortController()
  const response = await fetch(`${server.url}/api/v1/services?watch=true&${query}`, { signal: controller.signal })
  assert.equal(response.status, 200, response.status === 200 ? '' : await response.text())
  meanwhile()
  const lines: Line[] = []
  let text = ''
  for await (const chunk of response.body ?? []) {
    text += Buffer.from(chunk).toString()
    const parts = text.split('\n')
    text = parts.pop() ?? ''
    lines.push(...parts.map(line => JSON.parse(line) as Line))
    if (lines.length >= count) break
  }
  controller.abort()
  return lines
}

const brief = (lines: readonly Line[]) =>
  lines.map(({ type, object }) => (type === 'BOOKMARK' ? type : `${type} ${object.metadata.name}`))
const names = (body: Json) => (body['items'] as readonly ApiObject[]).map(({ metadata }) => metadata.name)

describe('the test API server', () => {
  it('lists by selectors, sorted, with a version of the list and items that do not say what they are', async context => {
    const server = await start(context, {
      objects: [service('b'), service('a', { labels: { tier: 'web' } }), service('none', { clusterIP: 'None' })],
    })
    const { body } = await get(server, '/api/v1/services')
    assert.deepEqual([body['kind'], names(body)], ['ServiceList', ['a', 'b', 'none']])
    assert.equal((body['metadata'] as Json)['resourceVersion'], '1003')
    assert.ok((body['items'] as readonly ApiObject[]).every(item => item.kind === undefined && item.metadata.uid !== undefined))
    const selected: readonly (readonly [string, readonly string[]])[] = [
      ['fieldSelector=spec.clusterIP!=None', ['a', 'b']],
      ['fieldSelector=metadata.name=b', ['b']],
      ['labelSelector=!tier', ['b', 'none']],
      ['labelSelector=tier', ['a']],
      ['labelSelector=tier=web', ['a']],
      ['labelSelector=tier!=web', ['b', 'none']],
      ['labelSelector=tier in (web,db)', ['a']],
      ['labelSelector=tier notin (web,db)', ['b', 'none']],
      ['labelSelector=!tier&fieldSelector=spec.clusterIP!=None', ['b']],
    ]
    for (const [query, expected] of selected)
      assert.deepEqual(names((await get(server, `/api/v1/services?${query}`)).body), expected, query)
    assert.equal((await get(server, '/api/v1/services?fieldSelector=spec.ports=1')).status, 400)
    assert.deepEqual(names((await get(server, '/api/v1/namespaces/other/services')).body), [])
  })

  it('pages lists of the database, but not of the cache, and forgets tokens', async context => {
    const server = await start(context, { objects: ['a', 'b', 'c'].map(name => service(name)) })
    assert.equal(names((await get(server, '/api/v1/services?resourceVersion=0&limit=2')).body).length, 3)
    const first = await get(server, '/api/v1/services?limit=2')
    server.put(service('d'))
    const { continue: token, resourceVersion } = first.body['metadata'] as { continue: string; resourceVersion: string }
    const second = await get(server, `/api/v1/services?limit=2&continue=${token}`)
    assert.deepEqual([...names(first.body), ...names(second.body)], ['a', 'b', 'c'])
    assert.deepEqual(second.body['metadata'], { resourceVersion })
    await server.fault({ fault: 'gone', as: 'event' })
    assert.equal((await get(server, `/api/v1/services?limit=2&continue=${token}`)).status, 410)
  })

  it('refuses versions that it has not reached or cannot read', async context => {
    const server = await start(context)
    const tooNew = await get(server, '/api/v1/services?resourceVersion=9999')
    assert.deepEqual([tooNew.status, tooNew.body['reason']], [504, 'Timeout'])
    assert.match(String(tooNew.body['message']), /Too large resource version: 9999, current: 1000/)
    assert.equal((await get(server, '/api/v1/services?resourceVersion=x')).status, 400)
  })

  it('streams a list with its end bookmark, then changes, also those by which an object leaves or joins the selection', async context => {
    const server = await start(context, { objects: [service('b'), service('a'), service('none', { clusterIP: 'None' })] })
    const query =
      'sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion=&allowWatchBookmarks=true&fieldSelector=spec.clusterIP!=None'
    const lines = await watch(server, query, 7, () => {
      server.put(service('a', { labels: { changed: '' } }))
      server.put(service('b', { clusterIP: 'None' }))
      server.put(service('none'))
      server.remove(service('a'))
    })
    assert.deepEqual(brief(lines), ['ADDED a', 'ADDED b', 'BOOKMARK', 'MODIFIED a', 'DELETED b', 'ADDED none', 'DELETED a'])
    assert.deepEqual(lines[2]?.object.metadata.annotations, { 'k8s.io/initial-events-end': 'true' })
    assert.deepEqual(
      lines.map(({ object }) => object.metadata.resourceVersion),
      ['1002', '1001', '1003', '1004', '1005', '1006', '1007'],
    )
  })

  it('watches from a version, and says in the stream where that is too old', async context => {
    const server = await start(context, { objects: [service('a'), service('b')], historyLimit: 10 })
    assert.deepEqual(brief(await watch(server, 'resourceVersion=1001', 2, () => server.put(service('c')))), [
      'ADDED b',
      'ADDED c',
    ])
    for (let index = 0; index < 30; index += 1) server.put(service('a', { labels: { index: String(index) } }))
    const lines = await watch(server, 'resourceVersion=1001', Number.POSITIVE_INFINITY)
    assert.deepEqual(
      lines.map(({ type, object }) => [type, object.code]),
      [['ERROR', 410]],
    )
  })

  it('tells nothing to a watch from a version that it has not reached, not even bookmarks', async context => {
    const server = await start(context, { bookmarkEveryMs: 5 })
    const lines = await watch(server, 'resourceVersion=1002&allowWatchBookmarks=true', 1, () => {
      server.put(service('a'))
      server.put(service('b'))
      setTimeout(() => server.put(service('c')), 50)
    })
    assert.ok(!brief(lines).some(line => /[ab]$/.test(line)), brief(lines).join())
  })

  it('sends bookmarks to those who allow them, and ends watches after their time', async context => {
    const server = await start(context, { objects: [service('a')], bookmarkEveryMs: 20 })
    assert.deepEqual(brief(await watch(server, 'resourceVersion=1001&allowWatchBookmarks=true', 2)), ['BOOKMARK', 'BOOKMARK'])
    assert.deepEqual(brief(await watch(server, 'resourceVersion=1001&timeoutSeconds=1', Number.POSITIVE_INFINITY)), [])
  })

  it('refuses or ignores streamed lists when told to, as older servers do', async context => {
    const server = await start(context, { objects: [service('a')], bookmarkEveryMs: 20 })
    const query = 'sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion=&allowWatchBookmarks=true'
    const lift = await server.fault({ fault: 'refuse sendInitialEvents' })
    assert.equal((await get(server, `/api/v1/services?watch=true&${query}`)).status, 422)
    lift()
    await server.fault({ fault: 'ignore sendInitialEvents' })
    const lines = await watch(server, query, 2)
    assert.deepEqual([brief(lines), lines[1]?.object.metadata.annotations], [['ADDED a', 'BOOKMARK'], undefined])
    server.mend()
    assert.equal((await get(server, '/api/v1/services?watch=true&sendInitialEvents=true')).status, 422)
  })

  it('knows its tokens', async context => {
    const server = await start(context, { tokens: ['secret'] })
    assert.equal((await get(server, '/api/v1/services')).status, 401)
    assert.equal((await get(server, '/api/v1/services', { headers: { authorization: 'Bearer wrong' } })).status, 401)
    assert.equal((await get(server, '/api/v1/services', { headers: { authorization: 'Bearer secret' } })).status, 200)
  })

  it('answers as it is told to, as often as it is told to, and keeps a record', async context => {
    const server = await start(context)
    await server.fault({ fault: 'status', status: 429, retryAfterSeconds: 7, times: 1 })
    assert.equal((await get(server, '/api/v1/services')).headers.get('retry-after'), '7')
    await get(server, '/api/v1/services?labelSelector=a')
    const lift = await server.fault({ fault: 'forbid', resource: 'services' })
    assert.equal((await get(server, '/api/v1/services')).status, 403)
    lift()
    assert.deepEqual(
      server.requests.map(({ verb, resource, status, labelSelector }) => [verb, resource, status, labelSelector]),
      [
        ['list', 'services', 429, undefined],
        ['list', 'services', 200, 'a'],
        ['list', 'services', 403, undefined],
      ],
    )
  })

  it('takes Events that events.k8s.io/v1 would take, and says what is wrong with others', async context => {
    const server = await start(context)
    const path = '/apis/events.k8s.io/v1/namespaces/default/events'
    const event = {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { name: 'e', namespace: 'default' },
      eventTime: '2026-01-01T00:00:00.000000Z',
      reportingController: 'switchyard',
      reportingInstance: 'node-1',
      action: 'Program',
      reason: 'Quarantined',
      type: 'Warning',
      regarding: { kind: 'Service', namespace: 'default', name: 'web' },
    }
    const post = (body: object) => get(server, path, { method: 'POST', body: JSON.stringify(body) })
    assert.equal((await post(event)).status, 201)
    assert.equal((await post(event)).status, 409)
    const { action, ...incomplete } = { ...event, metadata: { name: 'f', namespace: 'default' } }
    assert.match(String((await post(incomplete)).body['message']), /action: Required value/)
    assert.match(String((await post({ ...incomplete, action, note: 'x'.repeat(1025) })).body['message']), /note: Too long/)
    assert.match(
      String((await post({ ...incomplete, action, regarding: { namespace: 'other' } })).body['message']),
      /regarding\.namespace/,
    )
    assert.equal((await get(server, '/api/v1/services', { method: 'POST', body: JSON.stringify(service('a')) })).status, 405)
  })

  it('runs in a process of its own, obeys commands, and leaves nothing', async () => {
    const server = await spawnApiServer({ tls: false, objects: [service('a')] })
    await server.send({ do: 'put', objects: [service('b')] })
    await server.send({ do: 'remove', objects: [service('a')] })
    assert.deepEqual(
      (await server.send({ do: 'list', plural: 'services' })).map(({ metadata }) => metadata.name),
      ['b'],
    )
    await server.send({ do: 'churn', seed: 1, changes: 100 })
    assert.ok((await server.send({ do: 'list', plural: 'services' })).length > 1)
    await server.send({ do: 'fault', fault: { fault: 'status', status: 500 } })
    assert.equal((await fetch(`${server.url}/api/v1/services`)).status, 500)
    await server.send({ do: 'mend' })
    assert.deepEqual(
      (await server.send({ do: 'requests' })).map(({ status }) => status),
      [500],
    )
    await assert.rejects(server.send({ do: 'list', plural: 'secrets' }), /does not serve secrets/)
    await server.close()
    await assert.rejects(fetch(server.url))
    await assert.rejects((await import('node:fs/promises')).access(server.folder))
  })
})
