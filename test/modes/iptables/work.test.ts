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
    nat: tableCounted(observed.nat),
    filter: tableCounted(observed.filter),
    services: map(observed.services, counts.observed),
  })
  return {
    ...mode,
    render: (desired, scope, input) =>
      wantsCounted(mode.render(desired, scope, { ...input, decisions: new CountingMap(input.decisions, counts.decisions) })),
    parse: (outputs, extent, aliases) => holdsCounted(mode.parse(outputs, extent, aliases)),
    confirm: change => holdsCounted(mode.confirm(change)),
  }
}

type Change = (cluster: BenchCluster, key: ServiceKey) => void

/** What is counted for one change, after everything was programmed. */
async function costOf(services: number, change: Change) {
  const counts = newCounts()
  const cluster = benchCluster({ services, endpoints: 1 })
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
  await sync.pass(passInput())
  assert.ok(
    Object.values(counts).every(({ count }) => count >= services),
    'the first pass looks at everything, and is counted',
  )
  for (const counter of Object.values(counts)) counter.count = 0
  const commands = kernel.commands.length
  const key = cluster.keys[Math.floor(services / 2)] as ServiceKey
  change(cluster, key)
  sync.markDirty(new Set([key]))
  const { lines } = await sync.pass(passInput())
  return {
    ...Object.fromEntries(Object.entries(counts).map(([name, { count }]) => [name, count])),
    lines,
    commands: kernel.commands.length - commands,
  }
}

const changes: Readonly<Record<string, Change>> = {
  'an endpoint that changes': (cluster, key) => cluster.changeEndpoint(key),
  'a Service that goes': (cluster, key) => cluster.toggle(key),
}

describe('what a pass looks at', () => {
  for (const [title, change] of Object.entries(changes)) {
    it(`is the same with 100, 1,000 and 10,000 Services for ${title}`, async () => {
      const [small, ...larger] = [await costOf(100, change), await costOf(1000, change), await costOf(10_000, change)]
      assert.ok(small.lines > 0)
      assert.equal(small.commands, 1, 'one restore, no read')
      for (const cost of larger) assert.deepEqual(cost, small)
    })
  }
})
