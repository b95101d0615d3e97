// The ClusterRole against the requests that the agent really makes of an API server: nothing missing, nothing extra.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createPublisher } from '../../src/events/publisher.ts'
import { type ApiClient, createApiClient } from '../../src/source/kubernetes/client.ts'
import { loadCredentials } from '../../src/source/kubernetes/credentials.ts'
import { createKubernetesSource } from '../../src/source/kubernetes/source.ts'
import { type ApiServer, startApiServer } from '../support/apiserver/index.ts'
import { poll } from '../support/lab/poll.ts'
import { buildOne, type Manifest } from './kustomize.ts'
import { compare, permissionsOf } from './rbac.ts'

const nodeName = 'node1'

describe('the ClusterRole', () => {
  test('allows what the agent asks for, and nothing else', async () => {
    const server = await startApiServer({ tls: false })
    const client = createApiClient({ credentials: await loadCredentials({ kubeconfig: server.kubeconfig }), userAgent: 'test' })
    try {
      // Both ways to a complete list: streamed, and, where the server knows no streamed lists, LIST and WATCH.
      await followUntilComplete(client)
      await server.fault({ fault: 'refuse sendInitialEvents' })
      await followUntilComplete(client)
      await announceTwice(client, server)
    } finally {
      await client.close()
      await server.close()
    }
    assert.deepEqual(compare(await buildOne('agent', 'ClusterRole', 'switchyard'), server.requests), { missing: [], extra: [] })
  })

  test("is bound to the DaemonSet's service account, which the same folder has", async () => {
    const binding = await buildOne('agent', 'ClusterRoleBinding', 'switchyard')
    const account = await buildOne('agent', 'ServiceAccount', 'switchyard')
    const daemonSet = await buildOne('agent', 'DaemonSet', 'switchyard')
    const { name, namespace } = account.metadata
    assert.deepEqual(binding['subjects'], [{ kind: 'ServiceAccount', name, namespace }])
    assert.deepEqual(binding['roleRef'], { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'switchyard' })
    assert.match(JSON.stringify(daemonSet), new RegExp(`"serviceAccountName":"${name}"`))
  })
})

describe('the comparison', () => {
  const role = (...rules: readonly object[]): Manifest => ({
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: { name: 'some' },
    rules,
  })

  test('names what is asked and not allowed, and what is allowed and not asked', () => {
    const allowed = role({ apiGroups: ['', 'events.k8s.io'], resources: ['events'], verbs: ['create', 'patch'] })
    const asked = [
      { verb: 'create', group: 'events.k8s.io', resource: 'events' },
      { verb: 'create', group: 'events.k8s.io', resource: 'events' },
      { verb: 'watch', group: '', resource: 'pods' },
    ]
    assert.deepEqual(compare(allowed, asked), {
      missing: ['watch pods'],
      extra: ['create events', 'patch events', 'patch events.events.k8s.io'],
    })
  })

  const incomparable: readonly [title: string, rule: object, error: RegExp][] = [
    ['a wildcard', { apiGroups: [''], resources: ['*'], verbs: ['list'] }, /everything/],
    ['resource names', { apiGroups: [''], resources: ['nodes'], verbs: ['get'], resourceNames: ['a'] }, /has resourceNames/],
    ['URLs', { nonResourceURLs: ['/version'], verbs: ['get'] }, /has nonResourceURLs/],
  ]
  for (const [title, rule, error] of incomparable) {
    test(`does not pass over ${title}`, () => assert.throws(() => permissionsOf(role(rule)), error))
  }
})

async function followUntilComplete(client: ApiClient): Promise<void> {
  const stop = new AbortController()
  const source = createKubernetesSource({ client, nodeName, report: () => {} })
  const following = (async () => {
    for await (const _ of source.updates(stop.signal)) {
      // Only what is asked of the server counts here.
    }
  })()
  await poll(() => source.status().every(({ synced }) => synced) || undefined, { what: 'all resources to be complete' })
  stop.abort()
  await following
}

/** An Event, and one more of the same, which raises the first one's count once time has passed. */
async function announceTwice(client: ApiClient, server: ApiServer): Promise<void> {
  let wall = Date.now()
  const created = Promise.withResolvers<void>()
  const publisher = createPublisher({
    client,
    nodeName,
    log: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
    clock: { now: () => performance.now(), wall: () => wall },
    timing: { tickMs: 10, retryMs: 10, uselessAfterMs: 1_800_000, requestTimeoutMs: 10_000 },
    onOutcome: outcome => (outcome === 'sent' ? created.resolve() : created.reject(new Error(`the Event was ${outcome}`))),
  })
  const note = {
    regarding: { kind: 'Node', name: nodeName },
    type: 'Normal',
    reason: 'Starting',
    action: 'Start',
    note: 'Starting',
  } as const
  publisher.publish(note)
  await created.promise
  publisher.publish(note)
  wall += 120_000
  await poll(() => server.requests.find(({ verb }) => verb === 'patch'), { what: 'a patch of the Event' })
  await publisher.close(1000)
}
