// An API server that is away, or refuses: the kernel stays as it is, the daemon goes on trying, and says what is missing.
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { ApiObject } from '../support/apiserver/index.ts'
import { createNode, type TestNode } from '../support/daemon/node.ts'
import { web, web6 } from '../support/daemon/objects.ts'
import { startApiServerIn } from '../support/lab/api-server.ts'
import { followApiServer, ownNode, waitForReadiness } from '../support/lab/api-switchyard.ts'
import type { Readiness } from '../support/lab/http-get.ts'

const nft = { backend: 'nft' } as const

const objectsOf = (objects: ReturnType<typeof web>) => objects as readonly ApiObject[]
const shop = (endpoints: readonly string[]) => objectsOf(web({ name: 'shop', number: 10, endpoints }))
const shop6 = objectsOf(web6({ name: 'shop6', number: 11, endpoints: ['fd00:10:244::1'] }))
const old = objectsOf(web({ name: 'old', number: 12, endpoints: ['10.244.0.9'] }))
const late = objectsOf(web({ name: 'late', number: 13, endpoints: ['10.244.0.7'] }))

test('rules stay while the API server is away for seconds, and /readyz names what fails', async () => {
  await using node = await nodeWithLoopback('away')
  const objects = [ownNode, ...shop(['10.244.0.1']), ...shop6]
  await using server = await startApiServerIn(node.namespace, { tokens: ['secret'], objects })
  await using switchyard = await followApiServer(node, server)
  const wait = (holds: (readiness: Readiness) => boolean, what: string) => waitForReadiness({ node, switchyard, holds, what })
  await wait(isWell, 'that all is well')
  const before = await bothFamilies(node)
  assert.match(before, /default\/shop:http cluster IP/)
  assert.match(before, /default\/shop6:http cluster IP/)

  let isAway = true
  const back = server.ask({ do: 'fault', fault: { fault: 'restart', history: 'kept', downMilliseconds: 6000 } }).finally(() => {
    isAway = false
  })
  const failing = await wait(({ watches }) => following(watches).every(({ failure }) => failure === 'network'), 'what fails')
  assert.equal(failing.ready, true, 'the rules are those of a minute ago, which is no reason to send nobody here')
  for (let samples = 0; isAway || samples === 0; samples++) {
    assert.equal(await bothFamilies(node), before, 'the kernel while the API server is away')
    assert.equal(switchyard.daemon.ended, undefined)
  }
  await back
  await wait(isWell, 'that all is well')
  assert.equal(await bothFamilies(node), before, 'the kernel after the API server came back as it was')
  assert.equal(await switchyard.stop(), 'code 0')
})

test('what changed while the API server was away is programmed when it is back', async () => {
  await using node = await nodeWithLoopback('changes')
  const objects = [ownNode, ...shop(['10.244.0.1']), ...old]
  await using server = await startApiServerIn(node.namespace, { tokens: ['secret'], objects })
  await using switchyard = await followApiServer(node, server)
  const wait = (what: string) => waitForReadiness({ node, switchyard, holds: isWell, what })
  await wait('that all is well')
  assert.match(await node.save(nft), /default\/old:http cluster IP/)

  // Without the history in between nothing is told as an event: the daemon has to find out what differs.
  const back = server.ask({ do: 'fault', fault: { fault: 'restart', history: 'forgotten', downMilliseconds: 1500 } })
  await server.ask({ do: 'put', objects: [...shop(['10.244.0.1', '10.244.0.2']), ...late] })
  await server.ask({ do: 'remove', objects: old })
  await back
  const holdsAll = (save: string) =>
    save.includes('10.244.0.2:8080') && save.includes('default/late:http') && !save.includes('default/old:')
  await switchyard.waitForRules(nft, holdsAll, 'what changed while the API server was away')
  await wait('that all is well')
  assert.equal(await switchyard.stop(), 'code 0')
})

test('403 on EndpointSlices: nothing is programmed, the log and /readyz say why, and it works once it is allowed', async t => {
  await using node = await nodeWithLoopback('forbidden')
  const objects = [ownNode, ...shop(['10.244.0.1'])]
  await using server = await startApiServerIn(node.namespace, { tokens: ['secret'], objects })

  const refused = async (sub: TestContext, programmed: string): Promise<void> => {
    await server.ask({ do: 'fault', fault: { fault: 'forbid', resource: 'endpointslices' } })
    await using switchyard = await followApiServer(node, server)
    const wait = (holds: (readiness: Readiness) => boolean, what: string) => waitForReadiness({ node, switchyard, holds, what })
    await switchyard.waitForLog(/watch of endpointslices: .*403.*Allow list and watch on endpointslices.*ClusterRole/)
    const readiness = await wait(
      ({ watches }) => watches['services']?.synced === true && watches['nodes']?.synced === true,
      'that',
    )
    sub.diagnostic(readiness.missing.join('; '))
    assert.equal(readiness.ready, false)
    assert.equal(readiness.watches['endpointslices']?.failure, 'forbidden')
    assert(readiness.missing.includes('watch of endpointslices: not read completely yet (forbidden; the log says more)'))
    assert.equal(await bothFamilies(node), programmed, 'the kernel without EndpointSlices')

    await server.ask({ do: 'mend' })
    await wait(({ ready, missing }) => ready && missing.length === 0, 'ready')
    assert.match(await node.save(nft), /--to-destination 10\.244\.0\.1:8080/)
    await switchyard.waitForLog(/watch of endpointslices: followed again/)
    assert.equal(await switchyard.stop(), 'code 0')
  }
  await t.test('on a node where nothing is programmed yet', async sub => {
    assert.equal(await bothFamilies(node), '\n')
    await refused(sub, '\n')
  })
  await t.test('on a node that an earlier run has programmed', async sub => refused(sub, await bothFamilies(node)))
})

test('no API server at the start: the daemon says so and goes on trying, and touches nothing', async () => {
  await using node = await nodeWithLoopback('nobody')
  const kubeconfig = join(node.directory, 'kubeconfig')
  await writeFile(kubeconfig, kubeconfigFor('http://127.0.0.1:1'))
  await using switchyard = await followApiServer(node, { kubeconfig })
  await switchyard.waitForLog(
    /cannot .* at http:\/\/127\.0\.0\.1:1: .*ECONNREFUSED.*can be reached from this node without the service/,
  )
  const allFail = ({ watches }: Readiness) => following(watches).every(({ failure }) => failure === 'network')
  const readiness = await waitForReadiness({ node, switchyard, holds: allFail, what: 'what fails' })
  assert.deepEqual(readiness.missing, [
    ...['services', 'endpointslices', 'nodes'].map(
      resource => `watch of ${resource}: not read completely yet (network; the log says more)`,
    ),
    ...['IPv4', 'IPv6'].map(family => `${family}: no complete sync yet`),
  ])
  assert.equal(await bothFamilies(node), '\n')
  assert.equal(await switchyard.stop(), 'code 0')
})

async function nodeWithLoopback(purpose: string): Promise<TestNode> {
  const node = await createNode(purpose)
  await node.run(['ip', 'link', 'set', 'lo', 'up'])
  return node
}

async function bothFamilies(node: TestNode): Promise<string> {
  return `${await node.save(nft)}\n${await node.save({ ...nft, family: 'IPv6' })}`
}

function isWell({ ready, watches }: Readiness): boolean {
  return ready && following(watches).every(({ failure }) => failure === null)
}

function following(watches: Readiness['watches']) {
  return Object.values(watches)
}

function kubeconfigFor(server: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'default', cluster: { server } }],
    users: [{ name: 'default', user: {} }],
    contexts: [{ name: 'default', context: { cluster: 'default', user: 'default' } }],
    'current-context': 'default',
  })
}
