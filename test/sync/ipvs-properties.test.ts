// Ipvs mode, whatever happens on the way (changes, restarts, failures, refusals, vandalism, unreadable objects, connections that go on): once all is
// well again and nothing drains, the kernel holds exactly what a cold start on the final state makes, and what is not ours is as it was.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { tableSection, tables } from '../../src/kernel/iptables.ts'
import { type IpFamily, ipFamilies } from '../../src/model/address.ts'
import { createStore } from '../../src/source/store.ts'
import {
  address,
  arbitraryBundle,
  arbitraryNode,
  arbitrarySettings,
  type Bundle,
  gone,
  objectsOf,
  node as plainNode,
  put,
} from '../support/cluster.ts'
import { comparableRules, comparableServers, comparableSets } from '../support/ipvs-compare.ts'
import type { FakeIpvsKernel } from './support/fake-ipvs-kernel.ts'
import { createIpvsHarness, type IpvsHarness } from './support/ipvs-harness.ts'
import { type Vandalism, vandalise, vandalisms } from './support/ipvs-vandalism.ts'

const clusterSize = 4

interface World {
  harness: IpvsHarness
  readonly bundles: Bundle[]
}

/** One thing that happens, and what the daemon does right after it. */
type Event = (world: World) => Promise<void>

const named = (name: string, event: Event): Event => Object.assign(event, { toString: () => name })

/** Some share an address with others, and so virtual servers; some ask for a scheduler. */
const bundle = (index: number): fc.Arbitrary<Bundle> =>
  fc
    .record({ plain: arbitraryBundle(index), shares: fc.boolean(), scheduler: fc.constantFrom(undefined, 'lc', 'mh', 'lblcr') })
    .map(({ plain: { service, slices }, shares, scheduler }) => ({
      service: service && {
        ...service,
        externalIPs: shares ? [...service.externalIPs, address('203.0.113.99'), address('2001:db8::99')] : service.externalIPs,
        annotations: scheduler === undefined ? undefined : { 'switchyard/ipvs-scheduler': scheduler },
      },
      slices,
    }))

const changes: fc.Arbitrary<Event> = fc.tuple(fc.nat(clusterSize - 1), fc.boolean()).chain(([index, removed]) =>
  (removed ? fc.constant<Bundle>({ service: undefined, slices: [] }) : bundle(index)).map(after =>
    named(`change ${JSON.stringify(after)}`, async world => {
      const before = world.bundles[index]
      world.bundles[index] = after
      world.harness.change(...(before === undefined ? [] : objectsOf(before)).map(gone), ...objectsOf(after).map(put))
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

const restart: fc.Arbitrary<Event> = fc.boolean().map(remembers =>
  named(`restart ${remembers}`, async world => {
    const { input, sync } = world.harness
    const drains = remembers ? sync.drains : []
    const earlierDrains = new Map(drains.map(drain => [`${drain.server} ${drain.realServer}`, drain]))
    world.harness = world.harness.restarted({ earlierDrains })
    world.harness.input = input
    await world.harness.pass()
  }),
)

/** Real servers get connections, or lose them; time passes; the daemon looks. */
const connections: fc.Arbitrary<Event> = fc
  .record({ count: fc.nat(2), passes: fc.constantFrom(0, 60_000, 3_600_000), which: fc.nat(3) })
  .map(({ count, passes, which }) =>
    named(`${count} connections, ${passes} ms`, async ({ harness }) => {
      for (const [name, { realServers }] of harness.kernel.servers) {
        for (const [index, realServer] of [...realServers.keys()].entries())
          if (index % 4 === which) harness.kernel.connections.set(`${name} ${realServer}`, count)
      }
      harness.clock.wall += passes
      await harness.looked()
    }),
  )

/** The change is the next one's, whose pass fails; then it is tried again, or not before something else happens. */
const failure: fc.Arbitrary<Event> = fc
  .record({ change: changes, after: fc.nat(8), commands: fc.integer({ min: 1, max: 3 }), again: fc.boolean() })
  .map(({ change, after, commands, again }) =>
    named(`${commands} failing commands after ${after} with ${change}`, async world => {
      let number = 0
      world.harness.kernel.fails = () => (number++ >= after && number <= after + commands ? 'busy' : undefined)
      await change(world).catch(() => {})
      world.harness.kernel.fails = () => undefined
      if (again) await world.harness.pass()
    }),
  )

/** All that adds something with the Service's cluster IP is refused, by one tool or all. */
const refusal: fc.Arbitrary<Event> = fc
  .record({ change: changes, index: fc.nat(clusterSize - 1), by: fc.constantFrom('ipset', 'ipvsadm', 'ip', undefined) })
  .map(({ change, index, by }) =>
    named(`refused ${index} by ${by} with ${change}`, async world => {
      const own = new RegExp(`^(add|addr add|-[Aa]) .*(10\\.96\\.0\\.|fd00:10:96::)${index + 1}\\b`)
      world.harness.kernel.refuses = (line, tool) => (by === undefined || tool === by) && own.test(line)
      await change(world)
      world.harness.kernel.refuses = () => false
    }),
  )

const vandalism: fc.Arbitrary<Event> = fc
  .record<Omit<Vandalism, 'family'>>({ way: fc.constantFrom(...vandalisms), which: fc.nat(), what: fc.nat() })
  .map(act =>
    named(`vandalism ${JSON.stringify(act)}`, async ({ harness }) => {
      vandalise(harness.kernel, { ...act, family: harness.sync.family })
      await harness.sync.checkDrift('everything')
      await harness.pass()
    }),
  )

const unreadable: fc.Arbitrary<Event> = fc.boolean().map(sweep =>
  named(`unreadable: ${!sweep}`, async ({ harness }) => {
    harness.input = { ...harness.input, sweep }
    await harness.pass()
  }),
)

const arbitraryEvent = fc.oneof(
  { weight: 8, arbitrary: changes },
  { weight: 1, arbitrary: surroundings },
  { weight: 1, arbitrary: restart },
  { weight: 3, arbitrary: connections },
  { weight: 2, arbitrary: failure },
  { weight: 2, arbitrary: refusal },
  { weight: 3, arbitrary: vandalism },
  { weight: 1, arbitrary: unreadable },
)

const foreignServers = ['-A -t 192.0.2.250:80 -s wlc', '-a -t 192.0.2.250:80 -r 192.0.2.251:80 -g -w 5', '-A -f 7 -s rr']

async function addForeign(kernel: FakeIpvsKernel): Promise<void> {
  await kernel.shell(['ipvsadm', '-R'], ...foreignServers)
  await kernel.shell(['ipset', 'restore'], 'create KUBE-ROUTER hash:ip family inet', 'add KUBE-ROUTER 192.0.2.250')
  await kernel.shell(['ip', '-batch', '-'], 'link add dummy0 type dummy', 'addr add 192.0.2.250/32 dev dummy0')
  for (const family of ipFamilies) kernel.iptables[family].edit('filter', '-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT')
}

async function stateOf(kernel: FakeIpvsKernel): Promise<unknown> {
  return {
    servers: comparableServers(await kernel.shell(['ipvsadm', '-Sn'])),
    sets: comparableSets(await kernel.shell(['ipset', 'save'])),
    ownSets: [...kernel.sets].filter(([name]) => name.startsWith('SWITCHYARD')).map(([name, { entries }]) => [name, entries]),
    links: [...kernel.links].map(([name, addresses]) => [name, [...addresses].toSorted()] as const).toSorted(),
    rules: ipFamilies.map(family =>
      tables.map(table => {
        const { INPUT, FORWARD, OUTPUT, ...ours } = comparableRules(tableSection(kernel.iptables[family].save(), table))
        return { ...ours, builtins: [INPUT, FORWARD, OUTPUT].map(rules => rules?.toSorted()) }
      }),
    ),
  }
}

describe('any way to a state', () => {
  for (const family of ipFamilies) {
    it(`ends where a cold start on it ends: ${family}`, async () => {
      const cluster = fc.tuple(...Array.from({ length: clusterSize }, (_, index) => bundle(index)))
      const property = fc.asyncProperty(cluster, fc.array(arbitraryEvent, { maxLength: 10 }), (bundles, events) =>
        check({ family, cluster: bundles, events }),
      )
      await fc.assert(property, { numRuns: 60 })
    })
  }
})

async function check(options: {
  readonly family: IpFamily
  readonly cluster: readonly Bundle[]
  readonly events: readonly Event[]
}): Promise<void> {
  const { family, cluster, events } = options
  const world: World = { harness: createIpvsHarness({ family }), bundles: [...cluster] }
  await addForeign(world.harness.kernel)
  world.harness.change(...cluster.flatMap(objectsOf).map(put))
  await world.harness.pass()
  for (const event of events) await event(world)
  await recover(world.harness)

  const store = createStore({ nodeName: plainNode.name })
  const cold = createIpvsHarness({ family, store })
  await addForeign(cold.kernel)
  cold.input = world.harness.input
  cold.change(...world.bundles.flatMap(objectsOf).map(put))
  await cold.pass()
  assert.deepEqual(await stateOf(world.harness.kernel), await stateOf(cold.kernel))

  const again = world.harness.restarted()
  again.input = world.harness.input
  assert.equal((await again.pass()).lines, 0, 'a new process finds nothing to do')
}

/** All is well again: everything can be read, who was refused is tried again, nobody is connected, and a check looks for what was done meanwhile. */
async function recover(harness: IpvsHarness): Promise<void> {
  harness.input = { ...harness.input, sweep: true }
  harness.sync.retryQuarantined()
  await harness.pass()
  await harness.sync.checkDrift('everything')
  await harness.pass()
  harness.kernel.connections.clear()
  await harness.looked()
  assert.equal(harness.sync.quarantined.size, 0)
  assert.deepEqual(harness.sync.drains, [])
  assert.deepEqual(await harness.sync.checkDrift('everything'), [])
}
