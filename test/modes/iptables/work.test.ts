// A change costs what it touches and not what the cluster holds: everything that a pass looks at is counted, at three sizes.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type BenchCluster, benchCluster } from '../../../bench/cluster.ts'
import { toolsOf } from '../../../src/kernel/iptables.ts'
import type { ServiceKey } from '../../../src/model/objects.ts'
import { type IptablesMode, iptablesMode } from '../../../src/modes/iptables/index.ts'
import type { Desired } from '../../../src/modes/iptables/state.ts'
import type { Observed, ObservedTable } from '../../../src/modes/rules/state.ts'
import type { ClusterView } from '../../../src/sync/decisions.ts'
import { createSyncEmitter } from '../../../src/sync/events.ts'
import { FamilySync } from '../../../src/sync/family-sync.ts'
import { createFakeKernel } from '../../sync/support/fake-kernel.ts'
import { passInput } from '../../sync/support/harness.ts'
import { type Counter, CountingMap, CountingSet } from './counting.ts'

interface Counts {
  /** Objects asked of the cluster. */
  readonly cluster: Counter
  /** Decisions handed to the renderer. */
  readonly decisions: Counter
  /** Entries looked at in what we want. */
  readonly desired: Counter
  /** Entries looked at in what the kernel holds. */
  readonly observed: Counter
}

const newCounts = (): Counts => ({
  cluster: { count: 0 },
  decisions: { count: 0 },
  desired: { count: 0 },
  observed: { count: 0 },
})

function countingCluster(cluster: BenchCluster, { cluster: counter }: Counts): ClusterView {
  return {
    service: key => {
      counter.count++
      return cluster.service(key)
    },
    slices: key => {
      counter.count++
      return cluster.slices(key)
    },
    *services() {
      for (const service of cluster.services()) {
        counter.count++
        yield service
      }
    },
  }
}

function countingMode(mode: IptablesMode, counts: Counts): IptablesMode {
  const map = <Key, Value>(entries: ReadonlyMap<Key, Value>, counter: Counter): CountingMap<Key, Value> =>
    entries instanceof CountingMap ? entries : new CountingMap(entries, counter)
  const wantsCounted = (desired: Desired): Desired => ({ ...desired, services: map(desired.services, counts.desired) })
  const tableCounted = (table: ObservedTable): ObservedTable => ({
    ...table,
    leaves: map(table.leaves, counts.observed),
    dispatch: new Map(
      [...table.dispatch].map(([chain, dispatch]) => [
        chain,
        {
          ...dispatch,
          rules: dispatch.rules instanceof CountingSet ? dispatch.rules : new CountingSet(dispatch.rules, counts.observed),
        },
      ]),
    ),
  })
  const holdsCounted = (observed: Observed): Observed => ({
    ...observed,
    nat: tableCounted(observed.nat),
    filter: tableCounted(observed.filter),
    services: map(observed.services, counts.observed),
  })
  return {
    ...mode,
    render: (desired, scope, input) =>
      wantsCounted(mode.render(desired, scope, { ...input, decisions: new CountingMap(input.decisions, counts.decisions) })),
    parse: (outputs, extent, aliases) => holdsCounted(mode.parse(outputs, extent, aliases)),
    reading: (extent, aliases) => {
      const reading = mode.reading?.(extent, aliases)
      return reading && { take: piece => reading.take(piece), end: () => holdsCounted(reading.end()) }
    },
    confirm: change => holdsCounted(mode.confirm(change)),
  }
}

type Change = (cluster: BenchCluster, key: ServiceKey) => void

type Dispatch = 'linear' | 'bucketed'

/** A cluster that is programmed, and what is counted for one change after the other. */
async function programmed(services: number, dispatch: Dispatch, endpoints = 1) {
  const counts = newCounts()
  const cluster = benchCluster({ services, endpoints })
  const mode = countingMode(iptablesMode('IPv4', toolsOf('IPv4', 'legacy')), counts)
  const kernel = createFakeKernel()
  const options = {
    mode,
    exec: kernel.exec,
    cluster: countingCluster(cluster, counts),
    events: createSyncEmitter(),
    now: () => 0,
  }
  const sync = new FamilySync(options)
  const input = passInput({ settings: { dispatch } })
  await sync.pass(input)
  assert.ok(
    Object.values(counts).every(({ count }) => count >= services),
    'the first pass looks at everything, and is counted',
  )
  const costOf = async (change: Change, key = cluster.keys[Math.floor(services / 2)] as ServiceKey) => {
    for (const counter of Object.values(counts)) counter.count = 0
    const commands = kernel.commands.length
    change(cluster, key)
    sync.markDirty(new Set([key]))
    const { lines } = await sync.pass(input)
    return {
      ...(Object.fromEntries(Object.entries(counts).map(([name, { count }]) => [name, count])) as Record<keyof Counts, number>),
      lines,
      commands: kernel.commands.length - commands,
    }
  }
  return { cluster, kernel, costOf }
}

const endpointChanges: Change = (cluster, key) => cluster.changeEndpoint(key)
const comesOrGoes: Change = (cluster, key) => cluster.toggle(key)

const changes: readonly { title: string; change: Change; dispatch: Dispatch }[] = [
  { title: 'an endpoint that changes', change: endpointChanges, dispatch: 'linear' },
  { title: 'an endpoint that changes', change: endpointChanges, dispatch: 'bucketed' },
  { title: 'a Service that goes', change: comesOrGoes, dispatch: 'linear' },
]

describe('what a pass looks at', () => {
  for (const { title, change, dispatch } of changes) {
    it(`is the same with 100, 1,000 and 10,000 Services for ${title} (${dispatch})`, async () => {
      const costs = []
      for (const services of [100, 1000, 10_000]) costs.push(await (await programmed(services, dispatch)).costOf(change))
      const [small, ...larger] = costs
      assert.ok(small !== undefined && small.lines > 0)
      assert.equal(small.commands, 1, 'one restore, no read')
      for (const cost of larger) assert.deepEqual(cost, small)
    })
  }

  it('is one group of endpoints and the list of groups, for an endpoint that changes among any number of Services of 250', async () => {
    const costs = [
      await (await programmed(20, 'bucketed', 250)).costOf(endpointChanges),
      await (await programmed(100, 'bucketed', 250)).costOf(endpointChanges),
    ]
    for (const { commands, lines, cluster, decisions, desired } of costs) {
      assert.equal(commands, 1)
      // Two of 16 groups, where the old and the new endpoint are in different ones, and the list of them.
      assert.ok(lines < 90, `${lines} lines`)
      assert.ok(desired < 20 && cluster < 5 && decisions < 5)
    }
  })

  it('is bounded by a chain of the tree and what it is divided into, for Services that come and go among any number (bucketed)', async () => {
    for (const services of [100, 1000, 10_000]) {
      const { cluster, kernel, costOf } = await programmed(services, 'bucketed')
      const before = kernel.save()
      const some = cluster.keys.filter((_, index) => index % Math.floor(services / 25) === 0)
      // One by one they go, so that chains of the tree become one, and come again, so that it is divided.
      for (const key of [...some, ...some.toReversed()]) {
        const { lines, observed, desired, cluster: asked, decisions, commands } = await costOf(comesOrGoes, key)
        assert.equal(commands, 1)
        assert.ok(lines < 160 && observed < 320, `${services} Services: ${lines} lines, ${observed} looked at`)
        assert.ok(desired < 20 && asked < 5 && decisions < 5)
      }
      assert.deepEqual(kernel.save().split('\n').toSorted(), before.split('\n').toSorted())
    }
  })
})
