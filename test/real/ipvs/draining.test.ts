// Draining with real connections: what an endpoint has when it is no longer selected goes on, nothing new goes there, and no client is refused
// meanwhile; connections that end, and deadlines, end it.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { DrainStatus } from '../../../src/server/status-object.ts'
import { web } from '../../support/daemon/objects.ts'
import { type HeldConnection, type IpvsLab, type Place, startIpvsLab } from '../../support/ipvs-lab.ts'
import { loadBalanced, type ServiceOptions, startService } from '../../support/ipvs-service.ts'

/** Far away, but for endpoints that leave all slices. */
const settings = { drain: { goneDeadline: '3s' } }

describe('draining', { concurrency: false }, () => {
  let stage: IpvsLab
  /** Connections that outlive the test that opened them. */
  const stuck: HeldConnection[] = []
  let atHandedOn: HeldConnection | undefined

  before(async () => {
    stage = await startIpvsLab({ settings })
  })
  after(() => stage?.[Symbol.asyncDispose]())

  const service = (number: number, pods: string, options?: ServiceOptions) => startService(stage, { number, pods }, options)
  /** All that lies around on the node of Services with addresses of their own. */
  const traces = async () => [await stage.kernel.addresses(), await stage.kernel.entries('KUBE-IPVS-IPS')]

  it('keeps connections of a deleted Service, but for those by an address that is handed on', async () => {
    const loadBalancer = '192.168.100.8'
    const nodePort: Place = { address: stage.lab.node.ipv4, port: 30_008 }
    const { place, becomes, remove } = await service(8, 'a b', { loadBalancer, spec: loadBalanced(30_008) })
    const [inside, outside, external] = await Promise.all([
      stage.hold(place),
      stage.hold(nodePort),
      stage.hold({ address: loadBalancer, port: 80 }),
    ])
    await remove()
    const addresses = async (): Promise<readonly string[]> => (await stage.kernel.addresses()).filter(one => /\.8$/.test(one))
    await stage.eventually(addresses, ['10.96.0.8'], 'addresses on kube-ipvs0')
    // Its address goes first.
    await stage.eventually(() => stage.kernel.weights(`-t ${loadBalancer}:80`), undefined, `-t ${loadBalancer}:80`)
    assert.ok(await external.isDead())
    // Only the endpoint that holds one of them is still of use.
    await becomes({ [inside.pod]: 0 })
    const atNode = `-t ${nodePort.address}:30008`
    await stage.eventually(() => stage.kernel.weights(atNode), stage.realServers({ [outside.pod]: 0 }), atNode)
    assert.ok(await inside.isAlive())
    assert.ok(await outside.isAlive())
    for (const where of [place, nodePort]) assert.deepEqual(await stage.connect(where), ['refused'])
    stuck.push(inside, outside)
  })

  describe('with deadlines that are far away', { concurrency: true }, () => {
    before(async () => {
      await stage.configure({ config: strictArp, settings })
      await stage.switchyard.waitForLog(/ipvs.strictARP changed from false to true: applied/)
    })

    it('keeps a connection that was open, sends no new one there, and ends with the connection', async () => {
      const { place, put, becomes } = await service(1, 'a b c')
      const held = await stage.holdEach(place, ['a', 'b', 'c'])
      await put('b c (a)')
      await becomes({ a: 0, b: 1, c: 1 })
      const answers = await stage.connect(place, { count: 20 })
      assert.deepEqual([...new Set(answers)].toSorted(), ['b', 'c'])
      for (let time = 0; time < 3; time++) assert.ok(await held['a']?.isAlive())
      await held['a']?.reset()
      await becomes({ b: 1, c: 1 })
      for (const pod of ['b', 'c']) assert.ok(await held[pod]?.isAlive(), 'connections to others are not touched')
    })

    it('gives an endpoint that returns its weight back', async () => {
      const { place, put, becomes } = await service(2, 'a b')
      const held = await stage.holdEach(place, ['a', 'b'])
      await put('b (a)')
      await becomes({ a: 0, b: 1 })
      await put('a b')
      await becomes({ a: 1, b: 1 })
      assert.ok(await held['a']?.isAlive())
      assert.deepEqual([...new Set(await stage.connect(place, { count: 4 }))].toSorted(), ['a', 'b'])
    })

    it('lets UDP go at once', async () => {
      const ports = [{ name: 'dns', port: 53, targetPort: 5353, protocol: 'UDP' }]
      const [place, server] = [{ address: '10.96.0.3', port: 53 }, '-u 10.96.0.3:53']
      const put = (pods: readonly string[], notReady: readonly string[]): Promise<void> => {
        const [endpoints, waiting] = [pods, notReady].map(names => names.map(pod => stage.address(pod)))
        return stage.switchyard.put(
          'dns.yaml',
          web({ name: 'dns', number: 3, endpoints: endpoints ?? [], notReady: waiting ?? [], spec: { ports } }),
        )
      }
      const behind = (...pods: readonly string[]) => Object.fromEntries(pods.map(pod => [`${stage.address(pod)}:5353`, 1]))
      await put(['a', 'b'], [])
      await stage.eventually(() => stage.kernel.weights(server), behind('a', 'b'), server)
      const answers = await stage.connect(place, { count: 4, protocol: 'UDP' })
      assert.deepEqual([...new Set(answers)].toSorted(), ['a', 'b'], 'IPVS remembers both flows')
      await put(['b'], ['a'])
      const changed = await stage.switchyard.waitFor(async () => {
        const now = await stage.kernel.weights(server)
        return Object.keys(now ?? {}).length === 2 && Object.values(now ?? {}).every(weight => weight === 1) ? undefined : now
      }, 'the endpoint to go')
      assert.deepEqual(changed, behind('b'))
    })

    it('waits for an endpoint that is in a slice still, and not for long for one that is in none', async () => {
      const { place, put, becomes } = await service(4, 'a b c')
      const held = await stage.holdEach(place, ['a', 'b', 'c'])
      await put('c (b)')
      await becomes({ b: 0, c: 1 })
      assert.ok(await held['a']?.isDead(), 'drain.goneDeadline cuts it')
      assert.ok(await held['b']?.isAlive(), 'drain.deadline is far')
      if (held['b'] !== undefined) stuck.push(held['b'])
    })

    for (const [number, scheduler, usual, fallback] of [
      [5, 'sh', '-s sh', '-s sh -b sh-fallback'],
      [6, 'mh', '-s mh -b mh-port', '-s mh -b mh-fallback,mh-port'],
      [7, 'dh', '-s dh', undefined],
    ] as const) {
      it(`refuses no client under ${scheduler}`, async () => {
        const annotations = { 'switchyard/ipvs-scheduler': scheduler }
        const { place, server, put, becomes } = await service(number, 'a b c', { annotations })
        assert.equal(await stage.kernel.options(server), usual)
        const held = await stage.hold(place)
        const others = ['a', 'b', 'c'].filter(pod => pod !== held.pod)
        const drain = async (): Promise<void> => {
          await put(`${others.join(' ')} (${held.pod})`)
          const behind = Object.fromEntries(others.map(pod => [pod, 1]))
          await becomes(fallback === undefined ? behind : { ...behind, [held.pod]: 0 })
        }
        await refusesNobody({ stage, place, mayCut: fallback === undefined }, drain)
        if (fallback !== undefined) assert.equal(await stage.kernel.options(server), fallback)
        const answers = [...(await stage.connectFromEverywhere(place)).values()]
        assert.deepEqual(
          answers.filter(pod => !others.includes(pod)),
          [],
        )
        assert.ok(await (fallback === undefined ? held.isDead() : held.isAlive()))
        const comeBack = async (): Promise<void> => {
          await put('a b c')
          await becomes({ a: 1, b: 1, c: 1 })
        }
        await refusesNobody({ stage, place, mayCut: false }, comeBack)
        assert.equal(await stage.kernel.options(server), usual)
      })
    }

    it('gives connections by an address that is handed on half a minute where strictARP keeps others from coming', async () => {
      const { remove, becomes } = await service(9, 'a', { loadBalancer: handedOn, spec: loadBalanced(30_009) })
      const held = await stage.hold({ address: handedOn, port: 80 })
      await remove()
      await becomes(undefined)
      const external = `-t ${handedOn}:80`
      await stage.eventually(() => stage.kernel.weights(external), stage.realServers({ a: 0 }), external)
      assert.ok(await held.isAlive())
      assert.deepEqual(await stage.connect({ address: handedOn, port: 80 }), ['refused'])
      const { since = '', until = '' } = (await drainsOf(stage)).find(({ server }) => server === external) ?? {}
      assert.equal(Date.parse(until) - Date.parse(since), 30_000)
      atHandedOn = held
    })
  })

  it('goes on in another process, with the same end', async () => {
    // Others may drain still: what closed a moment ago is a connection to IPVS for two minutes.
    const names = ['-t 10.200.1.2:30008', '-t 10.96.0.4:80', '-t 10.96.0.8:80']
    const drains = async () => (await drainsOf(stage)).filter(({ server }) => names.includes(server))
    const serversOf = async () => (await drains()).map(({ server }) => server)
    await stage.eventually(serversOf, names, 'what is stuck to drain')
    const before = await drains()
    await stage.restart({ config: strictArp, settings })
    assert.deepEqual(await drains(), before)
    for (const held of stuck) assert.ok(await held.isAlive())
    assert.deepEqual(await stage.connect({ address: '10.96.0.8', port: 80 }), ['refused'])
  })

  it('ends at the deadline, which counts from when it began, whatever process that was', async () => {
    await stage.restart({ config: strictArp, settings: { drain: { deadline: '3s' } } })
    assert.deepEqual(await stage.kernel.weights('-t 10.96.0.4:80'), stage.realServers({ c: 1 }))
    assert.deepEqual(
      (await stage.kernel.serverNames()).filter(name => /:30008$|\.8:80$/.test(name)),
      [],
    )
    assert.deepEqual(await Promise.all(stuck.map(held => held.isDead())), [true, true, true])
    for (const trace of await traces())
      assert.deepEqual(
        trace?.filter(address => address === '10.96.0.8'),
        [],
      )
    assert.deepEqual(await stage.kernel.entries('KUBE-NODE-PORT-TCP'), [])
  })

  it('ends at the deadline while the daemon runs', async () => {
    const { place, put, becomes } = await service(10, 'a b')
    const held = await stage.holdEach(place, ['a', 'b'])
    await put('b (a)')
    await becomes({ b: 1 })
    assert.ok(await held['a']?.isDead())
    assert.ok(await held['b']?.isAlive())
  })

  it('has let go the address that was handed on, restarts or not', async () => {
    const isThere = async (): Promise<boolean> => (await traces()).some(trace => trace?.includes(handedOn))
    await stage.eventually(isThere, false, `${handedOn} on the node`)
    assert.ok(await atHandedOn?.isDead())
  })
})

const handedOn = '192.168.100.9'
const strictArp = { ipvs: { strictARP: true } }

/** Without what changes by itself. */
async function drainsOf(stage: IpvsLab): Promise<readonly Pick<DrainStatus, 'server' | 'realServer' | 'since' | 'until'>[]> {
  const drains = (await stage.status()).families.flatMap(({ drains }) => drains)
  return drains
    .map(({ server, realServer, since, until }) => ({ server, realServer, since, until }))
    .toSorted((a, b) => (a.server < b.server ? -1 : 1))
}

interface Asking {
  readonly stage: IpvsLab
  readonly place: Place
  /** Whether a connection that is open when its endpoint goes is cut: it was not refused. */
  readonly mayCut: boolean
}

/** From all addresses of the client, again and again, until the change is done. */
async function refusesNobody({ stage, place, mayCut }: Asking, change: () => Promise<void>): Promise<void> {
  let isDone = false
  const fine = ['a', 'b', 'c', ...(mayCut ? ['reset'] : [])]
  const ask = async (): Promise<void> => {
    // At a rate, since the change needs the processor as well.
    for (; !isDone; await delay(250)) {
      const fates = [...(await stage.connectFromEverywhere(place))]
      assert.deepEqual(
        fates.filter(([, fate]) => !fine.includes(fate)),
        [],
      )
    }
  }
  const changed = change().finally(() => {
    isDone = true
  })
  await Promise.all([changed, ask()])
}
