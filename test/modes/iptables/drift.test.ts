// Whatever somebody does to our rules is found, named, and mended; the tool's own wording of what we wrote is learned and left alone.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { tableSection } from '../../../src/kernel/iptables.ts'
import type { Drift } from '../../../src/modes/mode.ts'
import { address, endpoint, gone, put, service, slice } from '../../support/cluster.ts'
import { comparable } from '../../support/iptables-compare.ts'
import type { FakeKernel } from '../../sync/support/fake-kernel.ts'
import { createHarness, type Harness } from '../../sync/support/harness.ts'

const web = service({ type: 'NodePort', ports: [{ name: '', protocol: 'TCP', port: 80, nodePort: 30_080 }] })
const empty = service({ name: 'empty', clusterIPs: [address('10.96.0.8')] })
const pods = slice({ endpoints: [endpoint('10.244.1.1'), endpoint('10.244.1.2')] })

async function programmed(backend: 'nft' | 'legacy' = 'nft'): Promise<Harness> {
  const harness = createHarness({ backend })
  await harness.programmed(put(web), put(pods), put(empty))
  return harness
}

const chainOf = (kernel: FakeKernel, prefix: string): string => kernel.chains('nat').find(name => name.startsWith(prefix)) ?? ''
const ruleOf = (kernel: FakeKernel, table: 'nat' | 'filter', chain: string, part: string): string =>
  kernel.rules(table, chain)?.find(rule => rule.includes(part)) ?? `no rule with ${part}`

interface Row {
  readonly title: string
  readonly vandalise: (kernel: FakeKernel) => void
  /** In the words of the log: the kind, and what the name of the thing begins with. */
  readonly expected: readonly (readonly [kind: Drift['kind'], what: string, service?: string | undefined])[]
  /** Whether the few chains that all hangs on show it. */
  readonly inBase: boolean
}

const rows: readonly Row[] = [
  {
    title: 'a jump into KUBE-SERVICES that is gone',
    vandalise: kernel => kernel.edit('nat', `-D PREROUTING ${ruleOf(kernel, 'nat', 'PREROUTING', 'KUBE-SERVICES')}`),
    expected: [['missing', 'nat chain PREROUTING: rule ']],
    inBase: true,
  },
  {
    title: 'a jump of the filter table that is gone',
    vandalise: kernel => kernel.edit('filter', `-D FORWARD ${ruleOf(kernel, 'filter', 'FORWARD', 'KUBE-FORWARD')}`),
    expected: [['missing', 'filter chain FORWARD: rule ']],
    inBase: true,
  },
  {
    title: 'the localhost guard that is gone',
    vandalise: kernel =>
      kernel.edit('filter', `-D KUBE-FIREWALL ${ruleOf(kernel, 'filter', 'KUBE-FIREWALL', 'block incoming localnet')}`),
    expected: [['missing', 'filter chain KUBE-FIREWALL: rule ']],
    inBase: true,
  },
  {
    title: "a Service's way in that is gone",
    vandalise: kernel =>
      kernel.edit('nat', `-D KUBE-SERVICES ${ruleOf(kernel, 'nat', 'KUBE-SERVICES', 'default/web cluster IP')}`),
    expected: [['missing', 'nat chain KUBE-SERVICES: rule -d 10.96.0.7/32 ', 'default/web']],
    inBase: true,
  },
  {
    title: 'a refusal that is gone',
    vandalise: kernel =>
      kernel.edit('filter', `-D KUBE-SERVICES ${ruleOf(kernel, 'filter', 'KUBE-SERVICES', 'has no endpoints')}`),
    expected: [['missing', 'filter chain KUBE-SERVICES: all its rules']],
    inBase: true,
  },
  {
    title: 'a rule of others in a chain of ours',
    vandalise: kernel => kernel.edit('nat', '-I KUBE-SERVICES -d 192.0.2.9/32 -j RETURN'),
    expected: [['unexpected', 'nat chain KUBE-SERVICES: rule -d 192.0.2.9/32 -j RETURN']],
    inBase: true,
  },
  {
    title: 'a rule that stands twice',
    vandalise: kernel =>
      kernel.edit('nat', `-I KUBE-SERVICES ${ruleOf(kernel, 'nat', 'KUBE-SERVICES', 'default/web cluster IP')}`),
    expected: [['changed', 'nat chain KUBE-SERVICES: ']],
    inBase: true,
  },
  {
    title: 'the jump to the node ports that is no longer last',
    vandalise: kernel => {
      const rule = ruleOf(kernel, 'nat', 'KUBE-SERVICES', 'default/web cluster IP')
      kernel.edit('nat', `-D KUBE-SERVICES ${rule}`, `-A KUBE-SERVICES ${rule}`)
    },
    expected: [['changed', 'nat chain KUBE-SERVICES: ']],
    inBase: true,
  },
  {
    title: 'KUBE-SERVICES that was flushed',
    vandalise: kernel => kernel.edit('nat', ':KUBE-SERVICES - [0:0]'),
    expected: [['missing', 'nat chain KUBE-SERVICES: all its rules']],
    inBase: true,
  },
  {
    title: 'KUBE-MARK-MASQ that was flushed',
    vandalise: kernel => kernel.edit('nat', ':KUBE-MARK-MASQ - [0:0]'),
    expected: [['missing', 'nat chain KUBE-MARK-MASQ: all its rules']],
    inBase: true,
  },
  {
    title: 'KUBE-POSTROUTING that was changed',
    vandalise: kernel => kernel.edit('nat', '-I KUBE-POSTROUTING -j RETURN'),
    expected: [['changed', 'nat chain KUBE-POSTROUTING']],
    inBase: true,
  },
  {
    title: "a Service's chain that was flushed",
    vandalise: kernel => kernel.edit('nat', `:${chainOf(kernel, 'KUBE-SVC-')} - [0:0]`),
    expected: [['missing', 'nat chain KUBE-SVC-', 'default/web']],
    inBase: false,
  },
  {
    title: "an endpoint's chain that was changed",
    vandalise: kernel => kernel.edit('nat', `-I ${chainOf(kernel, 'KUBE-SEP-')} -j RETURN`),
    expected: [['changed', 'nat chain KUBE-SEP-', 'default/web']],
    inBase: false,
  },
  {
    title: 'rules of an endpoint in another order',
    vandalise: kernel => {
      const chain = chainOf(kernel, 'KUBE-SEP-')
      const [first = ''] = kernel.rules('nat', chain) ?? []
      kernel.edit('nat', `-D ${chain} ${first}`, `-A ${chain} ${first}`)
    },
    expected: [['changed', 'nat chain KUBE-SEP-', 'default/web']],
    inBase: false,
  },
  {
    title: 'a chain that no Service has',
    vandalise: kernel => kernel.edit('nat', ':KUBE-SVC-AAAAAAAAAAAAAAAA - [0:0]'),
    expected: [['unexpected', 'nat chain KUBE-SVC-AAAAAAAAAAAAAAAA']],
    inBase: false,
  },
]

describe('what somebody did to the kernel', () => {
  for (const { title, vandalise, expected, inBase } of rows) {
    it(`is found and named, mended, and then is at rest: ${title}`, async () => {
      for (const backend of ['nft', 'legacy'] as const) {
        for (const extent of inBase ? (['everything', 'base'] as const) : (['everything'] as const)) {
          const harness = await programmed(backend)
          const wanted = contents(harness)
          const before = harness.kernel.save()
          vandalise(harness.kernel)
          assert.notEqual(harness.kernel.save(), before)
          const drifts = await harness.sync.checkDrift(extent)
          assert.equal(drifts.length, expected.length, JSON.stringify(drifts))
          for (const [index, [kind, what, owner]] of expected.entries()) {
            assert.equal(drifts[index]?.kind, kind)
            assert.ok(drifts[index]?.what.startsWith(what), drifts[index]?.what)
            if (owner !== undefined) assert.equal(drifts[index]?.service, owner)
          }
          assert.ok(harness.sync.isDirty)
          await harness.pass()
          assert.deepEqual(contents(harness), wanted)
          assert.deepEqual(await harness.sync.learnAliases(), [], 'nothing of it was our own wording')
          assert.deepEqual(await harness.sync.checkDrift('everything'), [])
          assert.deepEqual(await harness.sync.checkDrift('base'), [])
        }
      }
    })
  }

  it('is found in the base chains although one of them is gone altogether, so that its listing fails', async () => {
    const harness = await programmed()
    const { kernel } = harness
    kernel.edit(
      'nat',
      ':KUBE-SERVICES - [0:0]',
      ...['PREROUTING', 'OUTPUT'].map(chain => `-D ${chain} ${ruleOf(kernel, 'nat', chain, 'KUBE-SERVICES')}`),
      '-X KUBE-SERVICES',
    )
    const drifts = await harness.sync.checkDrift('base')
    assert.deepEqual(drifts.map(({ kind, what }) => [kind, what.split(': rule')[0]]).toSorted(), [
      ['missing', 'nat chain KUBE-SERVICES'],
      ['missing', 'nat chain OUTPUT'],
      ['missing', 'nat chain PREROUTING'],
    ])
  })

  it('is everything, when all tables were flushed', async () => {
    const harness = await programmed()
    const wanted = contents(harness)
    for (const table of ['nat', 'filter'] as const) {
      const chains = harness.kernel.chains(table).filter(chain => chain.startsWith('KUBE-'))
      const builtins = harness.kernel.chains(table).filter(chain => !chain.startsWith('KUBE-'))
      harness.kernel.edit(
        table,
        ...builtins.flatMap(chain => (harness.kernel.rules(table, chain) ?? []).map(rule => `-D ${chain} ${rule}`)),
        ...chains.map(chain => `:${chain} - [0:0]`),
        ...chains.map(chain => `-X ${chain}`),
      )
    }
    const drifts = await harness.sync.checkDrift('base')
    assert.ok(drifts.length > 20 && drifts.every(({ kind }) => kind === 'missing'))
    await harness.pass()
    assert.deepEqual(contents(harness), wanted)
  })

  it('is not: rules of others, and nothing at all', async () => {
    const harness = await programmed()
    harness.kernel.edit('nat', ':DOCKER - [0:0]', '-I PREROUTING -j DOCKER')
    harness.kernel.edit('filter', '-I INPUT -j ACCEPT', '-A KUBE-FIREWALL -s 192.0.2.1/32 -j DROP')
    assert.deepEqual(await harness.sync.checkDrift('base'), [])
    assert.deepEqual(await harness.sync.checkDrift('everything'), [])
    assert.equal(harness.sync.isDirty, false)
  })

  it('is not: a stale chain that stays because others use it', async () => {
    const harness = createHarness()
    harness.kernel.edit('nat', ':KUBE-SVC-AAAAAAAAAAAAAAAA - [0:0]', ':DOCKER - [0:0]', '-A DOCKER -j KUBE-SVC-AAAAAAAAAAAAAAAA')
    await harness.programmed(put(web), put(pods))
    assert.deepEqual(await harness.sync.checkDrift('everything'), [])
  })
})

/** Built-in chains as sets: where a jump stands there is not ours to say. */
function contents({ kernel }: Harness) {
  assert.match(kernel.rules('nat', 'KUBE-SERVICES')?.at(-1) ?? '', /-j KUBE-NODEPORTS$/)
  return (['nat', 'filter'] as const).map(table => {
    const chains = Object.entries(comparable(tableSection(kernel.save(), table)))
    return chains.map(([name, rules]) => [name, name.startsWith('KUBE-') ? rules : rules.toSorted()] as const)
  })
}

describe("the tool's own wording", () => {
  /** As another version of iptables might print what it was given. */
  const otherWords = (rule: string): string =>
    rule.replace('--random-fully', '--random-fully --persistent').replace('-m conntrack --ctstate NEW', '-m state --state NEW')

  const inOtherWords = async (): Promise<Harness> => {
    const harness = await programmed()
    harness.kernel.prints = otherWords
    return harness
  }

  it('is drift at first, learned after one repair, and no drift ever after', async () => {
    const harness = await inOtherWords()
    const drifts = await harness.sync.checkDrift('everything')
    assert.ok(drifts.some(({ what }) => what.startsWith('nat chain KUBE-POSTROUTING')))
    assert.ok(drifts.some(({ what }) => what.startsWith('filter chain FORWARD: rule')))
    await harness.pass()
    const learned = await harness.sync.learnAliases()
    // One chain whose text is one whole, and the seven jumps that are for new connections only.
    assert.equal(learned.length, 1 + 7, learned.join('\n'))
    assert.deepEqual(await harness.sync.checkDrift('everything'), [])
    assert.deepEqual(await harness.sync.checkDrift('base'), [])
  })

  it('is paired with our rule by comment and target, not with whatever else is unknown', async () => {
    const harness = await inOtherWords()
    harness.kernel.edit(
      'filter',
      '-A FORWARD -s 192.0.2.0/24 -m comment --comment "somebody else" -j KUBE-FORWARD',
      '-I FORWARD -j DROP',
    )
    await harness.sync.checkDrift('everything')
    await harness.pass()
    const learned = await harness.sync.learnAliases()
    assert.ok(
      learned.every(key => !key.includes('192.0.2.0') && !key.endsWith('-j DROP')),
      learned.join('\n'),
    )
    assert.deepEqual(await harness.sync.checkDrift('everything'), [])
    const [jump = ''] = (harness.kernel.rules('filter', 'FORWARD') ?? []).filter(rule => rule.endsWith('-j KUBE-SERVICES'))
    const all = (harness.kernel.rules('filter', 'FORWARD') ?? []).filter(rule => rule === jump)
    harness.kernel.edit('filter', ...all.map(rule => `-D FORWARD ${rule}`))
    assert.deepEqual(
      (await harness.sync.checkDrift('everything')).map(({ kind, what }) => [kind, what.includes('KUBE-SERVICES')]),
      [['missing', true]],
    )
  })

  it('does not hide what somebody changes later', async () => {
    const harness = await inOtherWords()
    await harness.sync.checkDrift('everything')
    await harness.pass()
    await harness.sync.learnAliases()
    harness.kernel.edit('nat', ':KUBE-POSTROUTING - [0:0]')
    const [only, ...others] = await harness.sync.checkDrift('everything')
    assert.ok(only?.what.startsWith('nat chain KUBE-POSTROUTING'))
    assert.deepEqual(others, [])
  })

  it('is never a chain with other rules than we wrote, though a rival be quicker than our second look', async () => {
    for (const vandalise of [flush, removeOne]) {
      const harness = await programmed()
      vandalise(harness.kernel)
      await harness.sync.checkDrift('everything')
      await harness.pass()
      vandalise(harness.kernel)
      assert.deepEqual(await harness.sync.learnAliases(), [])
      assert.equal((await harness.sync.checkDrift('everything')).length, 1)
    }
  })

  it('is learned for chains of Services, too, and goes on being mended when they change', async () => {
    const harness = await programmed()
    harness.kernel.prints = rule => rule.replace(/ -m tcp -j DNAT/, ' -j DNAT')
    assert.equal((await harness.sync.checkDrift('everything')).length, 2)
    await harness.pass()
    assert.equal((await harness.sync.learnAliases()).length, 2)
    assert.deepEqual(await harness.sync.checkDrift('everything'), [])
    await harness.programmed(put(slice({ endpoints: [endpoint('10.244.1.1')] })))
    assert.deepEqual(await harness.sync.checkDrift('everything'), [])
    await harness.programmed(gone(web), gone(pods))
    assert.doesNotMatch(harness.kernel.save(), /default\/web/)
  })
})

function flush(kernel: FakeKernel): void {
  kernel.edit('nat', `:${chainOf(kernel, 'KUBE-SVC-')} - [0:0]`)
}

function removeOne(kernel: FakeKernel): void {
  const chain = chainOf(kernel, 'KUBE-SVC-')
  kernel.edit('nat', `-D ${chain} ${ruleOf(kernel, 'nat', chain, '--probability')}`)
}
