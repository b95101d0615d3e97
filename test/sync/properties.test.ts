// Whatever happens on the way (changes, restarts, failures, refusals, vandalism, unreadable objects): once all is well again the kernel
// holds exactly what a cold start on the final state makes, and what is not ours is as it was.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type Backend, type Table, tableSection, tables } from '../../src/kernel/iptables.ts'
import { type IpFamily, ipFamilies } from '../../src/model/address.ts'
import { createStore } from '../../src/source/store.ts'
import {
  arbitraryBundle,
  arbitraryCluster,
  arbitraryNode,
  arbitrarySettings,
  type Bundle,
  gone,
  objectsOf,
  node as plainNode,
  put,
} from '../support/cluster.ts'
import { comparable } from '../support/iptables-compare.ts'
import type { FakeKernel } from './support/fake-kernel.ts'
import { createHarness, type Harness } from './support/harness.ts'

const clusterSize = 5

interface World {
  harness: Harness
  readonly bundles: Bundle[]
}

/** One thing that happens, and what the daemon does right after it. */
type Event = (world: World) => Promise<void>

const named = (name: string, event: Event): Event => Object.assign(event, { toString: () => name })

const changes: fc.Arbitrary<Event> = fc.tuple(fc.nat(clusterSize - 1), fc.boolean()).chain(([index, removed]) =>
  (removed ? fc.constant<Bundle>({ service: undefined, slices: [] }) : arbitraryBundle(index)).map(bundle =>
    named(`change ${JSON.stringify(bundle)}`, async world => {
      const before = world.bundles[index]
      world.bundles[index] = bundle
      world.harness.change(...(before === undefined ? [] : objectsOf(before)).map(gone), ...objectsOf(bundle).map(put))
      await world.harness.pass()
    }),
  ),
)

const surroundings: fc.Arbitrary<Event> = fc
  .record({ node: arbitraryNode, settings: arbitrarySettings })
  .map(({ node, settings }) =>
    named(`surroundings ${JSON.stringify({ node, settings })}`, async ({ harness }) => {
      harness.input = { ...harness.input, node, settings }
      harness.sync.markDirty('everything')
      await harness.pass()
    }),
  )

const restart: Event = named('restart', async world => {
  const { input } = world.harness
  world.harness = world.harness.restarted()
  world.harness.input = input
  await world.harness.pass()
})

/** The change is the next one's, whose pass fails; then it is tried again, or not before something else happens. */
const failure: fc.Arbitrary<Event> = fc
  .record({ change: changes, commands: fc.integer({ min: 1, max: 3 }), again: fc.boolean() })
  .map(({ change, commands, again }) =>
    named(`${commands} failing commands with ${change}`, async world => {
      let left = commands
      world.harness.kernel.fails = () => (left-- > 0 ? 'busy' : undefined)
      await change(world).catch(() => {})
      world.harness.kernel.fails = () => undefined
      if (again) await world.harness.pass()
    }),
  )

const refusal: fc.Arbitrary<Event> = fc
  .record({ change: changes, index: fc.nat(clusterSize - 1), how: fc.constantFrom('line' as const, 'commit' as const) })
  .map(({ change, index, how }) =>
    named(`refused ${index} by ${how} with ${change}`, async world => {
      world.harness.kernel.refuses = line => (line.startsWith('-A') && line.includes(`/service-${index}`) ? how : undefined)
      await change(world)
      world.harness.kernel.refuses = () => undefined
    }),
  )

const vandalism: fc.Arbitrary<Event> = fc
  .record({
    table: fc.constantFrom<Table>('nat', 'filter'),
    chain: fc.nat(),
    rule: fc.nat(),
    way: fc.constantFrom('delete', 'flush', 'add', 'twice', 'move'),
  })
  .map(({ table, chain, rule, way }) =>
    named(`vandalism ${table} ${chain} ${rule} ${way}`, async ({ harness }) => {
      vandalise(harness.kernel, { table, chain, rule, way })
      await harness.sync.checkDrift('everything')
      await harness.pass()
    }),
  )

function vandalise(
  kernel: FakeKernel,
  { table, chain, rule, way }: { table: Table; chain: number; rule: number; way: string },
): void {
  const ours = kernel.chains(table).filter(name => name.startsWith('KUBE-') && name !== 'KUBE-FIREWALL')
  const name = ours[chain % Math.max(1, ours.length)]
  if (name === undefined) return
  const rules = kernel.rules(table, name) ?? []
  const victim = rules[rule % Math.max(1, rules.length)]
  if (way === 'flush') kernel.edit(table, `:${name} - [0:0]`)
  else if (way === 'add' || victim === undefined) kernel.edit(table, `-A ${name} -s 192.0.2.66/32 -j RETURN`)
  else if (way === 'twice') kernel.edit(table, `-I ${name} ${victim}`)
  else if (way === 'move') kernel.edit(table, `-D ${name} ${victim}`, `-A ${name} ${victim}`)
  else kernel.edit(table, `-D ${name} ${victim}`)
}

const unreadable: fc.Arbitrary<Event> = fc.boolean().map(sweep =>
  named(`unreadable: ${!sweep}`, async ({ harness }) => {
    harness.input = { ...harness.input, sweep }
    await harness.pass()
  }),
)

const arbitraryEvent = fc.oneof(
  { weight: 8, arbitrary: changes },
  { weight: 1, arbitrary: surroundings },
  { weight: 1, arbitrary: fc.constant(restart) },
  { weight: 2, arbitrary: failure },
  { weight: 2, arbitrary: refusal },
  { weight: 2, arbitrary: vandalism },
  { weight: 1, arbitrary: unreadable },
)

const foreign: Readonly<Record<Table, readonly string[]>> = {
  nat: [
    ':DOCKER - [0:0]',
    '-A DOCKER -i docker0 -j RETURN',
    '-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER',
    '-A POSTROUTING -o eth0 -j RETURN',
  ],
  filter: [
    ':KUBE-IPTABLES-HINT - [0:0]',
    ':KUBE-FIREWALL - [0:0]',
    '-A KUBE-FIREWALL -s 192.0.2.1/32 -j DROP',
    '-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT',
  ],
}

/** Chains of others, where we only add; the rest is ours and must be equal. */
const shared = new Set([
  'INPUT',
  'FORWARD',
  'OUTPUT',
  'PREROUTING',
  'POSTROUTING',
  'KUBE-FIREWALL',
  'DOCKER',
  'KUBE-IPTABLES-HINT',
])

const ours = ({ kernel }: Harness) =>
  tables.map(table => Object.entries(comparable(tableSection(kernel.save(), table))).filter(([name]) => !shared.has(name)))

const rulesIn = ({ kernel }: Harness, table: Table): readonly string[] => tableSection(kernel.save(), table).split('\n')

describe('any way to a state', () => {
  for (const backend of ['nft', 'legacy'] as const satisfies readonly Backend[]) {
    for (const family of ipFamilies) {
      it(`ends where a cold start on it ends: ${family}, ${backend}`, async () => {
        const property = fc.asyncProperty(
          arbitraryCluster(clusterSize),
          fc.array(arbitraryEvent, { maxLength: 10 }),
          (cluster, events) => check({ family, backend, cluster, events }),
        )
        await fc.assert(property, { numRuns: 60 })
      })
    }
  }
})

async function check(options: {
  readonly family: IpFamily
  readonly backend: Backend
  readonly cluster: readonly Bundle[]
  readonly events: readonly Event[]
}): Promise<void> {
  const { family, backend, cluster, events } = options
  const world: World = { harness: createHarness({ family, backend }), bundles: [...cluster] }
  for (const table of tables) world.harness.kernel.edit(table, ...foreign[table])
  world.harness.change(...cluster.flatMap(objectsOf).map(put))
  await world.harness.pass()
  for (const event of events) await event(world)

  // All is well again: everything can be read, who was refused is tried again, and a check looks for what was done meanwhile.
  const { harness } = world
  harness.input = { ...harness.input, sweep: true }
  harness.sync.retryQuarantined()
  await harness.pass()
  await harness.sync.checkDrift('everything')
  await harness.pass()
  assert.equal(harness.sync.quarantined.size, 0)
  assert.deepEqual(await harness.sync.checkDrift('everything'), [])

  const cold = createHarness({ family, backend, store: createStore({ nodeName: plainNode.name }) })
  cold.input = harness.input
  cold.change(...world.bundles.flatMap(objectsOf).map(put))
  await cold.pass()
  assert.deepEqual(ours(harness), ours(cold))
  for (const table of tables) {
    for (const line of foreign[table]) assert.equal(rulesIn(harness, table).filter(one => one === line).length, 1, line)
    for (const line of rulesIn(cold, table)) assert.ok(rulesIn(harness, table).includes(line), line)
  }

  const again = harness.restarted()
  again.input = harness.input
  assert.equal((await again.pass()).lines, 0, 'a new process finds nothing to do')
}
