// A change costs what it touches and not what the cluster holds: everything that a pass looks at is counted, at three sizes.
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { type BenchCluster, benchCluster } from '../../../bench/cluster.ts'
import type { ServiceKey } from '../../../src/model/objects.ts'
import type { IpvsMode } from '../../../src/modes/ipvs/index.ts'
import type { Desired, Observed } from '../../../src/modes/ipvs/state.ts'
import type { ClusterView } from '../../../src/sync/decisions.ts'
import { createSyncEmitter } from '../../../src/sync/events.ts'
import { FamilySync } from '../../../src/sync/family-sync.ts'
import { address, cidr } from '../../support/cluster.ts'
import { createFakeIpvsKernel } from '../../sync/support/fake-ipvs-kernel.ts'
import { passInput } from '../../sync/support/harness.ts'
import { testIpvsMode } from '../../sync/support/ipvs-harness.ts'
import { type Counter, CountingMap, CountingSet } from '../iptables/counting.ts'

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

const countingMap = <Key, Value>(entries: ReadonlyMap<Key, Value>, counter: Counter): CountingMap<Key, Value> =>
  entries instanceof CountingMap ? entries : new CountingMap(entries, counter)
const countingSet = <Value>(values: ReadonlySet<Value>, counter: Counter): CountingSet<Value> =>
  values instanceof CountingSet ? values : new CountingSet(values, counter)

/** Each Service has a load balancer too, whose source ranges the node is in: entries in most of the sets. */
function countingCluster(cluster: BenchCluster, { cluster: counter }: Counts): ClusterView {
  const balanced = new Map([...cluster.keys].map((key, index) => [key, address(`198.51.${index >> 8}.${index & 255}`)]))
  return {
    service: key => {
      counter.count++
      const service = cluster.service(key)
      const loadBalancerAddresses = [balanced.get(key) ?? address('198.50.0.1')]
      return (
        service && { ...service, type: 'LoadBalancer', loadBalancerAddresses, loadBalancerSourceRanges: [cidr('10.200.0.0/16')] }
      )
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

function countingMode(mode: IpvsMode, counts: Counts): IpvsMode {
  const wantsCounted = (desired: Desired): Desired => {
    const { desired: counter } = counts
    for (const [name, entries] of desired.sets) desired.sets.set(name, countingSet(entries, counter))
    return {
      ...desired,
      services: countingMap(desired.services, counter),
      claims: countingMap(desired.claims, counter),
      servers: countingMap(desired.servers, counter),
      addresses: countingSet(desired.addresses, counter),
    }
  }
  const holdsCounted = (observed: Observed): Observed => {
    const { observed: counter } = counts
    for (const [name, set] of observed.sets) observed.sets.set(name, { ...set, entries: countingSet(set.entries, counter) })
    return {
      ...observed,
      servers: countingMap(observed.servers, counter),
      addresses: countingSet(observed.addresses, counter),
      services: countingMap(observed.services, counter),
    }
  }
  const { draining } = mode
  assert.ok(draining)
  return {
    ...mode,
    render: (desired, scope, input) =>
      wantsCounted(mode.render(desired, scope, { ...input, decisions: new CountingMap(input.decisions, counts.decisions) })),
    parse: (outputs, extent, aliases) => holdsCounted(mode.parse(outputs, extent, aliases)),
    confirm: change => holdsCounted(mode.confirm(change)),
    draining: { ...draining, keep: (change, clock) => wantsCounted(draining.keep(change, clock)) },
  }
}

type Change = (cluster: BenchCluster, key: ServiceKey) => void

/** All is programmed; gives what is counted for one change more and the look that follows it. */
async function programmed(services: number) {
  const counts = newCounts()
  const cluster = benchCluster({ services, endpoints: 1 })
  const kernel = createFakeIpvsKernel()
  const sync = new FamilySync({
    mode: countingMode(testIpvsMode('IPv4'), counts),
    exec: kernel.exec,
    cluster: countingCluster(cluster, counts),
    events: createSyncEmitter(),
    now: () => 0,
  })
  await sync.pass(passInput())
  assert.ok(
    Object.values(counts).every(({ count }) => count >= services),
    'the first pass looks at everything, and is counted',
  )
  return async (change: Change) => {
    for (const counter of Object.values(counts)) counter.count = 0
    const commands = kernel.commands.length
    const key = cluster.keys[Math.floor(services / 2)] as ServiceKey
    change(cluster, key)
    sync.markDirty(new Set([key]))
    const { lines } = await sync.pass(passInput())
    await sync.lookAtDrains()
    const more = await sync.pass(passInput())
    return {
      ...Object.fromEntries(Object.entries(counts).map(([name, { count }]) => [name, count])),
      lines: [lines, more.lines],
      commands: kernel.commands.slice(commands).map(argv => argv.join(' ')),
    }
  }
}

const restores = { ipset: 'ipset restore', ipvsadm: 'ipvsadm -R', ip: 'ip -batch -', look: 'ipvsadm -Ln --exact' }

const changes: Readonly<Record<string, { readonly change: Change; readonly commands: readonly string[] }>> = {
  'an endpoint that changes, and drains': {
    change: (cluster, key) => cluster.changeEndpoint(key),
    commands: [restores.ipset, restores.ipvsadm, restores.ipvsadm, restores.ipset, restores.look, restores.ipvsadm],
  },
  'a Service that goes, and drains': {
    change: (cluster, key) => cluster.toggle(key),
    commands: [restores.ip, restores.ipvsadm, restores.ipset, restores.look, restores.ip, restores.ipvsadm, restores.ipset],
  },
}

describe('what a pass looks at', () => {
  let sizes: readonly ((change: Change) => Promise<object>)[] = []
  before(async () => {
    sizes = [await programmed(100), await programmed(1000), await programmed(10_000)]
  })
  for (const [title, { change, commands }] of Object.entries(changes)) {
    it(`is the same with 100, 1,000 and 10,000 Services for ${title}`, async () => {
      const [small, ...larger] = await Promise.all(sizes.map(costOf => costOf(change)))
      assert.ok(small !== undefined && 'commands' in small)
      assert.deepEqual(small.commands, commands, 'nothing is read but the connections')
      for (const cost of larger) assert.deepEqual(cost, small)
    })
  }
})
