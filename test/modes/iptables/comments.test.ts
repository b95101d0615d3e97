// Comments on the chains of Services go above 1,000 endpoints and come back below 900; a chain changes its text only when it is rendered for another reason.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { EndpointSlice } from '../../../src/model/objects.ts'
import { wantsComments } from '../../../src/modes/iptables/state.ts'
import { address, endpoint, gone, put, service, slice } from '../../support/cluster.ts'
import { createHarness, type Harness } from '../../sync/support/harness.ts'

describe('wantsComments', () => {
  const rows: readonly (readonly [endpoints: number, before: boolean | undefined, wanted: boolean])[] = [
    [0, undefined, true],
    [899, undefined, true],
    [899, false, true],
    [899, true, true],
    [900, undefined, true],
    [900, true, true],
    [900, false, false],
    [1000, undefined, true],
    [1000, true, true],
    [1000, false, false],
    [1001, undefined, false],
    [1001, true, false],
    [1001, false, false],
  ]
  for (const [endpoints, before, wanted] of rows) {
    it(`is ${wanted} with ${endpoints} endpoints where it was ${before ?? 'not decided'} before`, () =>
      assert.equal(wantsComments(endpoints, before), wanted))
  }
})

const names = ['big', 'small', 'other'] as const
type Name = (typeof names)[number]
const services = names.map((name, index) => service({ name, clusterIPs: [address(`10.96.0.${index + 1}`)] }))
const withEndpoints = (name: Name, count: number): EndpointSlice =>
  slice({
    name: `${name}-abc`,
    service: name,
    endpoints: Array.from({ length: count }, (_, pod) => endpoint(`10.${244 + names.indexOf(name)}.${pod >> 8}.${pod & 255}`)),
  })

/** Whether each rule of the endpoints of this Service carries a comment: all, none, or (undefined) some. */
function commented(harness: Harness, name: Name): boolean | undefined {
  const source = 10 + 0
  const prefix = `-s ${source}.${244 + names.indexOf(name)}.`
  const rules = harness.kernel
    .chains('nat')
    .filter(chain => chain.startsWith('KUBE-SEP-'))
    .map(chain => harness.kernel.rules('nat', chain) ?? [])
    .filter(([first]) => first?.startsWith(prefix))
    .flat()
  assert.ok(rules.length > 0)
  const having = rules.filter(rule => rule.includes('--comment')).length
  return having === 0 ? false : having === rules.length ? true : undefined
}

const start = async (big: number, small: number): Promise<Harness> => {
  const harness = createHarness()
  await harness.programmed(...services.map(put), put(withEndpoints('big', big)), put(withEndpoints('small', small)))
  return harness
}

describe('comments', () => {
  it('stand up to 1,000 endpoints, ready or not, and are left out from the start above that', async () => {
    const full = await start(990, 10)
    assert.deepEqual(
      names.slice(0, 2).map(name => commented(full, name)),
      [true, true],
    )
    const above = await start(990, 11)
    assert.deepEqual(
      names.slice(0, 2).map(name => commented(above, name)),
      [false, false],
    )
    assert.match(above.kernel.rules('nat', 'KUBE-SERVICES')?.[0] ?? '', /--comment/, 'dispatch rules keep theirs')
  })

  it('go with the chains that are rendered after the 1,001st endpoint came, no others', async () => {
    const harness = await start(990, 10)
    await harness.programmed(put(withEndpoints('small', 11)))
    assert.deepEqual([commented(harness, 'big'), commented(harness, 'small')], [true, false])
    assert.equal((await harness.restarted().pass()).lines, 0, 'a restart leaves both as they are')
  })

  it('come back below 900, not before', async () => {
    const harness = await start(890, 111)
    await harness.programmed(put(withEndpoints('small', 10)))
    assert.deepEqual([commented(harness, 'big'), commented(harness, 'small')], [false, false], 'at 900')
    await harness.programmed(put(withEndpoints('small', 9)))
    assert.deepEqual([commented(harness, 'big'), commented(harness, 'small')], [false, true], 'at 899')
    assert.equal((await harness.restarted().pass()).lines, 0)
  })

  it('do not flap at the border', async () => {
    const harness = await start(990, 10)
    await harness.programmed(put(withEndpoints('small', 11)))
    for (const count of [10, 11, 10, 11]) {
      await harness.programmed(put(withEndpoints('small', count)))
      assert.equal(commented(harness, 'small'), false)
    }
  })

  it('are no reason to write after a restart between the borders, whichever way the kernel has them', async () => {
    const cameDown = await start(890, 111)
    await cameDown.programmed(put(withEndpoints('small', 60)))
    const after = cameDown.restarted()
    assert.equal((await after.pass()).lines, 0)
    const lines = await after.programmed(put(withEndpoints('other', 1)))
    assert.ok(lines.length > 0 && lines.length < 30)
    assert.deepEqual([commented(after, 'big'), commented(after, 'small')], [false, false])
    after.sync.markDirty('everything')
    assert.equal((await after.pass()).lines, 0, 'a full pass changes none either')
  })

  it('follow the number of endpoints down again when a Service goes', async () => {
    const harness = await start(1000, 1)
    assert.equal(commented(harness, 'small'), false)
    await harness.programmed(gone(withEndpoints('big', 1000)))
    await harness.programmed(put(withEndpoints('small', 2)))
    assert.equal(commented(harness, 'small'), true)
  })

  it('are not lost by a Service that is quarantined and tried again and again: its endpoints count once', async () => {
    const harness = await start(300, 10)
    harness.kernel.refuses = line => (line.includes('10.244.0.0:8080') && line.startsWith('-A') ? 'line' : undefined)
    for (let round = 0; round < 8; round++)
      await harness.programmed(
        put(withEndpoints('big', round % 2 === 0 ? 299 : 300)),
        put(slice({ service: 'big', name: `n${round}` })),
      )
    await harness.programmed(put(withEndpoints('small', 11)))
    assert.equal(commented(harness, 'small'), true, 'there are 311 endpoints')
  })

  it('count a quarantined Service that had no rules before', async () => {
    const harness = createHarness()
    harness.kernel.refuses = line => (/"default\/big/.test(line) ? 'line' : undefined)
    await harness.programmed(...services.map(put), put(withEndpoints('big', 800)), put(withEndpoints('small', 10)))
    assert.ok(harness.sync.quarantined.size === 1)
    for (let round = 0; round < 3; round++) await harness.programmed(put(withEndpoints('big', 799 + (round % 2))))
    await harness.programmed(put(withEndpoints('small', 11)))
    assert.equal(commented(harness, 'small'), true, 'there are 811 endpoints')
    harness.kernel.refuses = () => undefined
    await harness.programmed(put(withEndpoints('big', 801)))
    await harness.programmed(put(withEndpoints('small', 12)))
    assert.equal(commented(harness, 'small'), true, 'there are 813 endpoints')
  })
})
