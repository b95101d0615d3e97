// Random clusters in a real kernel: what is written reads back as it was written, and the way to a state leaves no trace in it.
// A failure names its seed and path; SWITCHYARD_SEED repeats a whole run.
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import fc from 'fast-check'
import { createExec, type Exec } from '../../src/kernel/exec.ts'
import { type Backend, parseSave, type Table, tables, toolsOf } from '../../src/kernel/iptables.ts'
import { type IpFamily, ipFamilies } from '../../src/model/address.ts'
import type { NodeFacts, TrafficSettings } from '../../src/model/node.ts'
import type { ClusterObject, ServiceKey } from '../../src/model/objects.ts'
import { iptablesMode } from '../../src/modes/iptables/index.ts'
import { createStore, type Store } from '../../src/source/store.ts'
import { createSyncEmitter, type SyncReport } from '../../src/sync/events.ts'
import { FamilySync } from '../../src/sync/family-sync.ts'
import {
  address,
  arbitraryBundle,
  arbitraryCluster,
  arbitraryNode,
  arbitrarySettings,
  type Bundle,
  cidr,
  endpoint,
  gone,
  objectsOf,
  node as plainNode,
  settings as plainSettings,
  put,
  service,
  slice,
} from '../support/cluster.ts'
import { comparable } from '../support/iptables-compare.ts'
import { createNamespace } from '../support/namespace.ts'

const seed = Number(process.env['SWITCHYARD_SEED'] ?? Date.now() % 2 ** 31)
const clusterSize = 6
const runsOfEach = 20

interface Kind {
  readonly family: IpFamily
  readonly backend: Backend
}

/** What a pass needs besides the objects. */
interface Surroundings {
  readonly node: NodeFacts
  readonly settings: TrafficSettings
}

/** A daemon that has just been started over this kernel. */
function startSync({ kind, exec, store }: { readonly kind: Kind; readonly exec: Exec; readonly store: Store }) {
  const mode = iptablesMode(kind.family, toolsOf(kind.family, kind.backend))
  const sync = new FamilySync({ mode, exec, cluster: store, events: createSyncEmitter(), now: () => performance.now() })
  return {
    markDirty: (scope: 'everything' | ReadonlySet<ServiceKey>) => sync.markDirty(scope),
    pass: async ({ node, settings }: Surroundings): Promise<SyncReport> => {
      const report = await sync.pass({ node, settings, sweep: true })
      assert.deepEqual([...sync.quarantined], [], 'the kernel takes everything')
      return report
    },
  }
}

async function readTables(exec: Exec, { family, backend }: Kind): Promise<Readonly<Record<Table, string>>> {
  const read = async (table: Table): Promise<string> =>
    (await exec({ argv: [toolsOf(family, backend).save, '-t', table] })).stdout
  return { nat: await read('nat'), filter: await read('filter') }
}

async function assertAtRest(options: { kind: Kind; exec: Exec; store: Store; around: Surroundings }): Promise<void> {
  const again = await startSync(options).pass(options.around)
  assert.deepEqual([again.lines, again.written, again.removed], [0, 0, 0], 'a new process over this kernel plans nothing')
}

const storeOf = (objects: readonly ClusterObject[]): Store => {
  const store = createStore({ nodeName: plainNode.name })
  store.apply(objects.map(put))
  return store
}

type Change =
  | { readonly bundle: Bundle; readonly index: number }
  | { readonly node: NodeFacts }
  | { readonly settings: TrafficSettings }

const arbitraryChange: fc.Arbitrary<Change> = fc.oneof(
  { weight: 8, arbitrary: fc.nat(clusterSize - 1).chain(index => arbitraryBundle(index).map(bundle => ({ bundle, index }))) },
  { weight: 2, arbitrary: fc.nat(clusterSize - 1).map(index => ({ bundle: { service: undefined, slices: [] }, index })) },
  { weight: 1, arbitrary: arbitraryNode.map(node => ({ node })) },
  { weight: 1, arbitrary: arbitrarySettings.map(settings => ({ settings })) },
)

const arbitraryHistory = fc.record({
  cluster: arbitraryCluster(clusterSize),
  node: arbitraryNode,
  settings: arbitrarySettings,
  changes: fc.array(arbitraryChange, { minLength: 1, maxLength: 7 }),
})

type History = typeof arbitraryHistory extends fc.Arbitrary<infer Value> ? Value : never

/** Runs the history step by step in one kernel, then its end in a fresh one. */
async function checkHistory(kind: Kind, { cluster, changes, ...start }: History): Promise<void> {
  await using stepwise = await createNamespace('properties')
  const exec = createExec({ prefix: stepwise.prefix })
  const bundles = [...cluster]
  const store = storeOf(bundles.flatMap(objectsOf))
  const sync = startSync({ kind, exec, store })
  let around: Surroundings = start
  await sync.pass(around)
  await assertAtRest({ kind, exec, store, around })
  for (const change of changes) {
    if ('bundle' in change) {
      const before = bundles[change.index]
      bundles[change.index] = change.bundle
      sync.markDirty(
        store.apply([...(before === undefined ? [] : objectsOf(before)).map(gone), ...objectsOf(change.bundle).map(put)])
          .services,
      )
    } else {
      around = { ...around, ...change }
      sync.markDirty('everything')
    }
    await sync.pass(around)
  }
  await assertAtRest({ kind, exec, store, around })

  await using fresh = await createNamespace('properties')
  const freshExec = createExec({ prefix: fresh.prefix })
  await startSync({ kind, exec: freshExec, store: storeOf(bundles.flatMap(objectsOf)) }).pass(around)
  assertSame(await readTables(exec, kind), await readTables(freshExec, kind))
}

/** Chains of others, where we only add: an earlier setting may have left a rule that does no harm. */
const shared = new Set(['INPUT', 'FORWARD', 'OUTPUT', 'PREROUTING', 'POSTROUTING', 'KUBE-FIREWALL'])

function assertSame(stepwise: Readonly<Record<Table, string>>, atOnce: Readonly<Record<Table, string>>): void {
  for (const table of tables) {
    const [ours, expected] = [comparable(stepwise[table]), comparable(atOnce[table])]
    assert.deepEqual(Object.keys(ours), Object.keys(expected), `the chains of ${table}`)
    for (const [chain, rules] of Object.entries(expected)) {
      if (!shared.has(chain)) assert.deepEqual(ours[chain], rules, `${table} ${chain}`)
      else
        assert.deepEqual(
          rules.filter(rule => ours[chain]?.filter(one => one === rule).length !== 1),
          [],
          `${table} ${chain}`,
        )
    }
  }
  const order = parseSave(stepwise.nat).find(({ name }) => name === 'KUBE-SERVICES')?.rules ?? []
  const firstJump = order.findIndex(rule => rule.endsWith('-j KUBE-NODEPORTS'))
  assert.ok(firstJump === -1 || order.slice(firstJump).every(rule => rule.endsWith('-j KUBE-NODEPORTS')), 'node ports come last')
}

const kinds = (['nft', 'legacy'] as const).flatMap(backend => ipFamilies.map((family): Kind => ({ family, backend })))

describe('any cluster through any changes', () => {
  for (const kind of kinds) {
    it(`reads back as written, and ends as if it had been programmed at once: ${kind.family}, ${kind.backend}`, async (t: TestContext) => {
      t.diagnostic(`seed ${seed}`)
      const property = fc.asyncProperty(arbitraryHistory, history => checkHistory(kind, history))
      // What failed is in the message, with the path to it; shrinking would take minutes.
      await fc.assert(property, { seed: seed + kinds.indexOf(kind), numRuns: runsOfEach, endOnFailure: true })
    })
  }
})

describe('the largest that a rule can say', () => {
  const long = (letter: string): string => letter.repeat(63)
  const ports = [{ name: long('p'), protocol: 'TCP' as const, port: 65_535, nodePort: 65_535 }]
  const longest = service({
    namespace: long('n'),
    name: long('s'),
    type: 'LoadBalancer',
    ipFamilies: ['IPv4', 'IPv6'],
    clusterIPs: ['10.100.200.100', 'fd00:1111:2222:3333:4444:5555:6666:7777'].map(address),
    loadBalancerAddresses: ['198.51.100.100', '2001:db8:1111:2222:3333:4444:5555:6666'].map(address),
    externalIPs: ['192.0.2.100', '2001:db8:1111:2222:3333:4444:5555:7777'].map(address),
    loadBalancerSourceRanges: ['203.0.113.0/25', '2001:db8:1111:2222:3333:4444:5555:0/113'].map(cidr),
    externalTrafficPolicy: 'Local',
    internalTrafficPolicy: 'Local',
    affinityTimeoutSeconds: 86_400,
    healthCheckNodePort: 65_534,
    ports,
  })
  const slices = ipFamilies.map(family =>
    slice({
      namespace: longest.namespace,
      name: `${family.toLowerCase()}-slice`,
      service: `${longest.namespace}/${longest.name}`,
      family,
      ports: [{ ...(ports[0] ?? { name: '', protocol: 'TCP' }), port: 65_535 }],
      endpoints: (family === 'IPv4' ? ['10.244.111.111', '10.244.111.112'] : ['fd00:10:244:1111:2222:3333:4444:5555']).map(text =>
        endpoint(text),
      ),
    }),
  )

  for (const kind of kinds) {
    it(`fits: names of 63 letters, long addresses, ${kind.family}, ${kind.backend}`, async () => {
      await using namespace = await createNamespace('properties')
      const options = {
        kind,
        exec: createExec({ prefix: namespace.prefix }),
        store: storeOf([longest, ...slices]),
        around: { node: plainNode, settings: plainSettings },
      }
      assert.ok((await startSync(options).pass(options.around)).lines > 20)
      await assertAtRest(options)
    })
  }
})

describe('over 1,000 endpoints', () => {
  for (const backend of ['nft', 'legacy'] as const) {
    it(`every share of traffic reads back as written, without comments and with affinity (${backend})`, async () => {
      await using namespace = await createNamespace('properties')
      const pods = Array.from({ length: 1001 }, (_, pod) => endpoint(`10.244.${pod >> 8}.${pod & 255}`))
      const plain = service({ ports: [{ name: 'a', protocol: 'TCP', port: 80, nodePort: 0 }] })
      const sticky = service({
        name: 'sticky',
        clusterIPs: [address('10.96.0.8')],
        affinityTimeoutSeconds: 3600,
        ports: [{ name: 'b', protocol: 'UDP', port: 53, nodePort: 0 }],
      })
      const options = {
        kind: { family: 'IPv4', backend } as const,
        exec: createExec({ prefix: namespace.prefix }),
        store: storeOf([
          plain,
          slice({ ports: [{ name: 'a', protocol: 'TCP', port: 8080 }], endpoints: pods }),
          sticky,
          slice({
            name: 'sticky-abc',
            service: 'sticky',
            ports: [{ name: 'b', protocol: 'UDP', port: 5353 }],
            endpoints: pods.slice(0, 50),
          }),
        ]),
        around: { node: plainNode, settings: plainSettings },
      }
      const report = await startSync(options).pass(options.around)
      assert.ok(report.lines > 3 * 1001)
      const { nat } = await readTables(options.exec, options.kind)
      assert.equal(/-A KUBE-SEP-.*--comment/.test(nat), false, 'no comments')
      assert.equal([...nat.matchAll(/-A KUBE-SVC-\S+ -m statistic .* --probability \S+/g)].length, 1000 + 49)
      await assertAtRest(options)
    })
  }
})
