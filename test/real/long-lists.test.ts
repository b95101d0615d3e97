// Services of many endpoints, whose lists are divided, with real rules and connections: each endpoint gets its share, a client that is remembered
// goes where it was, and growing and shrinking fail no connection.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createExec } from '../../src/kernel/exec.ts'
import { parseSave, toolsOf } from '../../src/kernel/iptables.ts'
import { iptablesMode } from '../../src/modes/iptables/index.ts'
import { createStore } from '../../src/source/store.ts'
import { createSyncEmitter } from '../../src/sync/events.ts'
import { FamilySync } from '../../src/sync/family-sync.ts'
import { address, endpoint, node, put, service, settings, slice } from '../support/cluster.ts'
import { connectionsToReachAll, uniformBounds } from '../support/flows/probability.ts'
import { ManyPods } from '../support/many-pods.ts'
import { createNamespace } from '../support/namespace.ts'

const clusterIP = '10.96.0.20'
const podsOf = (count: number) => Array.from({ length: count }, (_, pod) => `10.244.${1 + (pod >> 8)}.${pod & 255}`)
const web = (affinityTimeoutSeconds?: number) => service({ clusterIPs: [address(clusterIP)], affinityTimeoutSeconds })
const slicesOf = (count: number) => slice({ endpoints: podsOf(count).map(pod => endpoint(pod)) })

for (const backend of ['nft', 'legacy'] as const) {
  describe(`a Service of many endpoints (${backend} backend)`, { concurrency: true }, () => {
    it('gives each of 130 its share, and a client that it remembers the same one', async () => {
      await using cluster = await start(backend)
      await cluster.program(put(web()), put(slicesOf(130)))
      assert.ok((await cluster.groups()).length > 8)
      const count = connectionsToReachAll(130) * 2
      const { answers, failures } = await cluster.pods.ask(`connect ${count} ${clusterIP} 80`)
      assert.deepEqual(failures, [])
      assert.deepEqual(Object.keys(answers).toSorted(), podsOf(130).toSorted())
      const { least, most } = uniformBounds(count, 130)
      for (const [pod, times] of Object.entries(answers))
        assert.ok(times >= least && times <= most, `${pod} ${times} of ${count} times`)

      await cluster.program(put(web(60)))
      assert.equal((await cluster.sync.pass(cluster.input)).lines, 0)
      const sticky = await cluster.pods.ask(`connect 100 ${clusterIP} 80`)
      assert.equal(Object.keys(sticky.answers).length, 1, JSON.stringify(sticky))
      assert.deepEqual(sticky.failures, [])
    })

    it('fails no connection while it grows and shrinks, and reads back as it was written', async () => {
      await using cluster = await start(backend)
      await cluster.program(put(web()), put(slicesOf(64)))
      assert.deepEqual(await cluster.groups(), [])
      cluster.pods.tell(`load ${clusterIP} 80`)
      for (let round = 0; round < 4; round++)
        for (const [count, groups] of [
          [65, 8],
          [140, 16],
          [120, 8],
          [63, 0],
        ] as const) {
          await cluster.program(put(slicesOf(count)))
          assert.equal((await cluster.groups()).length, groups)
        }
      await cluster.program(put(slicesOf(140)))
      const { answers, failures } = await cluster.pods.ask('stop')
      assert.deepEqual(failures, [])
      assert.ok(Object.keys(answers).length > 1)
      const restarted = cluster.newSync()
      restarted.markDirty('everything')
      assert.equal((await restarted.pass(cluster.input)).lines, 0)
    })
  })
}

async function start(backend: 'nft' | 'legacy') {
  await using stack = new AsyncDisposableStack()
  const namespace = stack.use(await createNamespace('many'))
  const exec = createExec({ prefix: namespace.prefix })
  await exec({ argv: ['ip', 'link', 'set', 'lo', 'up'] })
  await exec({ argv: ['ip', 'route', 'add', 'local', '10.244.0.0/16', 'dev', 'lo'] })
  // What is masqueraded takes an address of global scope.
  await exec({ argv: ['ip', 'address', 'add', '10.1.0.1/32', 'dev', 'lo'] })
  await exec({ argv: ['ip', 'route', 'add', '10.96.0.0/12', 'dev', 'lo', 'src', '10.1.0.1'] })
  const pods = stack.use(new ManyPods(namespace))
  assert.deepEqual((await pods.ask(`connect 1 ${podsOf(1)[0]} 8080`)).answers, { [podsOf(1)[0] ?? '']: 1 })
  const store = createStore({ nodeName: 'node1' })
  const tools = toolsOf('IPv4', backend)
  const newSync = () =>
    new FamilySync({
      mode: iptablesMode('IPv4', tools),
      exec,
      cluster: store,
      events: createSyncEmitter(),
      now: () => performance.now(),
    })
  const sync = newSync()
  const input = { node, settings, sweep: true }
  const kept = stack.move()
  return {
    pods,
    sync,
    newSync,
    input,
    program: async (...changes: readonly ReturnType<typeof put>[]): Promise<void> => {
      sync.markDirty(store.apply(changes).services)
      await sync.pass(input)
      assert.equal(sync.quarantined.size, 0)
    },
    groups: async (): Promise<readonly string[]> => {
      const { stdout } = await exec({ argv: [tools.save, '-t', 'nat'] })
      return parseSave(stdout).flatMap(({ name }) => (/^KUBE-SVC-[A-Z2-7]{16}-\d\d$/.test(name) ? [name] : []))
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
}
