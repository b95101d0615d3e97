// What is written: only what differs, only what is ours, and what becomes of rules that nobody wants.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { benchCluster } from '../../../bench/cluster.ts'
import { type Backend, parseSave, tableSection, toolsOf } from '../../../src/kernel/iptables.ts'
import type { Service, ServiceKey } from '../../../src/model/objects.ts'
import { iptablesMode } from '../../../src/modes/iptables/index.ts'
import type { ClusterView } from '../../../src/sync/decisions.ts'
import { createSyncEmitter } from '../../../src/sync/events.ts'
import { FamilySync } from '../../../src/sync/family-sync.ts'
import { address, cidr, endpoint, gone, put, service, slice } from '../../support/cluster.ts'
import { comparable } from '../../support/iptables-compare.ts'
import { createFakeKernel } from '../../sync/support/fake-kernel.ts'
import { createHarness, eventsOf, type Harness, passInput } from '../../sync/support/harness.ts'

/** `service-N` on 10.96.x.y with one endpoint of its own. */
const numbered = (number: number): readonly [Service, ReturnType<typeof slice>] => [
  service({ name: `service-${number}`, clusterIPs: [address(`10.96.${number >> 8}.${number & 255}`)] }),
  slice({
    name: `service-${number}-abc`,
    service: `service-${number}`,
    endpoints: [endpoint(`10.244.${number >> 8}.${number & 255}`)],
  }),
]
const putNumbered = (count: number) => Array.from({ length: count }, (_, index) => numbered(index + 1).map(put)).flat()
const goneNumbered = (count: number) => Array.from({ length: count }, (_, index) => numbered(index + 1).map(gone)).flat()

const web = [service(), slice({ endpoints: [endpoint('10.244.1.1'), endpoint('10.244.1.2')] })] as const

async function assertSettled(harness: Harness): Promise<void> {
  const { lines } = await harness.restarted().pass()
  assert.equal(lines, 0, 'a new process finds nothing to do')
}

describe('a change in a cluster of 1,000 Services', () => {
  for (const backend of ['nft', 'legacy'] as const) {
    describe(`${backend} backend`, () => {
      const run = (cluster: ClusterView, kernel = createFakeKernel()) => {
        const mode = iptablesMode('IPv4', toolsOf('IPv4', backend))
        return { kernel, sync: new FamilySync({ mode, exec: kernel.exec, cluster, events: createSyncEmitter(), now: () => 0 }) }
      }

      it('writes under 30 lines for one endpoint, all of its own Service, and nothing after a restart', async () => {
        const cluster = benchCluster({ services: 1000, endpoints: 5 })
        const { kernel, sync } = run(cluster)
        const first = await sync.pass(passInput())
        assert.ok(first.lines > 1000 * (2 + 5 * 3), 'the first pass writes everything')
        const again = await run(cluster, kernel).sync.pass(passInput())
        assert.deepEqual([again.lines, again.written, again.removed], [0, 0, 0], 'a restart over an unchanged kernel')

        const key = cluster.keys[500] as ServiceKey
        const before = comparable(tableSection(kernel.save(), 'nat'))
        cluster.changeEndpoint(key)
        sync.markDirty(new Set([key]))
        const change = await sync.pass(passInput())
        assert.ok(change.lines > 0 && change.lines < 30, `${change.lines} lines`)
        const after = comparable(tableSection(kernel.save(), 'nat'))
        const different = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(
          chain => before[chain]?.join('\n') !== after[chain]?.join('\n'),
        )
        assert.equal(different.filter(chain => chain.startsWith('KUBE-SVC-')).length, 1)
        assert.equal(different.filter(chain => chain.startsWith('KUBE-SEP-')).length, 2, 'one endpoint chain came, one went')
        assert.equal(different.length, 3, 'no other chain changed')
        assert.equal((await run(cluster, kernel).sync.pass(passInput())).lines, 0)
      })

      it('writes under 40 lines for a Service that goes and for one that comes', async () => {
        const cluster = benchCluster({ services: 1000, endpoints: 5 })
        const { kernel, sync } = run(cluster)
        await sync.pass(passInput())
        const whole = kernel.save()
        const key = cluster.keys[7] as ServiceKey
        for (const what of ['goes', 'comes']) {
          cluster.toggle(key)
          sync.markDirty(new Set([key]))
          const { lines } = await sync.pass(passInput())
          assert.ok(lines > 0 && lines < 40, `${lines} lines where it ${what}`)
        }
        assert.deepEqual(comparable(tableSection(kernel.save(), 'nat')), comparable(tableSection(whole, 'nat')))
      })

      it('writes nothing for a change that changes no rule', async () => {
        const cluster = benchCluster({ services: 1000, endpoints: 5 })
        const { sync } = run(cluster)
        await sync.pass(passInput())
        sync.markDirty(new Set(cluster.keys.slice(0, 10)))
        assert.equal((await sync.pass(passInput())).lines, 0)
      })
    })
  }
})

describe('stale rules of ours', () => {
  it('go when all could be read', async () => {
    const harness = createHarness()
    await harness.programmed(...web.map(put), ...numbered(1).map(put))
    harness.store.apply(web.map(gone))
    const after = harness.restarted()
    await after.pass()
    assert.doesNotMatch(harness.kernel.save(), /default\/web/)
    assert.match(harness.kernel.save(), /default\/service-1/)
    await assertSettled(after)
  })

  it('stay while something could not be read, and go once it can be', async () => {
    const harness = createHarness()
    await harness.programmed(...web.map(put), ...numbered(1).map(put))
    const whole = harness.kernel.save()
    harness.store.apply(web.map(gone))
    const after = harness.restarted()
    after.input = passInput({ sweep: false })
    assert.equal((await after.pass()).lines, 0)
    assert.equal(harness.kernel.save(), whole)
    after.input = passInput({ sweep: true })
    assert.ok((await after.pass()).lines > 0)
    assert.doesNotMatch(harness.kernel.save(), /default\/web/)
    await assertSettled(after)
  })

  it('stay as they are while other Services come and go in that time', async () => {
    const harness = createHarness()
    await harness.programmed(...web.map(put), ...numbered(1).map(put))
    harness.store.apply(web.map(gone))
    const after = harness.restarted()
    after.input = passInput({ sweep: false })
    await after.pass()
    await after.programmed(...numbered(2).map(put))
    await after.programmed(...numbered(1).map(gone))
    const save = harness.kernel.save()
    assert.match(save, /default\/service-2/)
    assert.doesNotMatch(save, /default\/service-1"/)
    assert.match(save, /-A KUBE-SERVICES -d 10.96.0.7\/32 .*"default\/web cluster IP"/)
    assert.match(save, /default\/web -> 10.244.1.1:8080/)
  })

  it('stay where the chain is written anew because somebody broke its order', async () => {
    const harness = createHarness()
    await harness.programmed(...web.map(put), ...numbered(1).map(put))
    harness.store.apply(web.map(gone))
    const [first = ''] = harness.kernel.rules('nat', 'KUBE-SERVICES') ?? []
    harness.kernel.edit('nat', `-A KUBE-SERVICES ${first}`)
    const after = harness.restarted()
    after.input = passInput({ sweep: false })
    assert.ok((await after.programmed()).includes(':KUBE-SERVICES - [0:0]'))
    const rules = harness.kernel.rules('nat', 'KUBE-SERVICES') ?? []
    assert.equal(rules.length, 3)
    assert.equal(rules.filter(rule => rule.includes('"default/web cluster IP"')).length, 1)
    assert.equal((await after.programmed()).length, 0)
  })

  it("of kube-proxy's own, its canary chains, go too", async () => {
    const harness = createHarness()
    for (const table of ['nat', 'filter'] as const) harness.kernel.edit(table, ':KUBE-PROXY-CANARY - [0:0]')
    await harness.programmed(...web.map(put))
    assert.doesNotMatch(harness.kernel.save(), /CANARY/)
  })
})

describe('a stale chain that a rule of others jumps to', () => {
  const stale = 'KUBE-SVC-AAAAAAAAAAAAAAAA'
  const withForeignJump = (): Harness => {
    const harness = createHarness()
    harness.kernel.edit('nat', `:${stale} - [0:0]`, ':DOCKER - [0:0]', `-A ${stale} -j RETURN`, `-A DOCKER -j ${stale}`)
    return harness
  }

  it('stays as it is, and is named with the chain that needs it', async () => {
    const harness = withForeignJump()
    await harness.programmed(...web.map(put))
    assert.deepEqual(harness.kernel.rules('nat', stale), ['-j RETURN'])
    const [kept, ...others] = eventsOf(harness.recorded, 'kept')
    assert.ok(kept?.what.includes(stale) && kept.what.includes('DOCKER'), kept?.what)
    assert.deepEqual(others, [])
    await assertSettled(harness)
  })

  it('stays together with the chains that it leads to; others of the Service go', async () => {
    const harness = createHarness()
    const exposed = service({ type: 'NodePort', ports: [{ name: '', protocol: 'TCP', port: 80, nodePort: 30_080 }] })
    await harness.programmed(put(exposed), put(web[1]))
    const chain = harness.kernel.chains('nat').find(name => name.startsWith('KUBE-SVC-')) ?? ''
    harness.kernel.edit('nat', ':DOCKER - [0:0]', `-A DOCKER -j ${chain}`)
    const before = harness.kernel.rules('nat', chain)
    // A full pass that meets the foreign rule unprepared may be refused once, and reads; a partial one after that knows.
    for (const how of ['a full pass', 'a partial pass', 'a full pass again']) {
      if (how.startsWith('a full')) harness.sync.markDirty('everything')
      const commands = harness.kernel.commands.length
      await harness.programmed(gone(exposed), gone(web[1]))
      if (how === 'a partial pass') assert.equal(harness.kernel.commands.length - commands, 1, how)
      assert.deepEqual(harness.kernel.rules('nat', chain), before, how)
      assert.equal(harness.kernel.chains('nat').filter(name => name.startsWith('KUBE-SEP-')).length, 2, how)
      assert.equal(harness.kernel.chains('nat').filter(name => name.startsWith('KUBE-EXT-')).length, 0, how)
      await assertSettled(harness)
      const lines = await harness.programmed(put(exposed), put(web[1]))
      assert.ok(!lines.includes(`:${chain} - [0:0]`), `it comes to life as it stands, after ${how}`)
      await assertSettled(harness)
    }
  })

  it('goes once that rule is gone', async () => {
    const harness = withForeignJump()
    await harness.programmed(...web.map(put))
    harness.kernel.edit('nat', '-D DOCKER -j KUBE-SVC-AAAAAAAAAAAAAAAA')
    await harness.restarted().pass()
    assert.equal(harness.kernel.rules('nat', stale), undefined)
  })

  it('stays where it was a live chain when the rule came, and the pass goes on around it', async () => {
    const harness = createHarness()
    await harness.programmed(...web.map(put), ...numbered(1).map(put))
    const chain = harness.kernel.chains('nat').find(name => name.startsWith('KUBE-SVC-')) ?? ''
    harness.kernel.edit('nat', ':DOCKER - [0:0]', `-A DOCKER -j ${chain}`)
    await harness.programmed(...web.map(gone), ...numbered(2).map(put))
    assert.ok(harness.kernel.chains('nat').includes(chain))
    assert.doesNotMatch(harness.kernel.rules('nat', 'KUBE-SERVICES')?.join('\n') ?? '', /default\/web /)
    assert.match(harness.kernel.save(), /default\/service-2/)
    assert.deepEqual([...harness.sync.quarantined], [], 'nobody is to blame')
    await assertSettled(harness)
  })
})

describe('rules of others', () => {
  it('are never touched, in the built-in chains neither', async () => {
    const harness = createHarness()
    const { kernel } = harness
    kernel.edit(
      'nat',
      ':DOCKER - [0:0]',
      '-A DOCKER -i docker0 -j RETURN',
      '-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER',
    )
    kernel.edit('filter', ':KUBE-FIREWALL - [0:0]', '-A KUBE-FIREWALL -s 192.0.2.1/32 -j DROP', ':KUBE-IPTABLES-HINT - [0:0]')
    kernel.edit('filter', '-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT', '-A FORWARD -j DROP')
    await harness.programmed(...web.map(put))
    await harness.programmed(...web.map(gone))
    await harness.restarted().pass()
    assert.deepEqual(kernel.rules('nat', 'DOCKER'), ['-i docker0 -j RETURN'])
    assert.equal(kernel.rules('nat', 'PREROUTING')?.at(-1), '-m addrtype --dst-type LOCAL -j DOCKER')
    assert.equal(kernel.rules('filter', 'KUBE-FIREWALL')?.at(-1), '-s 192.0.2.1/32 -j DROP')
    assert.deepEqual(kernel.rules('filter', 'KUBE-IPTABLES-HINT'), [])
    assert.equal(kernel.rules('filter', 'INPUT')?.at(-1), '-p tcp -m tcp --dport 22 -j ACCEPT')
    assert.equal(kernel.rules('filter', 'FORWARD')?.at(-1), '-j DROP')
  })

  it('may stand before our jumps: the place of a jump is nothing that we insist on', async () => {
    const harness = createHarness()
    await harness.programmed(...web.map(put))
    harness.kernel.edit('nat', '-I PREROUTING -j RETURN')
    harness.kernel.edit('filter', '-I INPUT -j RETURN', '-I FORWARD -j RETURN')
    await assertSettled(harness)
  })

  it('inside our chains are no part of what we want, and go', async () => {
    const harness = createHarness()
    await harness.programmed(...web.map(put))
    harness.kernel.edit('nat', '-I KUBE-SERVICES -d 192.0.2.9/32 -j RETURN')
    harness.kernel.edit('filter', '-I KUBE-SERVICES -j KUBE-NODEPORTS')
    await harness.restarted().pass()
    assert.doesNotMatch(harness.kernel.save(), /192\.0\.2\.9/)
    assert.deepEqual(harness.kernel.rules('filter', 'KUBE-SERVICES'), [])
    await assertSettled(harness)
  })
})

describe('many deletions', () => {
  const isRewritten = (lines: readonly string[]): boolean => lines.includes(':KUBE-SERVICES - [0:0]')
  const deletionsByText = (lines: readonly string[]): number => lines.filter(line => line.startsWith('-D KUBE-SERVICES')).length

  it('go by text up to 100, and above that the dispatch chain is written anew', async () => {
    for (const [count, rewritten] of [
      [100, false],
      [101, true],
    ] as const) {
      const harness = createHarness()
      await harness.programmed(...putNumbered(300))
      const lines = await harness.programmed(...goneNumbered(count))
      assert.equal(isRewritten(lines), rewritten, `${count} deletions`)
      assert.equal(deletionsByText(lines), rewritten ? 0 : count)
      assert.equal(harness.kernel.rules('nat', 'KUBE-SERVICES')?.length, 300 - count + 1)
      assert.match(harness.kernel.rules('nat', 'KUBE-SERVICES')?.at(-1) ?? '', /-j KUBE-NODEPORTS$/)
      await assertSettled(harness)
    }
  })

  it('do the same after a restart', async () => {
    for (const [count, rewritten] of [
      [100, false],
      [101, true],
    ] as const) {
      const harness = createHarness()
      await harness.programmed(...putNumbered(300))
      harness.store.apply(goneNumbered(count))
      const after = harness.restarted()
      assert.equal(isRewritten(await after.programmed()), rewritten, `${count} deletions`)
      await assertSettled(after)
    }
  })

  it('in the filter table are written anew after nat, so that nothing slips out un-NATed', async () => {
    const harness = createHarness()
    const refused = (number: number) => put(numbered(number)[0])
    await harness.programmed(...Array.from({ length: 150 }, (_, index) => refused(index + 1)))
    const lines = await harness.programmed(...Array.from({ length: 120 }, (_, index) => numbered(index + 1).map(put)).flat())
    const rewrite = lines.indexOf(':KUBE-SERVICES - [0:0]')
    assert.ok(rewrite > lines.indexOf('*nat'), 'after nat')
    assert.equal(harness.kernel.rules('filter', 'KUBE-SERVICES')?.length, 30)
    await assertSettled(harness)
  })

  it('keep the rules of Services that could not be read, when the chain is written anew', async () => {
    const harness = createHarness()
    await harness.programmed(...web.map(put), ...putNumbered(200))
    harness.store.apply(web.map(gone))
    const after = harness.restarted()
    after.input = passInput({ sweep: false })
    await after.pass()
    const lines = await after.programmed(...goneNumbered(150))
    assert.ok(isRewritten(lines))
    assert.match(
      harness.kernel.rules('nat', 'KUBE-SERVICES')?.join('\n') ?? '',
      /-d 10\.96\.0\.7\/32 .*"default\/web cluster IP"/,
    )
    assert.equal(harness.kernel.rules('nat', 'KUBE-SERVICES')?.length, 1 + 50 + 1)
  })
})

describe('the jump to the node ports', () => {
  const isLast = (harness: Harness): boolean =>
    harness.kernel.rules('nat', 'KUBE-SERVICES')?.at(-1)?.endsWith('-j KUBE-NODEPORTS') ?? false

  it('stays last when Services come', async () => {
    const harness = createHarness()
    await harness.programmed(...putNumbered(3))
    await harness.programmed(...web.map(put))
    assert.ok(isLast(harness))
    await assertSettled(harness)
  })

  it('is put last again where somebody added a rule behind it', async () => {
    const harness = createHarness()
    await harness.programmed(...web.map(put))
    const wanted = harness.kernel.save()
    const [first = '', ...others] = harness.kernel.rules('nat', 'KUBE-SERVICES') ?? []
    assert.match(first, /cluster IP/)
    harness.kernel.edit('nat', `-D KUBE-SERVICES ${first}`, `-A KUBE-SERVICES ${first}`)
    assert.deepEqual(harness.kernel.rules('nat', 'KUBE-SERVICES'), [...others, first])
    await harness.restarted().pass()
    assert.ok(isLast(harness))
    assert.deepEqual(
      harness.kernel.rules('nat', 'KUBE-SERVICES'),
      parseSave(tableSection(wanted, 'nat')).find(({ name }) => name === 'KUBE-SERVICES')?.rules,
    )
    await assertSettled(harness)
  })

  it('is replaced when nodePortAddresses changes, with no rule of a Service written', async () => {
    const harness = createHarness()
    await harness.programmed(...putNumbered(20))
    harness.input = passInput({ settings: { nodePortAddresses: 'primary' } })
    harness.sync.markDirty('everything')
    const lines = await harness.programmed()
    const inServices = lines.filter(line => / KUBE-SERVICES /.test(line))
    assert.deepEqual(
      inServices.map(line => line.slice(0, 3)),
      ['-D ', '-A '],
    )
    assert.match(harness.kernel.rules('nat', 'KUBE-SERVICES')?.at(-1) ?? '', /^-d 10\.200\.1\.2\/32 .*-j KUBE-NODEPORTS$/)
    const after = harness.restarted()
    after.input = harness.input
    assert.equal((await after.pass()).lines, 0)
  })

  it('goes where the node has no address for node ports, and comes back', async () => {
    const harness = createHarness()
    const none = passInput({ settings: { nodePortAddresses: [cidr('192.168.0.0/16')] } })
    await harness.programmed(...web.map(put))
    for (const [input, jumps] of [
      [none, 0],
      [passInput(), 1],
    ] as const) {
      harness.input = input
      harness.sync.markDirty('everything')
      await harness.pass()
      assert.equal(harness.kernel.rules('nat', 'KUBE-SERVICES')?.filter(rule => rule.endsWith('KUBE-NODEPORTS')).length, jumps)
    }
    await assertSettled(harness)
  })
})

describe('a rule that would stand twice', () => {
  const shared = address('198.51.100.7')
  const both = service({
    type: 'LoadBalancer',
    externalIPs: [shared],
    loadBalancerAddresses: [shared],
    ports: [{ name: '', protocol: 'TCP', port: 80, nodePort: 30_080 }],
  })
  for (const backend of ['nft', 'legacy'] as const satisfies readonly Backend[]) {
    it(`is written once: one address as external and load balancer address, without endpoints (${backend})`, async () => {
      const harness = createHarness({ backend })
      await harness.programmed(put(both))
      const rules = harness.kernel.rules('filter', 'KUBE-EXTERNAL-SERVICES') ?? []
      assert.equal(rules.length, new Set(rules).size)
      await assertSettled(harness)
      await harness.programmed(gone(both))
      assert.deepEqual(harness.kernel.rules('filter', 'KUBE-EXTERNAL-SERVICES'), [])
      await harness.programmed(put(both))
      await assertSettled(harness)
    })
  }

  it('in the kernel is put right, and then is at rest', async () => {
    const harness = createHarness()
    await harness.programmed(...web.map(put))
    const [first = ''] = harness.kernel.rules('nat', 'KUBE-SERVICES') ?? []
    harness.kernel.edit('nat', `-I KUBE-SERVICES ${first}`)
    const after = harness.restarted()
    assert.ok((await after.pass()).lines > 0)
    assert.equal(harness.kernel.rules('nat', 'KUBE-SERVICES')?.filter(rule => rule === first).length, 1)
    await assertSettled(after)
  })
})

describe('a Service that is made anew under its name', () => {
  it('takes its old rules along: another cluster IP, other ports, other endpoints', async () => {
    const harness = createHarness()
    await harness.programmed(...web.map(put))
    const next = service({
      uid: 'other',
      clusterIPs: [address('10.96.9.9')],
      ports: [{ name: '', protocol: 'UDP', port: 53, nodePort: 0 }],
    })
    await harness.programmed(
      put(next),
      put(slice({ ports: [{ name: '', protocol: 'UDP', port: 5353 }], endpoints: [endpoint('10.244.2.2')] })),
    )
    assert.doesNotMatch(harness.kernel.save(), /10\.96\.0\.7|10\.244\.1\.|-p tcp/)
    assert.match(harness.kernel.save(), /-d 10\.96\.9\.9\/32 -p udp/)
    await assertSettled(harness)
  })
})
