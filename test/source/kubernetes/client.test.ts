import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { type AddressInfo, connect, createServer as createTcpServer } from 'node:net'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import type { ApiRequest } from '../../../src/source/kubernetes/api-request.ts'
import { createApiClient } from '../../../src/source/kubernetes/client.ts'
import { type CredentialOptions, loadCredentials } from '../../../src/source/kubernetes/credentials.ts'
import { ApiError, type ApiFailure } from '../../../src/source/kubernetes/failure.ts'
import { services } from '../../../src/source/kubernetes/resources.ts'
import { type ApiServerOptions, startApiServer } from '../../support/apiserver/index.ts'
import { service } from './support/objects.ts'

const listServices: ApiRequest = { verb: 'list', resource: services }
const signal = new AbortController().signal

async function serve(context: TestContext, options: ApiServerOptions) {
  const server = await startApiServer(options)
  context.after(() => server.close())
  return server
}

async function connectTo(context: TestContext, options: CredentialOptions) {
  const client = createApiClient({ credentials: await loadCredentials(options), userAgent: 'switchyard/test (linux)' })
  context.after(() => client.close())
  return client
}

async function failsAs(kind: ApiFailure, action: () => Promise<unknown>): Promise<ApiError> {
  const error = await action().then(
    () => undefined,
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof ApiError, String(error))
  assert.equal(error.kind, kind, error.message)
  return error
}

describe('the client', () => {
  it('talks to a server with a certificate of its own authority, by bearer token, and names itself', async context => {
    const server = await serve(context, { tokens: ['secret'], objects: [service('web')] })
    const client = await connectTo(context, { kubeconfig: server.kubeconfig })
    const list = (await client.send(listServices, signal)) as { readonly items: readonly unknown[] }
    assert.equal(list.items.length, 1)
    assert.deepEqual(
      server.requests.map(({ userAgent, status }) => [userAgent, status]),
      [['switchyard/test (linux)', 200]],
    )
  })

  it('shows a client certificate', async context => {
    const server = await serve(context, { clientCertificate: true })
    const client = await connectTo(context, { kubeconfig: server.kubeconfig })
    await client.send(listServices, signal)
    const nobody = await kubeconfigWith(server, config => ({ ...config, users: [{ name: 'default', user: {} }] }))
    const error = await failsAs('unauthorized', async () =>
      (await connectTo(context, { kubeconfig: nobody })).send(listServices, signal),
    )
    assert.match(error.message, /^cannot list services at https:\/\/127\.0\.0\.1:\d+: 401 \(Unauthorized\): Unauthorized$/)
  })

  it('refuses a certificate of another authority or for another name, unless told which name or not to look', async context => {
    const server = await serve(context, {})
    const client = (cluster: object) => async () => {
      const kubeconfig = await kubeconfigWith(server, config => ({
        ...config,
        clusters: [{ name: 'default', cluster: { server: server.url, ...cluster } }],
      }))
      return (await connectTo(context, { kubeconfig })).send(listServices, signal)
    }
    const authority = { 'certificate-authority': 'ca.crt' }
    await failsAs('certificate', client({}))
    await failsAs('certificate', client({ ...authority, 'tls-server-name': 'elsewhere.test' }))
    await client({ ...authority, 'tls-server-name': 'kubernetes.default.svc' })()
    await client({ 'insecure-skip-tls-verify': true })()
  })

  it('follows a new certificate, a new authority and a new token as the files change', async context => {
    const server = await serve(context, { tokens: ['secret'] })
    const client = await connectTo(context, { kubeconfig: server.kubeconfig })
    await client.send(listServices, signal)
    await server.fault({ fault: 'rotate certificate', authority: 'same' })
    await client.send(listServices, signal)
    await server.fault({ fault: 'rotate certificate', authority: 'new' })
    await client.send(listServices, signal)
    await server.fault({ fault: 'expire token' })
    await client.send(listServices, signal)
    assert.deepEqual(
      server.requests.map(({ status }) => status),
      [200, 200, 200, 200],
    )
  })

  it('tells apart what the server refuses', async context => {
    const server = await serve(context, { tls: false })
    const client = await connectTo(context, { master: server.url })
    const list = () => client.send(listServices, signal)
    const lift = await server.fault({ fault: 'forbid', resource: 'services' })
    assert.match((await failsAs('forbidden', list)).advice, /list and watch on services/)
    lift()
    await server.fault({ fault: 'status', status: 429, retryAfterSeconds: 7, times: 1 })
    assert.equal((await failsAs('too many requests', list)).retryAfterMs, 7000)
    await server.fault({ fault: 'status', status: 500, times: 1 })
    await failsAs('server error', list)
    await failsAs('not found', () =>
      client.send({ verb: 'list', resource: { group: '', version: 'v1', plural: 'secrets' } }, signal),
    )
    await failsAs('version too new', () => client.send({ ...listServices, query: { resourceVersion: '999999' } }, signal))
    await failsAs('rejected', () => client.send({ ...listServices, query: { resourceVersion: 'x' } }, signal))
    await list()
  })

  it('says where nobody listens', async context => {
    const server = await serve(context, { tls: false })
    const client = await connectTo(context, { master: server.url })
    await server.close()
    const error = await failsAs('network', () => client.send(listServices, signal))
    assert.match(error.message, /^cannot list services at http:\/\/127\.0\.0\.1:\d+: connect ECONNREFUSED/)
  })

  it('says where the credentials cannot be had', async context => {
    const server = await serve(context, { tokens: ['secret'] })
    const client = await connectTo(context, { kubeconfig: server.kubeconfig })
    await writeFile(server.kubeconfig, (await readFile(server.kubeconfig, 'utf8')).replace('/token', '/none'))
    await client.refreshCredentials()
    assert.match((await failsAs('credentials', () => client.send(listServices, signal))).message, /none/)
    assert.equal(server.requests.length, 0)
  })

  it('does not wait for an exec plugin once the signal aborts', async context => {
    const server = await serve(context, { tls: false })
    const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: 'sleep', args: ['1'], interactiveMode: 'Never' }
    const kubeconfig = await kubeconfigWith(server, config => ({ ...config, users: [{ name: 'default', user: { exec } }] }))
    const client = await connectTo(context, { kubeconfig })
    const controller = new AbortController()
    const asked = client.send(listServices, controller.signal)
    controller.abort(new Error('too late'))
    assert.match((await failsAs('credentials', () => asked)).message, /no credentials: too late/)
  })

  it('loads the credentials once for several that ask at a time', async context => {
    const server = await serve(context, { tls: false })
    let loads = 0
    const credentials = await loadCredentials({ master: server.url })
    const counting = {
      ...credentials,
      refresh: async () => {
        loads += 1
        await credentials.refresh()
      },
    }
    const client = createApiClient({ credentials: counting, userAgent: 'x' })
    context.after(() => client.close())
    await Promise.all([client.refreshCredentials(), client.refreshCredentials(), client.refreshCredentials()])
    await client.refreshCredentials()
    assert.equal(loads, 2)
  })

  it('creates and patches single objects', async context => {
    const server = await serve(context, { tls: false })
    const client = await connectTo(context, { master: server.url })
    const events = { group: 'events.k8s.io', version: 'v1', plural: 'events' }
    const body = {
      metadata: { name: 'e1', namespace: 'default' },
      eventTime: '2026-01-01T00:00:00.000000Z',
      reportingController: 'switchyard',
      reportingInstance: 'node-1',
      action: 'Start',
      reason: 'Started',
      type: 'Normal',
      note: 'x',
      regarding: { kind: 'Node', name: 'node-1' },
    }
    await client.send({ verb: 'create', resource: events, namespace: 'default', body }, signal)
    await client.send(
      { verb: 'patch', resource: events, namespace: 'default', name: 'e1', body: { series: { count: 2 } } },
      signal,
    )
    const [stored] = server.list('events')
    assert.deepEqual([stored?.['note'], stored?.['series']], ['x', { count: 2 }])
    const again = await failsAs('rejected', () =>
      client.send({ verb: 'create', resource: events, namespace: 'default', body }, signal),
    )
    assert.deepEqual([again.status, again.reason], [409, 'AlreadyExists'])
    assert.deepEqual(
      server.requests.map(({ verb, group, resource }) => `${verb} ${group}/${resource}`),
      ['create events.k8s.io/events', 'patch events.k8s.io/events', 'create events.k8s.io/events'],
    )
  })

  it('goes through the proxy that the kubeconfig names', async context => {
    const server = await serve(context, { tokens: ['secret'] })
    const tunnels: string[] = []
    const proxy = createServer()
    proxy.on('connect', (request, socket, head) => {
      tunnels.push(request.url ?? '')
      const { hostname, port } = new URL(`http://${request.url}`)
      const through = connect(Number(port), hostname, () => {
        socket.write('HTTP/1.1 200 Connection Established\r\n\r\n')
        through.write(head)
        through.pipe(socket).pipe(through)
      })
      socket.on('error', () => through.destroy())
      through.on('error', () => socket.destroy())
    })
    proxy.listen(0, '127.0.0.1')
    await once(proxy, 'listening')
    const proxyUrl = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
    const cluster = { server: server.url, 'certificate-authority': 'ca.crt', 'proxy-url': proxyUrl }
    const kubeconfig = await kubeconfigWith(server, config => ({ ...config, clusters: [{ name: 'default', cluster }] }))
    const client = await connectTo(context, { kubeconfig })
    await client.send(listServices, signal)
    assert.deepEqual(tunnels, [server.url.replace('https://', '')])
    await client.close()
    proxy.close()
  })

  it('ends a request when the signal aborts, whatever the server does', async context => {
    const silent = createTcpServer(socket => socket.on('error', () => undefined))
    silent.listen(0, '127.0.0.1')
    await once(silent, 'listening')
    context.after(() => silent.close())
    const client = await connectTo(context, { master: `http://127.0.0.1:${(silent.address() as AddressInfo).port}` })
    const controller = new AbortController()
    const asked = client.send(listServices, controller.signal)
    await once(silent, 'connection')
    controller.abort()
    await assert.rejects(asked, ApiError)
  })
})

type Kubeconfig = Readonly<Record<string, unknown>>

/** A changed copy beside the server's own kubeconfig. */
async function kubeconfigWith(
  server: { readonly kubeconfig: string; readonly folder: string },
  change: (config: Kubeconfig) => Kubeconfig,
): Promise<string> {
  const path = join(server.folder, `kubeconfig-${Math.random().toString(36).slice(2)}`)
  await writeFile(path, JSON.stringify(change(JSON.parse(await readFile(server.kubeconfig, 'utf8')))))
  return path
}
