// What the metrics server answers of the kernel, from inspections made by hand.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { PlanObject } from '../../src/explain/plan-object.ts'
import type { VerifyObject } from '../../src/explain/verify-object.ts'
import { ipFamilies } from '../../src/model/address.ts'
import { type ExplainOptions, explainHandlers } from '../../src/server/explain-handlers.ts'
import { goldenKernel, surveyOf } from '../support/golden-kernel.ts'
import { loadScenario } from '../support/scenario.ts'

const scenario = loadScenario('clusterip')
const exec = goldenKernel(scenario, 'iptables', 'IPv4')
const parameter = { name: 'net.x', is: '0', expected: '1', why: 'a test', consequence: 'without it nothing works', isOurs: true }

async function get(path: string, fields: Partial<ExplainOptions> = {}, query = '') {
  const found = await surveyOf(scenario, exec, { mode: 'iptables', family: 'IPv4' })
  const handler = explainHandlers({
    ...{ families: ['IPv4'], node: 'node1', mode: () => 'iptables', source: 'a test', sweeps: () => true, now: () => 0 },
    inspections: async () => [found],
    plans: async () => [found],
    parameters: async () => [],
    ...fields,
  })[path]
  assert.ok(handler !== undefined)
  return handler({ path, query: new URLSearchParams(query), accept: undefined })
}

describe('/switchyard/v1/verify', () => {
  it('tells of differences, kernel parameters among them', async () => {
    const { status, body } = await get('/switchyard/v1/verify', { parameters: async () => [parameter] })
    assert.equal(status, 200)
    const { clean, drifts, families } = JSON.parse(body) as VerifyObject
    assert.deepEqual([clean, families], [false, ['IPv4']])
    const [ofParameter] = drifts
    assert.deepEqual(ofParameter, {
      ...{ family: null, kind: 'changed', what: 'kernel parameter net.x: 0, expected 1 (a test)', service: null },
      meaning: 'without it nothing works',
    })
    assert.ok(drifts.some(({ what }) => what === 'nat chain KUBE-PROXY-CANARY'))
  })

  for (const [title, fields, reason] of [
    ['a family was not compared', { families: ipFamilies }, /^IPv6 cannot be compared now: /],
    ['the kernel cannot be read', { inspections: () => Promise.reject(new Error('no such program')) }, /no such program/],
  ] as const) {
    it(`says why not, with 503, where ${title}`, async () => {
      const { status, body } = await get('/switchyard/v1/verify', fields)
      assert.equal(status, 503)
      assert.match(body, reason)
    })
  }
})

it('/switchyard/v1/plan tells what would change', async () => {
  const { status, body } = await get('/switchyard/v1/plan', {
    parameters: async () => [parameter, { ...parameter, name: 'net.not-ours', isOurs: false }],
  })
  assert.equal(status, 200)
  const { kind, empty, parameters, families } = JSON.parse(body) as PlanObject
  assert.deepEqual([kind, empty, parameters], ['Plan', false, [{ name: 'net.x', from: '0', to: '1', why: 'a test' }]])
  assert.deepEqual(
    families[0]?.services.map(({ service }) => service),
    [null],
  )
})

it('refuses a parameter: there is none', async () => {
  for (const path of ['/switchyard/v1/plan', '/switchyard/v1/verify']) {
    const { status, body } = await get(path, {}, 'service=default/web')
    assert.deepEqual([status, body], [400, 'there is no parameter "service"; expected none\n'])
  }
})

it('says of each answer when it was given, and when the kernel was read', async () => {
  const found = { ...(await surveyOf(scenario, exec, { mode: 'iptables', family: 'IPv4' })), readAt: 1000 }
  const inspections = [found]
  let now = 1500
  const handler = explainHandlers({
    ...{ families: ['IPv4'], node: 'node1', mode: () => 'iptables', source: 'a test', sweeps: () => true, now: () => now },
    inspections: async () => inspections,
    plans: () => assert.fail('only for a plan'),
    parameters: async () => [],
  })['/switchyard/v1/verify']
  const ages: number[] = []
  for (; now < 5000; now += 1000) {
    const { body } = (await handler?.({ path: '', query: new URLSearchParams(), accept: undefined })) ?? assert.fail()
    const { time, readAt } = JSON.parse(body) as VerifyObject
    ages.push(Date.parse(time) - Date.parse(readAt))
  }
  assert.deepEqual(ages, [500, 1500, 2500, 3500])
})

it('makes the words of one inspection once, and says a mistake of its own as such', async () => {
  const found = await surveyOf(scenario, exec, { mode: 'iptables', family: 'IPv4' })
  let made = 0
  const counted = { ...found, drifts: [], changes: [{ ...found.changes[0], lines: () => ({ was: [String(++made)], will: [] }) }] }
  const inspections = [counted as unknown as typeof found]
  const handler = (lists: () => readonly (typeof found)[]) =>
    explainHandlers({
      ...{ families: ['IPv4'], node: 'node1', mode: () => 'iptables', source: 'a test', sweeps: () => true, now: () => 0 },
      inspections: () => assert.fail('a plan needs more'),
      plans: async () => lists(),
      parameters: async () => [],
    })['/switchyard/v1/plan']
  const request = { path: '', query: new URLSearchParams(), accept: undefined }
  const shared = handler(() => inspections)
  await shared?.(request)
  await shared?.(request)
  assert.equal(made, 1)
  const broken = handler(() => [{ ...found, changes: undefined as never }])
  await assert.rejects(async () => broken?.(request), TypeError)
})
