// The order and the blocks in which rules are fed: a packet never finds a hole, and the tools never get what they are slow at.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { benchCluster } from '../../../bench/cluster.ts'
import { type Backend, type Table, targetOf, toolsOf } from '../../../src/kernel/iptables.ts'
import { iptablesMode } from '../../../src/modes/iptables/index.ts'
import type { ClusterView } from '../../../src/sync/decisions.ts'
import { createSyncEmitter } from '../../../src/sync/events.ts'
import { FamilySync } from '../../../src/sync/family-sync.ts'
import { endpoint, gone, put, service, slice } from '../../support/cluster.ts'
import { createFakeKernel, type FakeKernel } from '../../sync/support/fake-kernel.ts'
import { createHarness, linesOf, passInput } from '../../sync/support/harness.ts'

interface Block {
  readonly table: Table
  readonly lines: readonly string[]
}

function blocksOf(lines: readonly string[]): readonly Block[] {
  const blocks: { table: Table; lines: string[] }[] = []
  for (const line of lines) {
    if (line.startsWith('*')) blocks.push({ table: line.slice(1) as Table, lines: [] })
    else if (line !== 'COMMIT') blocks.at(-1)?.lines.push(line)
  }
  return blocks
}

const web = service({ type: 'NodePort', ports: [{ name: '', protocol: 'TCP', port: 80, nodePort: 30_080 }] })
const pods = (...texts: readonly string[]) => slice({ endpoints: texts.map(text => endpoint(text)) })
const isLeaf = (name: string): boolean => /^KUBE-(SVC|SVL|EXT|FW|SEP)-/.test(name)
const declared = (block: Block | undefined): readonly string[] =>
  (block?.lines ?? []).filter(line => line.startsWith(':')).map(line => line.slice(1).split(' ')[0] ?? '')
const deleted = (block: Block | undefined): readonly string[] =>
  (block?.lines ?? []).filter(line => line.startsWith('-X ')).map(line => line.slice(3))

describe('a Service that loses its last endpoint', () => {
  for (const backend of ['nft', 'legacy'] as const) {
    it(`is refused before its translation goes (${backend})`, async () => {
      const harness = createHarness({ backend })
      await harness.programmed(put(web), put(pods('10.244.1.1')))
      const blocks = blocksOf(await harness.programmed(put(pods())))
      assert.deepEqual(
        blocks.map(({ table }) => table),
        ['filter', 'nat'],
      )
      assert.ok(blocks[0]?.lines.every(line => line.startsWith('-A KUBE-') && line.includes('has no endpoints')))
    })

    it(`is translated again before the refusal goes, when an endpoint comes (${backend})`, async () => {
      const harness = createHarness({ backend })
      await harness.programmed(put(web), put(pods()))
      const blocks = blocksOf(await harness.programmed(put(pods('10.244.1.1'))))
      assert.deepEqual(
        blocks.map(({ table }) => table),
        ['nat', 'filter'],
      )
      assert.ok(blocks[1]?.lines.every(line => line.startsWith('-D KUBE-')))
    })
  }
})

describe('inside nat', () => {
  it('a chain is declared before any rule, and rules lead to it only after it has its own', async () => {
    const harness = createHarness()
    const lines = await harness.programmed(put(web), put(pods('10.244.1.1', '10.244.1.2')))
    const [nat] = blocksOf(lines).filter(({ table }) => table === 'nat')
    const content = nat?.lines ?? []
    const written = new Set<string>()
    for (const line of content.filter(one => isLeaf(one.split(' ')[1] ?? ''))) {
      const [, chain = '', rule = ''] = /^-A (\S+) (.*)$/.exec(line) ?? []
      const target = targetOf(rule) ?? ''
      if (isLeaf(target)) assert.ok(written.has(target), `${chain} jumps to ${target}, which has no rules yet`)
      written.add(chain)
    }
    const lastLeaf = content.findLastIndex(line => /^-A KUBE-(SVC|SVL|EXT|FW|SEP)-/.test(line))
    const firstDispatch = content.findIndex(line => /^-[IA] (KUBE-SERVICES|KUBE-NODEPORTS) /.test(line))
    const firstHook = content.findIndex(line => /^-I (PREROUTING|OUTPUT|POSTROUTING) /.test(line))
    assert.ok(lastLeaf > 0 && lastLeaf < firstDispatch, 'leaves before dispatch')
    assert.ok(firstDispatch < firstHook, 'dispatch before the hooks')
    const firstRule = content.findIndex(line => /^-[AI] KUBE-(SVC|SVL|EXT|FW|SEP)-/.test(line))
    const lastDeclaration = content.findLastIndex(line => /^:KUBE-(SVC|SVL|EXT|FW|SEP)-/.test(line))
    assert.ok(lastDeclaration < firstRule, 'all declarations before all rules')
  })

  it('chains are deleted at the very end, emptied before the first is deleted', async () => {
    for (const backend of ['nft', 'legacy'] as const) {
      const harness = createHarness({ backend })
      await harness.programmed(put(web), put(pods('10.244.1.1', '10.244.1.2')))
      const blocks = blocksOf(await harness.programmed(put(service()), put(pods('10.244.1.1')))).filter(
        ({ table }) => table === 'nat',
      )
      const last = blocks.at(-1)
      const firstDeletion = last?.lines.findIndex(line => line.startsWith('-X ')) ?? -1
      assert.ok(firstDeletion > 0)
      assert.ok(last?.lines.slice(firstDeletion).every(line => line.startsWith('-X ')))
      assert.deepEqual(
        deleted(last)
          .map(chain => chain.slice(0, 8))
          .toSorted(),
        ['KUBE-EXT', 'KUBE-SEP'],
      )
      for (const chain of deleted(last)) assert.ok(declared(last).includes(chain), `${chain} is emptied first`)
      assert.equal(blocks.length, 1, 'one block is one grace period of the kernel')
    }
  })

  it('a change of one Service is one block a table (nft)', async () => {
    const harness = createHarness()
    await harness.programmed(put(web), put(pods('10.244.1.1')))
    const added = blocksOf(await harness.programmed(put(pods('10.244.1.1', '10.244.1.2'))))
    assert.deepEqual(
      added.map(({ table }) => table),
      ['nat'],
    )
  })

  it('a stale chain that others came to jump to meanwhile stays, and the change is programmed all the same', async () => {
    for (const backend of ['nft', 'legacy'] as const) {
      const harness = createHarness({ backend })
      await harness.programmed(put(web), put(pods('10.244.1.1', '10.244.1.2')))
      const stale = [...harness.kernel.chains('nat')].find(chain =>
        harness.kernel.rules('nat', chain)?.some(rule => rule.includes('10.244.1.2:')),
      )
      harness.kernel.edit('nat', `-A OUTPUT -d 192.0.2.1/32 -j ${stale}`)
      await harness.programmed(put(pods('10.244.1.1')))
      assert.ok(harness.kernel.rules('nat', stale ?? ''), 'the chain stays')
      assert.deepEqual([...harness.sync.quarantined], [])
      assert.ok(!harness.kernel.restores.at(-1)?.includes(`-X ${stale}`))
    }
  })

  it('never declares a chain of others or a built-in one, whose policy that would reset', async () => {
    const harness = createHarness()
    const lines = [
      ...(await harness.programmed(put(web), put(pods('10.244.1.1')))),
      ...(await harness.programmed(put(service()))),
    ]
    const names = blocksOf(lines).flatMap(declared)
    assert.ok(names.length > 0)
    assert.ok(names.every(name => name.startsWith('KUBE-')))
  })

  it('fresh jumps stand in the order in which kube-proxy puts them', async () => {
    const harness = createHarness()
    await harness.programmed(put(web))
    const targets = (chain: string): readonly (string | undefined)[] =>
      (harness.kernel.rules('filter', chain) ?? []).map(targetOf)
    assert.deepEqual(targets('INPUT'), ['KUBE-FIREWALL', 'KUBE-PROXY-FIREWALL', 'KUBE-NODEPORTS', 'KUBE-EXTERNAL-SERVICES'])
    assert.deepEqual(targets('FORWARD'), ['KUBE-PROXY-FIREWALL', 'KUBE-FORWARD', 'KUBE-SERVICES', 'KUBE-EXTERNAL-SERVICES'])
    assert.deepEqual(targets('OUTPUT'), ['KUBE-FIREWALL', 'KUBE-PROXY-FIREWALL', 'KUBE-SERVICES'])
  })
})

describe('the blocks of nat', () => {
  const start = (options: { cluster: ClusterView; backend: Backend; kernel?: FakeKernel }) => {
    const kernel = options.kernel ?? createFakeKernel()
    const mode = iptablesMode('IPv4', toolsOf('IPv4', options.backend))
    const sync = new FamilySync({ mode, exec: kernel.exec, cluster: options.cluster, events: createSyncEmitter(), now: () => 0 })
    return { kernel, sync }
  }
  const natBlocks = (kernel: FakeKernel): readonly Block[] =>
    blocksOf(linesOf(kernel.restores.at(-1) ?? '')).filter(({ table }) => table === 'nat')
  const leafCount = (block: Block): number => declared(block).filter(isLeaf).length
  /** A Service is never spread over two blocks: what its KUBE-SVC chain jumps to is written with it. */
  const assertServicesWhole = (blocks: readonly Block[]): void => {
    for (const block of blocks) {
      const here = new Set(declared(block))
      for (const line of block.lines) {
        const target = /^-A KUBE-SVC-\S+ .*-j (KUBE-SEP-\S+)$/.exec(line)?.[1]
        if (target !== undefined) assert.ok(here.has(target))
      }
    }
  }

  it('hold about 100 leaf chains while nothing is hooked (nft), the fixed chains before and the way in last', async () => {
    const { kernel, sync } = start({ cluster: benchCluster({ services: 200, endpoints: 5 }), backend: 'nft' })
    await sync.pass(passInput())
    const blocks = natBlocks(kernel)
    const leafBlocks = blocks.slice(1, -1)
    assert.ok(leafBlocks.length >= (200 * 6) / 100)
    assert.ok(leafBlocks.every(block => leafCount(block) > 0 && leafCount(block) <= 100))
    assertServicesWhole(leafBlocks)
    assert.deepEqual(declared(blocks[0]).toSorted(), ['KUBE-MARK-MASQ', 'KUBE-NODEPORTS', 'KUBE-POSTROUTING', 'KUBE-SERVICES'])
    assert.ok(
      blocks.at(-1)?.lines.every(line => /^-[IA] (KUBE-SERVICES|KUBE-NODEPORTS|PREROUTING|OUTPUT|POSTROUTING) /.test(line)),
    )
    assert.ok(
      leafBlocks.every(block => block.lines.every(line => !/^-[IA] (KUBE-SERVICES|PREROUTING|OUTPUT|POSTROUTING) /.test(line))),
    )
  })

  it('are one altogether where little is to be written, so that it is programmed in one stroke', async () => {
    const { kernel, sync } = start({ cluster: benchCluster({ services: 30, endpoints: 5 }), backend: 'nft' })
    await sync.pass(passInput())
    assert.equal(natBlocks(kernel).length, 1)
  })

  it('hold about 2,000 leaf chains once many are hooked (nft)', async () => {
    const cluster = benchCluster({ services: 1000, endpoints: 5 })
    const { kernel, sync } = start({ cluster, backend: 'nft' })
    await sync.pass(passInput())
    sync.markDirty('everything')
    await sync.pass(passInput({ settings: { masqueradeAll: true } }))
    assert.equal(natBlocks(kernel).filter(block => leafCount(block) > 0).length, 1, '1,000 chains are one block')
    for (const key of cluster.keys) cluster.changeEndpoint(key)
    sync.markDirty('everything')
    const again = start({ cluster: shiftedPorts(cluster), backend: 'nft', kernel })
    await again.sync.pass(passInput())
    const sizes = natBlocks(kernel)
      .map(leafCount)
      .filter(size => size > 0)
    // All blocks but those of deletions; the stale endpoint chains are declared there once more to be emptied.
    const written = natBlocks(kernel)
      .filter(block => deleted(block).length === 0)
      .map(leafCount)
      .filter(size => size > 0)
    assert.ok(
      written.length >= 3 && written.every(size => size <= 2000) && written.slice(0, -1).every(size => size > 1900),
      `${sizes}`,
    )
    assertServicesWhole(natBlocks(kernel).filter(block => deleted(block).length === 0))
  })

  it('are always one for legacy, which moves the whole table for each', async () => {
    const cluster = benchCluster({ services: 300, endpoints: 5 })
    const { kernel, sync } = start({ cluster, backend: 'legacy' })
    await sync.pass(passInput())
    assert.equal(natBlocks(kernel).length, 1)
    await start({ cluster: shiftedPorts(cluster), backend: 'legacy', kernel }).sync.pass(passInput())
    const [only, ...others] = natBlocks(kernel)
    assert.ok(deleted(only).length > 0, 'deletions are in it too')
    assert.deepEqual(others, [])
  })

  it('do not create chains in the order of their names, which iptables-nft-save would be slow to sort', async () => {
    const { kernel, sync } = start({ cluster: benchCluster({ services: 100, endpoints: 5 }), backend: 'nft' })
    await sync.pass(passInput())
    const names = natBlocks(kernel).flatMap(declared).filter(isLeaf)
    const ascending = names.filter((name, index) => index > 0 && name > (names[index - 1] ?? '')).length
    assert.ok(ascending > names.length / 4 && ascending < (3 * names.length) / 4, `${ascending} of ${names.length} ascend`)
  })
})

/** The same cluster with all its endpoints on another port, so that every endpoint chain has another name. */
function shiftedPorts(cluster: ClusterView): ClusterView {
  return {
    service: key => cluster.service(key),
    services: () => cluster.services(),
    slices: key => cluster.slices(key).map(one => ({ ...one, ports: one.ports.map(port => ({ ...port, port: port.port + 1 })) })),
  }
}

describe('what a plan says of itself', () => {
  it('counts what it writes and removes', async () => {
    const harness = createHarness()
    harness.change(put(web), put(pods('10.244.1.1')))
    const first = await harness.pass()
    // Two chains of the endpoint and the Service, one for its node port; three fixed ones; six dispatch chains.
    assert.deepEqual([first.written, first.removed], [3 + 3 + 6, 0])
    harness.change(gone(web), gone(pods()))
    const second = await harness.pass()
    assert.deepEqual([second.written, second.removed], [2, 3])
  })
})

describe('new rules in a chain that all Services share', () => {
  it('stand in their own order: what comes to 127.0.0.1 is counted before the rule for every address', async () => {
    const harness = createHarness({ backend: 'nft' })
    await harness.programmed(put(pods('10.244.1.1')))
    await harness.programmed(put(web))
    const rules = harness.kernel.rules('nat', 'KUBE-NODEPORTS') ?? []
    assert.deepEqual(
      rules.map(rule => rule.startsWith('-d 127.0.0.0/8')),
      [true, false],
    )
  })
})
