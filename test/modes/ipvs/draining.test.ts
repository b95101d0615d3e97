// A real server that the decision no longer selects keeps its connections for a while, and which while that is: by protocol, scheduler, and where its
// endpoint went.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Protocol } from '../../../src/model/objects.ts'
import { gone, put, service, slice } from '../../support/cluster.ts'
import type { IpvsHarness } from '../../sync/support/ipvs-harness.ts'
import { connect, type IpvsSettings, ipvsHarness, minutes, pods, server, web, webServer, weights } from './support.ts'

/** What is about virtual servers. */
const ofServers = (lines: readonly string[]): readonly string[] => lines.filter(line => line.startsWith('-'))

const [one, two, three] = ['10.244.1.1:8080', '10.244.1.2:8080', '10.244.1.3:8080'] as const

/** Two endpoints, with connections to both. */
async function started(ipvs: IpvsSettings = {}): Promise<IpvsHarness> {
  const harness = ipvsHarness(ipvs)
  await harness.programmed(put(service()), put(pods(['10.244.1.1', '10.244.1.2'])))
  connect(harness, one)
  connect(harness, two)
  return harness
}

describe('an endpoint that is selected no more', () => {
  it('goes to weight 0, stays while it has connections, and goes with the last of them', async () => {
    const harness = await started()
    assert.deepEqual(ofServers(await harness.programmed(put(pods(['10.244.1.1', '10.244.1.2 not ready'])))), [
      `-e ${webServer} -r ${two} -m -w 0`,
    ])
    assert.deepEqual(await harness.looked(), [])
    const since = harness.clock.wall
    const times = { since, goneSince: undefined, until: since + minutes(15) }
    const drain = { server: webServer, realServer: two, service: web, connections: 1, over: false }
    assert.deepEqual(harness.sync.drains, [{ ...drain, ...times }])
    connect(harness, two, 0)
    assert.deepEqual(await harness.looked(), [`-d ${webServer} -r ${two}`])
    assert.equal(harness.sync.drains.length, 0)
    assert.deepEqual(await harness.looked(), [])
  })

  const deadlines = [
    { title: 'in a slice still: the drain deadline', texts: ['10.244.1.1', '10.244.1.2 not ready'], ipvs: {}, ends: minutes(15) },
    { title: 'in no slice: at most two minutes', texts: ['10.244.1.1'], ipvs: {}, ends: minutes(2) },
    { title: 'in no slice, and a drain deadline that is shorter', texts: ['10.244.1.1'], ipvs: { drainDeadlineMs: 7 }, ends: 7 },
  ]
  for (const { title, texts, ipvs, ends } of deadlines) {
    it(`ends by force, ${title}`, async () => {
      const harness = await started(ipvs)
      await harness.programmed(put(pods(texts)))
      harness.clock.wall += ends - 1
      assert.deepEqual(await harness.looked(), [])
      harness.clock.wall += 1
      assert.deepEqual(await harness.looked(), [`-d ${webServer} -r ${two}`])
    })
  }

  it('is removed at once with a deadline of 0', async () => {
    const harness = await started({ drainDeadlineMs: 0 })
    assert.deepEqual(ofServers(await harness.programmed(put(pods(['10.244.1.1'])))), [`-d ${webServer} -r ${two}`])
  })

  it('has two minutes from when it leaves the slices, whatever is left of the fifteen', async () => {
    const harness = await started()
    await harness.programmed(put(pods(['10.244.1.1', '10.244.1.2 not ready'])))
    harness.clock.wall += minutes(14)
    assert.deepEqual(await harness.programmed(put(pods(['10.244.1.1']))), [])
    harness.clock.wall += minutes(1)
    assert.deepEqual(await harness.looked(), [`-d ${webServer} -r ${two}`], 'but never more than fifteen in all')
  })

  it('gets its weight back when it returns, and a new time when it leaves again', async () => {
    const harness = await started()
    await harness.programmed(put(pods(['10.244.1.1'])))
    harness.clock.wall += minutes(1)
    assert.deepEqual(ofServers(await harness.programmed(put(pods(['10.244.1.1', '10.244.1.2'])))), [
      `-e ${webServer} -r ${two} -m -w 1`,
    ])
    assert.equal(harness.sync.drains.length, 0)
    await harness.programmed(put(pods(['10.244.1.1'])))
    assert.equal(harness.sync.drains[0]?.since, harness.clock.wall)
  })

  it('loses its two minutes when it is named again, ready or not', async () => {
    const harness = await started()
    await harness.programmed(put(pods(['10.244.1.1'])))
    assert.notEqual(harness.sync.drains[0]?.goneSince, undefined)
    await harness.programmed(put(pods(['10.244.1.1', '10.244.1.2 not ready'])))
    assert.equal(harness.sync.drains[0]?.goneSince, undefined)
    assert.equal(harness.sync.drains[0]?.until, harness.clock.wall + minutes(15))
  })

  it('is named once for each virtual server, with connections of its own', async () => {
    const harness = await started()
    await harness.programmed(put(pods([])))
    connect(harness, one, 0)
    assert.deepEqual(await harness.looked(), [`-d ${webServer} -r ${one}`])
    assert.deepEqual(weights(harness), { [two]: 0 })
  })
})

describe('by protocol', () => {
  const ways: readonly (readonly [Protocol, string, drains: boolean])[] = [
    ['TCP', '-t 10.96.0.7:80', true],
    ['UDP', '-u 10.96.0.7:80', false],
    ['SCTP', '--sctp-service 10.96.0.7:80', false],
  ]
  for (const [protocol, name, drains] of ways) {
    it(`${protocol} ${drains ? 'drains' : 'has no connection to lose, or mends it'}`, async () => {
      const harness = ipvsHarness()
      const podsOf = (...texts: readonly string[]) => ({ ...pods(texts), ports: [{ name: '', protocol, port: 8080 }] })
      const owner = service({ ports: [{ name: '', protocol, port: 80, nodePort: 0 }] })
      await harness.programmed(put(owner), put(podsOf('10.244.1.1', '10.244.1.2')))
      connect(harness, two, 1, server(name))
      await harness.programmed(put(podsOf('10.244.1.1')))
      assert.deepEqual(weights(harness, server(name)), drains ? { [one]: 1, [two]: 0 } : { [one]: 1 })
    })
  }
})

describe('by scheduler', () => {
  const options = [
    { scheduler: 'rr', usual: '-s rr', draining: '-s rr' },
    { scheduler: 'lc', usual: '-s lc', draining: '-s lc' },
    { scheduler: 'sh', usual: '-s sh', draining: '-s sh -b sh-fallback' },
    { scheduler: 'mh', usual: '-s mh -b mh-port', draining: '-s mh -b mh-fallback,mh-port' },
    { scheduler: 'dh', usual: '-s dh', draining: undefined },
  ] as const
  for (const { scheduler, usual, draining } of options) {
    it(`${scheduler} ${draining === undefined ? 'lets go at once' : `becomes ${draining}, and ${usual} again`}`, async () => {
      const harness = await started({ scheduler })
      const inForce = (): string | undefined => harness.kernel.servers.get(webServer)?.options
      assert.equal(inForce(), usual)
      const lines = await harness.programmed(put(pods(['10.244.1.1'])))
      assert.equal(inForce(), draining ?? usual)
      assert.deepEqual(weights(harness), draining === undefined ? { [one]: 1 } : { [one]: 1, [two]: 0 })
      if (draining !== undefined && draining !== usual)
        assert.ok(lines.indexOf(`-E ${webServer} ${draining}`) < lines.indexOf(`-e ${webServer} -r ${two} -m -w 0`), 'flag first')
      connect(harness, two, 0)
      await harness.looked()
      assert.equal(inForce(), usual)
      assert.deepEqual(weights(harness), { [one]: 1 })
    })
  }
})

describe('an address and port that somebody else has now', () => {
  const other = (...texts: readonly string[]) => put(pods(texts, 'other'))
  const withOther = async (): Promise<IpvsHarness> => {
    const harness = await started()
    await harness.programmed(put(service({ name: 'other', clusterIPs: ['10.96.0.8' as never] })), other('10.244.1.3'))
    return harness
  }

  it('ends the drain of the one that is gone', async () => {
    const harness = await withOther()
    await harness.programmed(put(pods(['10.244.1.1'])))
    const lines = await harness.programmed(other('10.244.1.3', '10.244.1.2'))
    assert.ok(lines.includes(`-d ${webServer} -r ${two}`), lines.join('\n'))
    assert.equal(harness.sync.drains.length, 0)
  })

  it('means nothing while a slice of the first names it: one pod of two Services', async () => {
    const harness = await withOther()
    await harness.programmed(put(pods(['10.244.1.1', '10.244.1.2 not ready'])))
    await harness.programmed(other('10.244.1.3', '10.244.1.2'))
    assert.equal(harness.sync.drains.length, 1)
  })

  it('means nothing where the other had it all the time', async () => {
    const harness = await withOther()
    await harness.programmed(other('10.244.1.3', '10.244.1.2'))
    await harness.programmed(put(pods(['10.244.1.1'])))
    await harness.programmed(other('10.244.1.2'))
    assert.deepEqual(harness.sync.drains.map(({ realServer }) => realServer).toSorted(), [two, three])
  })
})

describe('counting connections', () => {
  it('that fails is an error, and deadlines hold all the same', async () => {
    const harness = await started()
    await harness.programmed(put(pods(['10.244.1.1'])))
    harness.kernel.fails = argv => (argv.includes('-Ln') ? 'failed' : undefined)
    await assert.rejects(harness.sync.lookAtDrains(), /ipvsadm/)
    assert.equal(harness.sync.isDirty, false)
    harness.clock.wall += minutes(2)
    await assert.rejects(harness.sync.lookAtDrains(), /ipvsadm/)
    assert.equal(harness.sync.isDirty, true)
    await harness.pass()
    assert.deepEqual(weights(harness), { [one]: 1 })
  })

  it('keeps the last number where the next is unknown', async () => {
    const harness = await started()
    await harness.programmed(put(pods(['10.244.1.1'])))
    assert.equal(harness.sync.drains[0]?.connections, undefined)
    await harness.looked()
    harness.kernel.fails = argv => (argv.includes('-Ln') ? 'failed' : undefined)
    await harness.sync.lookAtDrains().catch(() => {})
    assert.equal(harness.sync.drains[0]?.connections, 1)
  })
})

describe('what is over', () => {
  it('stays over where it cannot be removed: it does not get its time anew', async () => {
    const harness = await started()
    await harness.programmed(put(pods(['10.244.1.1', '10.244.1.2 not ready'])))
    harness.clock.wall += minutes(15)
    harness.kernel.fails = argv => (argv.join(' ') === 'ipvsadm -R' ? 'busy' : undefined)
    await assert.rejects(harness.looked())
    harness.kernel.fails = () => undefined
    await harness.pass()
    assert.deepEqual(weights(harness), { [one]: 1 })
    assert.equal(harness.sync.drains.length, 0)
  })

  it('does not begin anew beside one that goes on, behind a Service that was deleted', async () => {
    const harness = await started()
    await harness.programmed(gone(service()), gone(slice()))
    connect(harness, one, 0)
    await harness.looked()
    assert.deepEqual(weights(harness), { [two]: 0 })
    assert.deepEqual(
      harness.sync.drains.map(({ realServer }) => realServer),
      [two],
    )
  })
})
