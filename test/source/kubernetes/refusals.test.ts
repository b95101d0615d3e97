// API servers that refuse, or are older than what we ask of them: what goes on meanwhile, and what the operator is told.
import assert from 'node:assert/strict'
import { rename } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { startApiServer } from '../../support/apiserver/index.ts'
import { change, cluster } from './support/cluster.ts'
import { follow, speed } from './support/follow.ts'
import { service } from './support/objects.ts'
import { until } from './support/until.ts'

/** The real limits; elsewhere they are a minute of the wall's clock. */
const noticesMissingBookmark = { initialSilentMs: 15_000, initialTotalMs: 120_000 }

describe('a server that refuses', () => {
  it('one resource lets the others go on, and that is said once and by name', async context => {
    const server = await startApiServer({ objects: cluster(), tls: false })
    context.after(() => server.close())
    const lift = await server.fault({ fault: 'forbid', resource: 'endpointslices' })
    const follower = await follow(context, { credentials: { master: server.url } })
    await until(
      () => follower.heard('failed').length >= 4 && follower.heard('synced').length === 2,
      () => 'Services and Node are read',
    )
    assert.ok(follower.updates.every(({ complete }) => !complete))
    assert.deepEqual(
      follower.problems.map(({ severity, where }) => [severity, where]),
      [['error', 'watch of endpointslices']],
    )
    assert.match(
      follower.problems[0]?.problem ?? '',
      /cannot watch endpointslices at http.*403 \(Forbidden\): endpointslices is forbidden: User/,
    )
    assert.match(follower.problems[0]?.advice ?? '', /apiGroups: \["discovery\.k8s\.io"\]/)
    const status = follower.source.status().find(({ resource }) => resource === 'endpointslices')
    assert.deepEqual([status?.synced, status?.lastFailure?.kind], [false, 'forbidden'])
    lift()
    await follower.inStep(server)
    assert.deepEqual(
      follower.problems.map(({ severity }) => severity),
      ['error', 'info'],
    )
  })

  it('everything for a time leaves everything that is known as it is, and nothing is told', async context => {
    const server = await startApiServer({ objects: cluster(), tls: false })
    context.after(() => server.close())
    const follower = await follow(context, { credentials: { master: server.url } })
    await follower.inStep(server)
    const { size } = follower.state
    const changes = follower.changes.length
    await server.fault({ fault: 'gone', as: 'status' })
    await server.fault({ fault: 'status', status: 500, times: 15 })
    await until(
      () => follower.heard('synced').length >= 6,
      () => `${follower.heard('synced').length} complete reads`,
    )
    assert.deepEqual([follower.state.size, follower.changes.length], [size, changes])
    assert.ok(follower.updates.slice(3).every(({ complete }) => complete))
  })
})

describe('a server that is older', () => {
  it('and refuses streamed lists is asked for lists, page by page where they must be as of now', async context => {
    const many = Array.from({ length: 1100 }, (_, index) => service(`many-${index}`))
    const server = await startApiServer({ objects: [...cluster(), ...many], tls: false, bookmarkEveryMs: 60_000 / speed })
    context.after(() => server.close())
    await server.fault({ fault: 'refuse sendInitialEvents' })
    const follower = await follow(context, { credentials: { master: server.url } })
    await follower.inStep(server)
    assert.deepEqual(
      follower.heard('synced').map(({ by }) => by),
      ['list', 'list', 'list'],
    )
    assert.equal(server.requests.filter(({ status }) => status === 422).length, 3)
    assert.deepEqual(follower.problems, [], 'an old server is no problem')
    await until(
      () => ['services', 'endpointslices', 'nodes'].every(plural => server.watches(plural) === 1),
      () => 'all are watched',
    )
    assert.equal(server.requests.length, 9)

    // A server that was set back does not know our version: everything is read as of now, page by page.
    await server.fault({ fault: 'restart', history: 'restored', changes: 60 })
    await follower.inStep(server)
    const pages = server.requests.filter(({ resource, query }) => resource === 'services' && query['limit'] === '500')
    assert.deepEqual(
      pages.map(({ query }) => query['continue'] !== undefined),
      [false, true, true],
    )
    change(server)
    await follower.inStep(server)
  })

  it('and does not know streamed lists is asked for lists after a bounded time', async context => {
    const server = await startApiServer({ objects: cluster(), tls: false })
    context.after(() => server.close())
    await server.fault({ fault: 'ignore sendInitialEvents' })
    const follower = await follow(context, { credentials: { master: server.url }, timing: noticesMissingBookmark })
    await follower.inStep(server)
    assert.deepEqual(
      follower.heard('failed').map(({ failure }) => failure.kind),
      ['no end bookmark', 'no end bookmark', 'no end bookmark'],
    )
    assert.deepEqual(
      follower.heard('synced').map(({ by }) => by),
      ['list', 'list', 'list'],
    )
    change(server)
    await follower.inStep(server)
    assert.deepEqual(follower.problems, [], 'an old server is no problem')
  })

  it('and does not know streamed lists is asked for lists, also where changes go on for ever', async context => {
    const server = await startApiServer({ objects: cluster(), tls: false })
    context.after(() => server.close())
    await server.fault({ fault: 'ignore sendInitialEvents' })
    const busy = setInterval(() => change(server), 2)
    context.after(() => clearInterval(busy))
    const follower = await follow(context, { credentials: { master: server.url }, timing: noticesMissingBookmark })
    await until(
      () => follower.updates.at(-1)?.complete === true,
      () => 'complete',
    )
    clearInterval(busy)
    await follower.inStep(server)
  })

  it('and does not know the field selector of Services is asked without it', async context => {
    const headless = service('headless', { clusterIP: 'None' })
    const server = await startApiServer({ objects: [...cluster(), headless], tls: false })
    context.after(() => server.close())
    await server.fault({ fault: 'unknown field', field: 'spec.clusterIP' })
    const follower = await follow(context, { credentials: { master: server.url } })
    await until(
      () => follower.updates.at(-1)?.complete === true,
      () => 'complete',
    )
    const asked = server.requests.filter(({ resource }) => resource === 'services')
    assert.deepEqual(
      asked.map(({ status, fieldSelector }) => [status, fieldSelector]),
      [
        [400, 'spec.clusterIP!=None'],
        [200, undefined],
      ],
    )
    assert.ok(follower.state.has('Service default/headless'), 'the model leaves headless Services out')
    server.remove(headless)
    change(server)
    await follower.inStep(server)
  })
})

describe('a follower', () => {
  it('whose credentials cannot be had says so once, and goes on when they can', async context => {
    const server = await startApiServer({ objects: cluster(), tokens: ['secret'] })
    context.after(() => server.close())
    const tokenFile = `${server.folder}/token`
    const follower = await follow(context, { credentials: { kubeconfig: server.kubeconfig } })
    await follower.inStep(server)
    await rename(tokenFile, `${tokenFile}-away`)
    await server.fault({ fault: 'restart', history: 'kept' })
    await until(
      () => follower.heard('failed').some(({ failure }) => failure.kind === 'credentials'),
      () => 'no credentials',
    )
    change(server)
    await rename(`${tokenFile}-away`, tokenFile)
    await follower.inStep(server)
    assert.deepEqual(
      follower.problems
        .filter(({ severity }) => severity === 'error')
        .map(({ problem }) => /no credentials: .*token/.test(problem)),
      [true],
    )
  })

  it('is not stopped by a listener that throws, and names it', async context => {
    const server = await startApiServer({ objects: cluster(), tls: false })
    context.after(() => server.close())
    const follower = await follow(context, { credentials: { master: server.url } })
    follower.source.events.on('received', () => {
      throw new TypeError('surprise')
    })
    await follower.inStep(server)
    change(server)
    await follower.inStep(server)
    assert.ok(follower.problems.some(({ where, problem }) => where === 'listener of received' && problem === 'surprise'))
  })
})
