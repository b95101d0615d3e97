// Virtual servers that nobody wants any more: which of them drain, what stays around them, and what a restart makes of that.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { address, gone, node, put, service } from '../../support/cluster.ts'
import { passInput } from '../../sync/support/harness.ts'
import type { IpvsHarness } from '../../sync/support/ipvs-harness.ts'
import {
  connect,
  everywhere,
  type IpvsSettings,
  ipvsHarness,
  minutes,
  pods,
  server,
  trafficSettings,
  webServer,
  weights,
  withAddresses,
} from './support.ts'

const one = '10.244.1.1:8080'
const [nodePort, balancer, external] = ['-t 10.200.1.2:30080', '-t 198.51.100.7:80', '-t 192.0.2.7:80'].map(server) as [
  ReturnType<typeof server>,
  ReturnType<typeof server>,
  ReturnType<typeof server>,
]
const all = [webServer, nodePort, balancer, external]

async function started(ipvs: IpvsSettings = {}): Promise<IpvsHarness> {
  const harness = ipvsHarness(ipvs)
  await harness.programmed(put(everywhere()), put(pods(['10.244.1.1'])))
  for (const name of all) connect(harness, one, 1, name)
  return harness
}

const present = ({ kernel }: IpvsHarness): readonly string[] => all.filter(name => kernel.servers.has(name))
const bound = ({ kernel }: IpvsHarness): readonly string[] => [...(kernel.links.get('kube-ipvs0') ?? [])].toSorted()
const entries = ({ kernel }: IpvsHarness, set: string): readonly string[] => [...(kernel.sets.get(set)?.entries ?? [])].toSorted()

describe('a Service that is deleted', () => {
  it('drains at its cluster IP and node port; what a load balancer may hand on is let go at once', async () => {
    const harness = await started()
    await harness.programmed(gone(everywhere()), gone(pods([])))
    assert.deepEqual(present(harness), [webServer, nodePort])
    for (const name of [webServer, nodePort]) assert.deepEqual(weights(harness, name), { [one]: 0 })
    assert.deepEqual(bound(harness), ['10.96.0.7/32'])
    assert.deepEqual(entries(harness, 'KUBE-IPVS-IPS'), ['10.96.0.7'], 'nobody reaches the listeners of the node by it')
    assert.deepEqual(entries(harness, 'KUBE-CLUSTER-IP'), [], 'and nothing new comes in')
    assert.deepEqual(entries(harness, 'KUBE-NODE-PORT-TCP'), ['30080'])
    for (const name of [webServer, nodePort]) connect(harness, one, 0, name)
    await harness.looked()
    assert.deepEqual([...harness.kernel.servers.keys()], [])
    assert.deepEqual(bound(harness), [])
    for (const set of harness.kernel.sets.keys()) assert.deepEqual(entries(harness, set), [], set)
  })

  it('has half a minute at a load balancer address with strictARP', async () => {
    const harness = await started({ strictArp: true })
    await harness.programmed(gone(everywhere()), gone(pods([])))
    assert.deepEqual(present(harness), all)
    harness.clock.wall += 30_000
    await harness.looked()
    assert.deepEqual(present(harness), [webServer, nodePort])
    assert.deepEqual(bound(harness), ['10.96.0.7/32'])
  })

  it('has no longer than that after a restart', async () => {
    const harness = await started({ strictArp: true })
    await harness.programmed(gone(everywhere()), gone(pods([])))
    const before = harness.sync.drains
    harness.clock.wall += 10_000
    const earlierDrains = new Map(before.map(drain => [`${drain.server} ${drain.realServer}`, drain]))
    const again = harness.restarted({ earlierDrains })
    again.input = harness.input
    assert.equal((await again.pass()).lines, 0)
    assert.deepEqual(again.sync.drains, before)
    again.clock.wall += 20_000
    await again.looked()
    assert.deepEqual(present(again), [webServer, nodePort])
  })

  it('ends at the deadline', async () => {
    const harness = await started()
    await harness.programmed(gone(everywhere()), gone(pods([])))
    harness.clock.wall += minutes(15)
    await harness.looked()
    assert.deepEqual([...harness.kernel.servers.keys()], [])
  })

  it('and comes back takes its virtual server over, with what it left there', async () => {
    const harness = await started()
    await harness.programmed(gone(everywhere()), gone(pods([])))
    await harness.programmed(put(everywhere()), put(pods(['10.244.1.1'])))
    for (const name of all) assert.deepEqual(weights(harness, name), { [one]: 1 })
    assert.deepEqual(harness.sync.drains, [])
    await harness.programmed(gone(everywhere()), gone(pods([])))
    harness.kernel.connections.clear()
    await harness.looked()
    assert.deepEqual(bound(harness), [])
  })

  it('leaves its address to another one at once', async () => {
    const harness = await started()
    const heir = service({ name: 'heir' })
    await harness.programmed(gone(everywhere()), gone(pods([])), put(heir), put(pods(['10.244.1.9'], 'heir')))
    assert.deepEqual(weights(harness), { '10.244.1.9:8080': 1, [one]: 0 })
    assert.deepEqual(entries(harness, 'KUBE-CLUSTER-IP'), ['10.96.0.7,tcp:80'])
    assert.equal(harness.sync.drains.find(({ server: name }) => name === webServer)?.service, 'default/heir')
  })

  it('is found again by a new process that knows since when, or begins anew', async () => {
    const harness = await started()
    await harness.programmed(gone(everywhere()), gone(pods([])))
    const before = harness.sync.drains
    harness.clock.wall += minutes(10)
    const again = harness.restarted({
      earlierDrains: new Map(before.map(drain => [`${drain.server} ${drain.realServer}`, drain])),
    })
    again.input = harness.input
    assert.equal((await again.pass()).lines, 0)
    assert.deepEqual(
      again.sync.drains.map(({ until }) => until),
      before.map(({ until }) => until),
    )
    const forgetful = harness.restarted()
    forgetful.input = harness.input
    await forgetful.pass()
    for (const { since } of forgetful.sync.drains) assert.equal(since, harness.clock.wall)
  })

  it('drains on while something cannot be read', async () => {
    const harness = await started()
    await harness.programmed(gone(everywhere()), gone(pods([])))
    const before = harness.sync.drains
    harness.clock.wall += minutes(1)
    harness.input = { ...harness.input, sweep: false }
    harness.sync.markDirty('everything')
    assert.equal((await harness.pass()).lines, 0)
    assert.deepEqual(harness.sync.drains, before)
  })

  it('is known as ours even when somebody took the addresses away', async () => {
    const harness = await started()
    await harness.programmed(gone(everywhere()), gone(pods([])))
    harness.kernel.links.delete('kube-ipvs0')
    await harness.sync.checkDrift('everything')
    await harness.pass()
    harness.kernel.connections.clear()
    await harness.looked()
    assert.deepEqual([...harness.kernel.servers.keys()], [])
  })
})

describe('a Service that moves to another cluster IP', () => {
  it('drains at the old one', async () => {
    const harness = await started()
    await harness.programmed(put(everywhere({ clusterIPs: [address('10.96.0.9')] })))
    assert.deepEqual(weights(harness), { [one]: 0 })
    assert.deepEqual(weights(harness, server('-t 10.96.0.9:80')), { [one]: 1 })
    assert.deepEqual(bound(harness), ['10.96.0.7/32', '10.96.0.9/32', '192.0.2.7/32', '198.51.100.7/32'])
    connect(harness, one, 0)
    await harness.looked()
    assert.deepEqual(bound(harness), ['10.96.0.9/32', '192.0.2.7/32', '198.51.100.7/32'])
  })
})

describe('node ports', () => {
  const at = (text: string) => server(`-t ${text}:30080`)
  const moved = (harness: IpvsHarness, facts: typeof node, nodePortAddresses: 'all' | 'primary' = 'all') => {
    harness.input = passInput({ node: facts, settings: trafficSettings({}, { nodePortAddresses }) })
    harness.sync.markDirty('everything')
    return harness.pass()
  }

  it('stand at an address as soon as the node has it, and go with it, connections or not', async () => {
    const harness = await started()
    await moved(harness, withAddresses('10.200.7.7'))
    assert.deepEqual(weights(harness, at('10.200.7.7')), { [one]: 1 })
    connect(harness, one, 1, at('10.200.7.7'))
    await moved(harness, node)
    assert.equal(weights(harness, at('10.200.7.7')), undefined)
    assert.deepEqual(weights(harness, nodePort), { [one]: 1 })
  })

  it('drain where the node has the address and they are to answer there no more', async () => {
    const harness = await started()
    await moved(harness, withAddresses('10.200.7.7'))
    connect(harness, one, 1, at('10.200.7.7'))
    await moved(harness, withAddresses('10.200.7.7'), 'primary')
    assert.deepEqual(weights(harness, at('10.200.7.7')), { [one]: 0 })
    assert.ok(!bound(harness).includes('10.200.7.7/32'), 'an address of the node never comes on kube-ipvs0')
    assert.ok(!entries(harness, 'KUBE-IPVS-IPS').includes('10.200.7.7'))
  })

  it('are found by a new process that is told to answer at fewer addresses', async () => {
    const harness = await started()
    await moved(harness, withAddresses('10.200.7.7'))
    const again = harness.restarted()
    await moved(again, withAddresses('10.200.7.7'), 'primary')
    harness.kernel.connections.clear()
    await again.looked()
    assert.equal(weights(again, at('10.200.7.7')), undefined)
  })

  it("an address that was the node's and is a load balancer's now drains as any", async () => {
    const harness = await started()
    await moved(harness, withAddresses('198.51.100.7'))
    await moved(harness, node)
    await harness.programmed(put(pods(['10.244.1.2'])))
    assert.deepEqual(weights(harness, balancer), { [one]: 0, '10.244.1.2:8080': 1 })
  })
})

describe('an external address that the node has by itself', () => {
  it('has its virtual server, and does not come on kube-ipvs0 or into the set that shuts all else', async () => {
    const harness = ipvsHarness()
    await harness.programmed(put(everywhere({ externalIPs: [address('10.200.1.2')] })), put(pods(['10.244.1.1'])))
    assert.deepEqual(weights(harness, server('-t 10.200.1.2:80')), { [one]: 1 })
    assert.deepEqual(entries(harness, 'KUBE-EXTERNAL-IP'), ['10.200.1.2,tcp:80'])
    assert.deepEqual(bound(harness), ['10.96.0.7/32', '198.51.100.7/32'])
    assert.deepEqual(entries(harness, 'KUBE-IPVS-IPS'), ['10.96.0.7', '198.51.100.7'])
  })
})
