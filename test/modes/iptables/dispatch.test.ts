// Dispatch that becomes a tree of chains and a list again, in a kernel in memory: in one block, with nothing left behind, whatever else happens.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Backend } from '../../../src/kernel/iptables.ts'
import { targetOf, toolsOf } from '../../../src/kernel/iptables.ts'
import type { DispatchSetting } from '../../../src/model/node.ts'
import { iptablesRoles } from '../../../src/modes/iptables/base-chains.ts'
import { iptablesMode } from '../../../src/modes/iptables/index.ts'
import { ipvsRoles } from '../../../src/modes/ipvs/base-chains.ts'
import { isTreeChain, modeOfChain } from '../../../src/modes/rules/chains.ts'
import type { ObjectChange } from '../../../src/source/source.ts'
import { address, endpoint, gone, put, service, slice } from '../../support/cluster.ts'
import { createHarness, eventsOf, type Harness, linesOf, passInput } from '../../sync/support/harness.ts'

const nameOf = (number: number): string => `service-${number}`
/** One Service with an address of its own, far from those of its neighbours, a node port and an endpoint. */
const objectsOf = (number: number) => [
  service({
    name: nameOf(number),
    type: 'NodePort',
    clusterIPs: [address(`10.${96 + (number % 16)}.${(number * 7) % 256}.${(number * 13) % 256}`)],
    ports: [{ name: '', protocol: 'TCP', port: 80, nodePort: 30_000 + number }],
  }),
  slice({
    name: `${nameOf(number)}-abc`,
    service: nameOf(number),
    endpoints: [endpoint(`10.244.${number >> 8}.${number & 255}`)],
  }),
]
const range = (from: number, to: number): readonly number[] => Array.from({ length: to - from }, (_, index) => from + index)
const puts = (from: number, to: number): readonly ObjectChange[] => range(from, to).flatMap(objectsOf).map(put)
const gones = (from: number, to: number): readonly ObjectChange[] => range(from, to).flatMap(objectsOf).map(gone)

const treeChainsOf = ({ kernel }: Harness): readonly string[] => kernel.chains('nat').filter(chain => isTreeChain('nat', chain))

/** Every Service is led to exactly once by its address and twice by its node port, and every chain of a tree by one rule. */
function checkLeads(harness: Harness, numbers: readonly number[]): void {
  const found: string[] = []
  const entered: string[] = []
  const walk = (chain: string): void => {
    entered.push(chain)
    for (const rule of harness.kernel.rules('nat', chain) ?? []) {
      const target = targetOf(rule) ?? ''
      if (isTreeChain('nat', target)) walk(target)
      else if (target !== 'KUBE-NODEPORTS') found.push(/--comment "default\/(\S+?)[ "]/.exec(rule)?.[1] ?? rule)
    }
  }
  walk('KUBE-SERVICES')
  walk('KUBE-NODEPORTS')
  assert.deepEqual(found.toSorted(), numbers.flatMap(number => Array(3).fill(nameOf(number))).toSorted())
  assert.deepEqual(entered.filter(chain => isTreeChain('nat', chain)).toSorted(), treeChainsOf(harness).toSorted())
  assert.match(harness.kernel.rules('nat', 'KUBE-SERVICES')?.at(-1) ?? '', /-j KUBE-NODEPORTS$/)
}

/** A new process finds what it would make. */
async function settled(harness: Harness): Promise<void> {
  const again = harness.restarted()
  again.input = harness.input
  again.sync.markDirty('everything')
  assert.equal((await again.pass()).lines, 0, 'a restart writes nothing')
  assert.deepEqual(await harness.sync.checkDrift('everything'), [])
  assert.deepEqual(await harness.sync.checkDrift('base'), [])
}

const natBlocks = (lines: readonly string[]): number => lines.filter(line => line === '*nat').length

async function switchTo(harness: Harness, dispatch: DispatchSetting, sweep = true): Promise<readonly string[]> {
  const before = harness.kernel.restores.length
  harness.input = passInput({ settings: { dispatch }, sweep })
  harness.sync.markDirty('everything')
  await harness.pass()
  return harness.kernel.restores.slice(before).flatMap(linesOf)
}

describe('dispatch', () => {
  for (const backend of ['nft', 'legacy'] as const satisfies readonly Backend[]) {
    it(`becomes a tree with the 501st address and a list again with the 500th, in one block each (${backend})`, async () => {
      const harness = createHarness({ backend })
      await harness.programmed(...puts(0, 500))
      assert.deepEqual(
        treeChainsOf(harness).filter(chain => !chain.startsWith('KUBE-SVC-NP-')),
        [],
      )
      const grown = await harness.programmed(...puts(500, 501))
      assert.equal(natBlocks(grown), 1)
      assert.ok(treeChainsOf(harness).includes('KUBE-SVC-10.96.0.0-12'))
      assert.equal(harness.kernel.rules('nat', 'KUBE-SERVICES')?.length, 2)
      checkLeads(harness, range(0, 501))
      await settled(harness)
      const shrunk = await harness.programmed(...gones(500, 501))
      assert.equal(natBlocks(shrunk), 1)
      assert.equal(harness.kernel.rules('nat', 'KUBE-SERVICES')?.length, 501)
      checkLeads(harness, range(0, 500))
      await settled(harness)
    })
  }

  it('follows the setting, in one block, and writes no chain of a Service for it', async () => {
    const harness = createHarness()
    await harness.programmed(...puts(0, 120))
    for (const dispatch of ['bucketed', 'linear', 'bucketed', 'auto'] as const) {
      const lines = await switchTo(harness, dispatch)
      const writes = lines.filter(line => line.startsWith('-A KUBE-SEP-') || /^:KUBE-SVC-[A-Z2-7]{16} /.test(line))
      assert.deepEqual(writes, [])
      assert.ok(natBlocks(lines) <= 2)
      assert.equal(treeChainsOf(harness).length > 0, dispatch === 'bucketed')
      checkLeads(harness, range(0, 120))
      await settled(harness)
    }
  })

  it('writes only the chain that a Service belongs to, and nothing for an endpoint', async () => {
    const harness = createHarness()
    await harness.programmed(...puts(0, 600))
    const [, pods] = objectsOf(7)
    assert.ok(pods?.kind === 'EndpointSlice')
    const changed = await harness.programmed(put({ ...pods, endpoints: [endpoint('10.244.9.9')] }))
    assert.ok(changed.every(line => !/^-[ID] /.test(line)))
    const removed = await harness.programmed(...gones(7, 8))
    const touched = removed.filter(line => /^-[DI] /.test(line)).map(line => line.split(' ')[1] ?? '')
    assert.equal(touched.length, 3)
    assert.ok(touched.every(chain => isTreeChain('nat', chain)))
    checkLeads(
      harness,
      range(0, 600).filter(number => number !== 7),
    )
    await settled(harness)
  })

  it('is mended where somebody flushed, deleted or added to a chain of the tree', async () => {
    const harness = createHarness()
    await harness.programmed(...puts(0, 600))
    const leaf = 'KUBE-SVC-10.99.0.0-16'
    const rule = harness.kernel.rules('nat', leaf)?.[0] ?? ''
    const damages = [
      { lines: [`:${leaf} - [0:0]`], what: `nat chain ${leaf}: all its rules`, kind: 'missing' },
      { lines: [`-D ${leaf} ${rule}`], what: `nat chain ${leaf}: rule ${rule}`, kind: 'missing' },
      { lines: [`-A ${leaf} -j RETURN`], what: `nat chain ${leaf}: rule -j RETURN`, kind: 'unexpected' },
      { lines: [':KUBE-SVC-192.0.0.0-4 - [0:0]'], what: 'nat chain KUBE-SVC-192.0.0.0-4', kind: 'unexpected' },
    ]
    for (const { lines, what, kind } of damages) {
      harness.kernel.edit('nat', ...lines)
      const drifts = await harness.sync.checkDrift('everything')
      assert.deepEqual(
        drifts.map(drift => ({ what: drift.what, kind: drift.kind })),
        [{ what, kind }],
      )
      await harness.pass()
      checkLeads(harness, range(0, 600))
      await settled(harness)
    }
    // What leads to the tree is among the chains that are looked at most often.
    harness.kernel.edit('nat', ':KUBE-SERVICES - [0:0]')
    assert.ok((await harness.sync.checkDrift('base')).length > 0)
    await harness.pass()
    await settled(harness)
  })

  it('keeps a Service that the kernel refuses as it has it, in the tree too, and through every change of its shape', async () => {
    const harness = createHarness()
    await harness.programmed(...puts(0, 510))
    const [changed, pods] = objectsOf(42)
    assert.ok(changed?.kind === 'Service' && pods !== undefined)
    harness.kernel.refuses = line => (line.includes('10.244.66.66') ? 'line' : undefined)
    const moved = { ...changed, clusterIPs: [address('10.111.222.222')] }
    await harness.programmed(put(moved), put({ ...pods, endpoints: [endpoint('10.244.66.66')] } as typeof pods))
    assert.deepEqual([...harness.sync.quarantined.keys()], ['default/service-42'])
    checkLeads(harness, range(0, 510))
    assert.match(harness.kernel.save(), /-d 10\.106\.38\.34\/32 .*default\/service-42/)
    await harness.programmed(...gones(490, 510))
    checkLeads(harness, range(0, 490))
    await harness.programmed(...puts(490, 510))
    checkLeads(harness, range(0, 510))
    // A new process knows it by name only.
    const again = harness.restarted()
    again.sync.markDirty('everything')
    await again.pass()
    assert.deepEqual([...again.sync.quarantined.keys()], ['default/service-42'])
    checkLeads(again, range(0, 510))
    await switchTo(again, 'linear')
    checkLeads(again, range(0, 510))
    harness.kernel.refuses = () => undefined
    again.sync.retryQuarantined()
    await again.pass()
    assert.match(harness.kernel.save(), /-d 10\.111\.222\.222\/32 .*default\/service-42/)
    await settled(again)
  })

  it('leaves what may belong to something unread, moves what is known, and sweeps later', async () => {
    const harness = createHarness()
    await harness.programmed(...puts(0, 520))
    const before = treeChainsOf(harness)
    // A new process that cannot read the last 40 Services takes the others for a list.
    const again = createHarness({ kernel: harness.kernel })
    again.input = passInput({ sweep: false })
    await again.programmed(...puts(0, 480))
    assert.deepEqual(treeChainsOf(again), before)
    const save = again.kernel.save()
    for (const number of range(0, 520)) assert.ok(save.includes(`"default/${nameOf(number)} cluster IP" -m tcp`))
    // Rules that lead to chains that go are not in the way.
    await again.programmed(...gones(0, 10))
    assert.deepEqual(eventsOf(again.recorded, 'restoreFailed'), [])
    again.input = passInput()
    await again.programmed(...puts(480, 520))
    checkLeads(again, range(10, 520))
    await settled(again)
  })

  it('keeps a chain of the tree that a rule of others leads to, empty, and names it', async () => {
    const harness = createHarness()
    await harness.programmed(...puts(0, 510))
    const leaf = 'KUBE-SVC-10.99.0.0-16'
    harness.kernel.edit('nat', ':OTHERS - [0:0]', `-A OTHERS -j ${leaf}`)
    await harness.sync.checkDrift('everything')
    const again = harness.restarted()
    again.sync.markDirty('everything')
    await again.pass()
    await again.programmed(...gones(450, 510))
    assert.deepEqual(
      treeChainsOf(again).filter(chain => !chain.startsWith('KUBE-SVC-NP-')),
      [leaf],
    )
    assert.deepEqual(again.kernel.rules('nat', leaf), [])
    assert.ok(eventsOf(again.recorded, 'kept').some(({ what }) => what.includes(leaf)))
    harness.kernel.edit('nat', '-D OTHERS -j '.concat(leaf))
    const last = again.restarted()
    last.sync.markDirty('everything')
    await last.pass()
    assert.ok(!treeChainsOf(last).includes(leaf))
  })

  it('means the connections of its range, where a chain of the tree or the way to it is missing', () => {
    const { meaning } = iptablesMode('IPv4', toolsOf('IPv4', 'nft'))
    const rows = [
      ['nat chain KUBE-SVC-10.99.0.0-16', 'missing', /addresses in 10\.99\.0\.0\/16 stay untranslated/],
      ['nat chain KUBE-SVC-10.99.0.0-16: all its rules', 'missing', /addresses in 10\.99\.0\.0\/16 stay untranslated/],
      ['nat chain KUBE-SVC-NP-TCP-29952-30207', 'missing', /node ports 29952 to 30207\/TCP stay untranslated/],
      [
        'nat chain KUBE-SERVICES: rule -d fd00::/108 -m comment --comment "x" -j KUBE-SVC-NET6-ABCDEFGHIJ-108',
        'missing',
        /in fd00::\/108 stay/,
      ],
      [
        'nat chain KUBE-NODEPORTS: rule -p udp -m comment --comment "x" -j KUBE-SVC-NP-UDP-0-65535',
        'missing',
        /ports 0 to 65535\/UDP stay/,
      ],
      ['nat chain KUBE-SVC-10.99.0.0-16', 'unexpected', /no Service wants/],
    ] as const
    for (const [what, kind, means] of rows) assert.match(meaning({ what, kind, service: undefined }, new Map()), means)
  })

  it('has chains that every mode knows to be ours', () => {
    assert.equal(iptablesRoles('nat', 'KUBE-SVC-10.96.0.0-12'), 'dispatch')
    assert.equal(ipvsRoles('nat', 'KUBE-SVC-10.96.0.0-12'), 'leaf', 'one that it sweeps')
    assert.equal(modeOfChain('nat', 'KUBE-SVC-10.96.0.0-12'), 'iptables')
    assert.equal(iptablesRoles('nat', 'KUBE-SVC-10.96.0.0-12-not'), 'foreign')
  })
})
