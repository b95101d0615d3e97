// The kernel refuses somebody's rules: they are found whether the tool names their line or only the COMMIT, they keep what they had,
// and all others are programmed.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Backend } from '../../src/kernel/iptables.ts'
import type { ServiceKey } from '../../src/model/objects.ts'
import { address, endpoint, gone, keyOf, put, service, slice } from '../support/cluster.ts'
import type { Refusal } from './support/fake-kernel.ts'
import { createHarness, eventsOf, type Harness } from './support/harness.ts'

const cluster = (count: number) => Array.from({ length: count }, (_, index) => named(`service-${index}`, index)).flat()
const named = (name: string, index: number) => [
  put(service({ name, clusterIPs: [address(`10.96.1.${index}`)] })),
  put(podsOf(name, `10.244.1.${index}`)),
]
const podsOf = (name: string, ...texts: readonly string[]) =>
  slice({ name: `${name}-abc`, service: name, endpoints: texts.map(text => endpoint(text)) })
const key = (index: number): ServiceKey => keyOf(service({ name: `service-${index}` }))

/** The kernel refuses every rule that has one of these comments. */
function refuse(harness: Harness, how: Refusal, ...indexes: readonly number[]): void {
  const bad = indexes.map(index => `"default/service-${index} `)
  harness.kernel.refuses = line =>
    line.startsWith('-') && !line.startsWith('-D') && bad.some(comment => line.includes(comment)) ? how : undefined
}

const programmedServices = (harness: Harness): number =>
  harness.kernel.rules('nat', 'KUBE-SERVICES')?.filter(rule => rule.includes('cluster IP')).length ?? 0

interface Way {
  readonly how: Refusal
  readonly backend: Backend
}
const ways: readonly Way[] = [
  { how: 'line', backend: 'nft' },
  { how: 'syntax', backend: 'nft' },
  { how: 'commit', backend: 'nft' },
  { how: 'syntax', backend: 'legacy' },
  { how: 'commit', backend: 'legacy' },
]

for (const { how, backend } of ways) {
  describe(`a Service whose rules are refused, ${how === 'commit' ? 'where only the COMMIT is named' : `by ${how}`} (${backend})`, () => {
    it('is found at the first pass; the others are programmed, and it has nothing', async () => {
      const harness = createHarness({ backend })
      refuse(harness, how, 17)
      harness.change(...cluster(40))
      const report = await harness.pass()
      assert.deepEqual([...harness.sync.quarantined.keys()], [key(17)])
      assert.equal(report.quarantined, 1)
      assert.equal(programmedServices(harness), 39)
      assert.doesNotMatch(harness.kernel.save(), /service-17[" ]/)
      const [event, ...more] = eventsOf(harness.recorded, 'quarantined')
      assert.equal(event?.service, key(17))
      assert.ok((event?.reason.length ?? 0) > 20, event?.reason)
      if (how !== 'commit') assert.match(event?.reason ?? '', /at `-.*service-17 /, 'the reason shows the line')
      assert.deepEqual(more, [])
      // One that fails, one that fails again over the kernel as it is, then halves: a logarithm, not one for each.
      assert.ok(harness.kernel.restores.length <= (how === 'commit' ? 20 : 4), `${harness.kernel.restores.length} restores`)
    })

    it('keeps the rules that it had when it changes for the worse, and all that changed with it is programmed', async () => {
      const harness = createHarness({ backend })
      await harness.programmed(...cluster(20))
      const before = rulesOf(harness, 5)
      refuse(harness, how, 5)
      await harness.programmed(
        put(podsOf('service-5', '10.244.2.5')),
        put(podsOf('service-6', '10.244.2.6')),
        ...named('new', 99),
      )
      assert.deepEqual([...harness.sync.quarantined.keys()], [key(5)])
      assert.deepEqual(rulesOf(harness, 5), before)
      const save = harness.kernel.save()
      assert.match(save, /10\.244\.2\.6/)
      assert.match(save, /default\/new /)
      assert.doesNotMatch(save, /10\.244\.2\.5/)
    })

    it('is found among several', async () => {
      const harness = createHarness({ backend })
      refuse(harness, how, 3, 4, 31)
      await harness.programmed(...cluster(40))
      assert.deepEqual([...harness.sync.quarantined.keys()].toSorted(), [3, 4, 31].map(key).toSorted())
      assert.equal(programmedServices(harness), 37)
    })

    it('is found again by a new process, and keeps its rules there, too', async () => {
      const harness = createHarness({ backend })
      await harness.programmed(...cluster(10))
      const before = rulesOf(harness, 5)
      refuse(harness, how, 5)
      harness.store.apply([put(podsOf('service-5', '10.244.2.5')), put(podsOf('service-6', '10.244.2.6'))])
      const after = harness.restarted()
      await after.pass()
      assert.deepEqual([...after.sync.quarantined.keys()], [key(5)])
      assert.deepEqual(rulesOf(after, 5), before)
      assert.match(harness.kernel.save(), /10\.244\.2\.6/)
      assert.deepEqual(await after.sync.checkDrift('everything'), [], 'what it is held at is no drift')
    })

    it('is not quarantined where the fixed rules are refused: the pass fails, and works later', async () => {
      const harness = createHarness({ backend })
      harness.kernel.refuses = line => (line.startsWith('-A KUBE-POSTROUTING') ? how : undefined)
      harness.change(...cluster(10))
      await assert.rejects(harness.pass(), { name: 'ApplyError' })
      assert.equal(harness.sync.quarantined.size, 0)
      assert.deepEqual(eventsOf(harness.recorded, 'quarantined'), [])
      harness.kernel.refuses = () => undefined
      await harness.pass()
      assert.equal(programmedServices(harness), 10)
    })

    it('is not quarantined where so many are refused that the machine must be the reason: the pass fails, what stood stays', async () => {
      const harness = createHarness({ backend })
      await harness.programmed(...cluster(20))
      const before = harness.kernel.save()
      refuse(harness, how, ...Array.from({ length: 18 }, (_, index) => index))
      harness.change(...Array.from({ length: 18 }, (_, index) => put(podsOf(`service-${index}`, `10.244.2.${index}`))))
      await assert.rejects(harness.pass(), { name: 'ApplyError' })
      assert.equal(harness.sync.quarantined.size, 0)
      assert.deepEqual(eventsOf(harness.recorded, 'quarantined'), [])
      assert.equal(harness.kernel.save(), before)
    })
  })
}

function rulesOf({ kernel }: Harness, index: number): readonly string[] {
  return kernel
    .save()
    .split('\n')
    .filter(line => line.includes(`"default/service-${index} `) || line.includes(`"default/service-${index}"`))
    .toSorted()
}

describe('up to sixteen', () => {
  for (const how of ['line', 'commit'] as const) {
    it(`are quarantined, one more fails the pass (${how})`, async () => {
      const indexes = (count: number) => Array.from({ length: count }, (_, index) => 2 * index)
      const few = createHarness()
      refuse(few, how, ...indexes(16))
      await few.programmed(...cluster(34))
      assert.equal(few.sync.quarantined.size, 16)
      assert.equal(programmedServices(few), 18)
      const many = createHarness()
      refuse(many, how, ...indexes(17))
      many.change(...cluster(34))
      await assert.rejects(many.pass(), { name: 'ApplyError' })
      assert.equal(many.sync.quarantined.size, 0)
    })
  }
})

describe('a machine that fails while the culprit is looked for', () => {
  for (const failure of ['busy', 'timed out', 'not permitted'] as const) {
    for (const [title, isHit] of [
      ['once', (restore: number, from: number) => restore === from],
      ['from then on', (restore: number, from: number) => restore >= from],
    ] as const) {
      it(`makes nobody a culprit: ${failure}, ${title}`, async () => {
        // Service 5 of eight is found with the twelfth restore.
        for (let from = 2; from <= 10; from++) {
          const harness = createHarness({ backend: 'legacy' })
          refuse(harness, 'commit', 5)
          let restores = 0
          harness.kernel.fails = ([tool]) => (tool?.endsWith('-restore') && isHit(++restores, from) ? failure : undefined)
          harness.change(...cluster(8))
          await assert.rejects(harness.pass(), { name: 'ApplyError' }, `restore ${from}`)
          assert.equal(harness.sync.quarantined.size, 0, `restore ${from}`)
          harness.kernel.fails = () => undefined
          await harness.pass()
          assert.deepEqual([...harness.sync.quarantined.keys()], [key(5)])
          assert.equal(programmedServices(harness), 7)
        }
      })
    }
  }
})

describe('a kernel that somebody changed', () => {
  it('makes nobody a culprit: a rule that was to be deleted is gone already', async () => {
    const harness = createHarness()
    await harness.programmed(...cluster(5))
    const rule = harness.kernel.rules('nat', 'KUBE-SERVICES')?.find(one => one.includes('service-2')) ?? ''
    harness.kernel.edit('nat', `-D KUBE-SERVICES ${rule}`)
    await harness.programmed(gone(service({ name: 'service-2' })), put(podsOf('service-3', '10.244.2.3')))
    assert.equal(harness.sync.quarantined.size, 0)
    assert.equal(programmedServices(harness), 4)
    assert.match(harness.kernel.save(), /10\.244\.2\.3/)
  })

  it('makes nobody a culprit: all chains are gone', async () => {
    const harness = createHarness()
    await harness.programmed(...cluster(5))
    const whole = harness.kernel.save()
    const ours = harness.kernel.chains('nat').filter(chain => chain.startsWith('KUBE-'))
    const jumps = ['PREROUTING', 'OUTPUT', 'POSTROUTING'].flatMap(chain =>
      (harness.kernel.rules('nat', chain) ?? []).map(rule => `-D ${chain} ${rule}`),
    )
    harness.kernel.edit('nat', ...jumps, ...ours.map(chain => `:${chain} - [0:0]`), ...ours.map(chain => `-X ${chain}`))
    await harness.programmed(put(podsOf('service-3', '10.244.2.3')))
    await harness.programmed(put(podsOf('service-3', '10.244.1.3')))
    assert.equal(harness.sync.quarantined.size, 0)
    assert.deepEqual(new Set(harness.kernel.save().split('\n')), new Set(whole.split('\n')))
  })
})

describe('a quarantined Service', () => {
  const quarantined = async (): Promise<Harness> => {
    const harness = createHarness()
    await harness.programmed(...cluster(5))
    refuse(harness, 'line', 2)
    await harness.programmed(put(podsOf('service-2', '10.244.2.2')))
    assert.equal(harness.sync.quarantined.size, 1)
    return harness
  }

  it('costs the others nothing: their changes are one restore, and it is not tried again with them', async () => {
    const harness = await quarantined()
    const before = harness.kernel.commands.length
    await harness.programmed(put(podsOf('service-3', '10.244.2.3')))
    assert.equal(harness.kernel.commands.length - before, 1)
    harness.sync.markDirty('everything')
    await harness.pass()
    assert.equal(harness.sync.quarantined.size, 1)
    assert.equal(eventsOf(harness.recorded, 'quarantined').length, 1)
    assert.match(rulesOf(harness, 2).join(), /10\.244\.1\.2/)
  })

  it('is tried again when it changes, and said to be released when that works', async () => {
    const harness = await quarantined()
    harness.kernel.refuses = () => undefined
    await harness.programmed(put(podsOf('service-2', '10.244.2.9')))
    assert.equal(harness.sync.quarantined.size, 0)
    assert.match(harness.kernel.save(), /10\.244\.2\.9/)
    assert.deepEqual(eventsOf(harness.recorded, 'released'), [{ family: 'IPv4', service: key(2) }])
    assert.equal((await harness.restarted().pass()).lines, 0)
  })

  it('is tried again when it changes and something that all depend on changed as well', async () => {
    const harness = await quarantined()
    harness.kernel.refuses = () => undefined
    harness.change(put(podsOf('service-2', '10.244.2.9')))
    harness.sync.markDirty('everything')
    await harness.pass()
    assert.equal(harness.sync.quarantined.size, 0)
    assert.match(harness.kernel.save(), /10\.244\.2\.9/)
    assert.equal(eventsOf(harness.recorded, 'released').length, 1)
  })

  it('is tried again when it changed while the machine failed', async () => {
    const harness = await quarantined()
    harness.kernel.refuses = () => undefined
    harness.kernel.fails = () => 'busy'
    harness.change(put(podsOf('service-2', '10.244.2.9')))
    await assert.rejects(harness.pass())
    harness.kernel.fails = () => undefined
    await harness.pass()
    assert.equal(harness.sync.quarantined.size, 0)
    assert.match(harness.kernel.save(), /10\.244\.2\.9/)
    assert.equal(eventsOf(harness.recorded, 'released').length, 1)
  })

  it('is tried again when asked, and stays where it is still refused, which is said again, and not that it was released', async () => {
    const harness = await quarantined()
    harness.sync.retryQuarantined()
    await harness.pass()
    assert.equal(harness.sync.quarantined.size, 1)
    assert.equal(eventsOf(harness.recorded, 'released').length, 0)
    assert.match(rulesOf(harness, 2).join(), /10\.244\.1\.2/)
    harness.kernel.refuses = () => undefined
    harness.sync.retryQuarantined()
    await harness.pass()
    assert.equal(harness.sync.quarantined.size, 0)
    assert.match(rulesOf(harness, 2).join(), /10\.244\.2\.2/)
  })

  it('takes its rules along when it is deleted', async () => {
    for (const withEverything of [false, true]) {
      const harness = await quarantined()
      harness.change(gone(service({ name: 'service-2' })), gone(podsOf('service-2')))
      if (withEverything) harness.sync.markDirty('everything')
      await harness.pass()
      assert.deepEqual(rulesOf(harness, 2), [])
      assert.equal(harness.sync.quarantined.size, 0)
      assert.equal((await harness.restarted().pass()).lines, 0)
    }
  })

  it('is mended where somebody flushed a chain that it is held at', async () => {
    const harness = await quarantined()
    assert.deepEqual(await harness.sync.checkDrift('everything'), [])
    harness.kernel.edit('nat', ':KUBE-MARK-MASQ - [0:0]')
    assert.equal((await harness.sync.checkDrift('everything')).length, 1)
    await harness.pass()
    assert.match(rulesOf(harness, 2).join(), /10\.244\.1\.2/)
    assert.equal(harness.sync.quarantined.size, 1)
  })
})
