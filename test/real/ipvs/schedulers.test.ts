// Schedulers, each by what only it does with many connections, and how a Service gets the one that it asks for.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type IpvsLab, startIpvsLab } from '../../support/ipvs-lab.ts'
import { type LabService, startService } from '../../support/ipvs-service.ts'

describe('schedulers', { concurrency: true }, () => {
  let stage: IpvsLab
  before(async () => {
    stage = await startIpvsLab({ config: { ipvs: { scheduler: 'rr' } } })
  })
  after(() => stage?.[Symbol.asyncDispose]())

  const service = (number: number, pods: string, scheduler?: string): Promise<LabService> => {
    const options = scheduler === undefined ? {} : { annotations: { 'switchyard/ipvs-scheduler': scheduler } }
    return startService(stage, { number, pods }, options)
  }

  it('rr takes one pod after the other', async () => {
    const { place } = await service(1, 'a b c')
    const answers = await stage.connect(place, { count: 12 })
    assert.deepEqual(answers.slice(0, 3).toSorted(), ['a', 'b', 'c'])
    for (const [position, answer] of answers.entries()) assert.equal(answer, answers[position % 3], answers.join(' '))
  })

  it('sh sends each client to one pod, and clients to several', async () => {
    const { place } = await service(2, 'a b c', 'sh')
    const rounds = []
    for (let round = 0; round < 4; round++) rounds.push(await stage.connectFromEverywhere(place))
    const [first] = rounds
    for (const round of rounds) assert.deepEqual(round, first)
    const pods = new Set(first?.values())
    assert.ok(pods.size > 1, 'sixteen addresses are not of one hash')
    assert.deepEqual(
      [...pods].filter(pod => !['a', 'b', 'c'].includes(pod)),
      [],
    )
  })

  for (const [number, scheduler] of [
    [3, 'lc'],
    [4, 'sed'],
  ] as const) {
    it(`${scheduler} spares the pod that is busy`, async () => {
      const { place, put, becomes } = await service(number, 'a', scheduler)
      for (let connection = 0; connection < 4; connection++) await stage.hold(place)
      await put('a b')
      await becomes({ a: 1, b: 1 })
      assert.deepEqual(new Set(await stage.connect(place, { count: 8 })), new Set(['b']))
    })
  }

  it('nq takes the pod that is idle', async () => {
    const { place, put, becomes } = await service(5, 'a', 'nq')
    await stage.hold(place)
    await put('a b')
    await becomes({ a: 1, b: 1 })
    const second = await stage.hold(place)
    await put('a b c')
    await becomes({ a: 1, b: 1, c: 1 })
    const third = await stage.hold(place)
    assert.deepEqual([second.pod, third.pod], ['b', 'c'])
  })

  it('mh looks at the port of a client as well', async () => {
    const { place, server } = await service(6, 'a b c', 'mh')
    assert.equal(await stage.kernel.options(server), '-s mh -b mh-port')
    const answers = await stage.connect(place, { count: 30 })
    assert.ok(new Set(answers).size > 1, `one client's connections go to several pods: ${answers.join(' ')}`)
  })

  it("kube-router's annotation counts too, and ours before it", async () => {
    const kubeRouter = { 'kube-router.io/service.scheduler': 'lc' }
    const theirs = await startService(stage, { number: 7, pods: 'a' }, { annotations: kubeRouter })
    assert.equal(await stage.kernel.options(theirs.server), '-s lc')
    const annotations = { ...kubeRouter, 'switchyard/ipvs-scheduler': 'sed' }
    const both = await startService(stage, { number: 8, pods: 'a' }, { annotations })
    assert.equal(await stage.kernel.options(both.server), '-s sed')
  })

  it('one that nobody knows gives way to the usual one, and that is said', async () => {
    const { server, place } = await service(9, 'a', 'fastest')
    assert.equal(await stage.kernel.options(server), '-s rr')
    assert.deepEqual(await stage.connect(place), ['a'])
    const { level, service: named } = await stage.switchyard.waitForLog(
      /^Service default\/web-9 asks for the IPVS scheduler "fastest", .*; it gets rr$/,
    )
    assert.deepEqual([level, named], ['warn', 'default/web-9'])
  })

  it('another one may be asked for while the Service runs', async () => {
    const { server, place } = await service(10, 'a b')
    assert.equal(await stage.kernel.options(server), '-s rr')
    const held = await stage.hold(place)
    await service(10, 'a b', 'lc')
    await stage.eventually(() => stage.kernel.options(server), '-s lc', server)
    assert.ok(await held.isAlive())
  })
})
