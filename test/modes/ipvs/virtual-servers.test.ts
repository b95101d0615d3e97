// A Decision in the words of ipvsadm: which virtual servers, with which options, and what stands behind them.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { outerNodePortAddresses } from '../../../src/model/node.ts'
import type { Decision } from '../../../src/model/traffic-policy.ts'
import {
  chooseScheduler,
  type IpvsAbilities,
  schedulerOf,
  virtualServers,
  withFallback,
} from '../../../src/modes/ipvs/virtual-servers.ts'
import { address, cidr, endpoint, node, put, service, settings, slice } from '../../support/cluster.ts'
import { eventsOf } from '../../sync/support/harness.ts'
import { decisionsOf, everywhere, ipvsHarness, pods, web, withAddresses } from './support.ts'

const context = { scheduler: 'rr', nodeAddresses: node.interfaceAddresses.filter(each => each === '10.200.1.2') }
const decide = (...objects: Parameters<typeof decisionsOf>[0]): Decision => {
  const [decision] = decisionsOf(objects).get(web) ?? []
  assert.ok(decision)
  return decision
}
const serversOf = (decision: Decision, scheduler = 'rr') =>
  Object.fromEntries(
    [...virtualServers(decision, { ...context, scheduler })].map(([name, { options, realServers }]) => [
      name,
      [options, ...realServers.keys()].join(' '),
    ]),
  )

describe('virtual servers', () => {
  const here = endpoint('10.244.1.1')
  const there = endpoint('10.244.2.1', { nodeName: 'node2' })
  const both = slice({ endpoints: [here, there] })

  it('stand at every address, and at the node port of every address of the node', () => {
    assert.deepEqual(serversOf(decide(everywhere(), both)), {
      '-t 10.200.1.2:30080': '-s rr 10.244.1.1:8080 10.244.2.1:8080',
      '-t 192.0.2.7:80': '-s rr 10.244.1.1:8080 10.244.2.1:8080',
      '-t 198.51.100.7:80': '-s rr 10.244.1.1:8080 10.244.2.1:8080',
      '-t 10.96.0.7:80': '-s rr 10.244.1.1:8080 10.244.2.1:8080',
    })
  })

  const policies = [
    {
      title: 'externalTrafficPolicy Local: those here from outside',
      fields: { externalTrafficPolicy: 'Local' },
      slices: both,
      internal: 2,
      external: 1,
    },
    {
      title: 'externalTrafficPolicy Local with none here: those of other nodes, which a rule guards',
      fields: { externalTrafficPolicy: 'Local' },
      slices: slice({ endpoints: [there] }),
      internal: 1,
      external: 1,
    },
    { title: 'internalTrafficPolicy Local', fields: { internalTrafficPolicy: 'Local' }, slices: both, internal: 1, external: 2 },
    {
      title: 'internalTrafficPolicy Local with none here: nobody, and so refused',
      fields: { internalTrafficPolicy: 'Local' },
      slices: slice({ endpoints: [there] }),
      internal: 0,
      external: 1,
    },
    { title: 'no endpoint at all', fields: {}, slices: slice(), internal: 0, external: 0 },
  ] as const
  for (const { title, fields, slices, internal, external } of policies) {
    it(`lead to whom the policy says: ${title}`, () => {
      const servers = virtualServers(decide(everywhere(fields), slices), context)
      const count = (name: string) => servers.get(name as never)?.realServers.size
      assert.equal(count('-t 10.96.0.7:80'), internal)
      for (const name of ['-t 10.200.1.2:30080', '-t 192.0.2.7:80', '-t 198.51.100.7:80'])
        assert.equal(count(name), external, name)
    })
  }

  const options: readonly (readonly [scheduler: string, affinity: number | undefined, options: string])[] = [
    ['rr', undefined, '-s rr'],
    ['lc', 10_800, '-s lc -p 10800'],
    ['sh', undefined, '-s sh'],
    ['mh', undefined, '-s mh -b mh-port'],
    ['mh', 300, '-s mh -p 300 -b mh-port'],
  ]
  for (const [scheduler, affinityTimeoutSeconds, expected] of options) {
    it(`have options as ipvsadm prints them: ${expected}`, () => {
      const servers = virtualServers(decide(service({ affinityTimeoutSeconds })), { ...context, scheduler })
      assert.deepEqual(
        [...servers.values()].map(each => each.options),
        [expected],
      )
    })
  }
})

describe('withFallback', () => {
  const rows = [
    ['-s rr', '-s rr'],
    ['-s wlc -p 10800', '-s wlc -p 10800'],
    ['-s sh', '-s sh -b sh-fallback'],
    ['-s sh -b sh-fallback', '-s sh -b sh-fallback'],
    ['-s sh -p 300 -b sh-port', '-s sh -p 300 -b sh-fallback,sh-port'],
    ['-s mh -p 300 -b mh-port', '-s mh -p 300 -b mh-fallback,mh-port'],
    ['-s mh -p 300 -b mh-fallback,mh-port', '-s mh -p 300 -b mh-fallback,mh-port'],
    ['-s dh', '-s dh'],
  ] as const
  for (const [before, after] of rows) it(`makes ${before} ${after}`, () => assert.equal(withFallback(before), after))
  it('knows the scheduler', () => {
    assert.equal(schedulerOf('-s mh -p 300 -b mh-port'), 'mh')
    assert.equal(schedulerOf(''), '')
  })
})

describe('the scheduler of a Service', () => {
  const abilities: IpvsAbilities = { hasScheduler: name => name !== 'sed' }
  const rows: readonly (readonly [
    annotations: Record<string, string> | undefined,
    scheduler: string,
    refused: string | undefined,
  ])[] = [
    [undefined, 'rr', undefined],
    [{ 'switchyard/ipvs-scheduler': 'lc' }, 'lc', undefined],
    [{ 'kube-router.io/service.scheduler': 'sh' }, 'sh', undefined],
    [{ 'kube-router.io/service.scheduler': 'sh', 'switchyard/ipvs-scheduler': 'lc' }, 'lc', undefined],
    [{ 'switchyard/ipvs-scheduler': 'sed' }, 'rr', 'sed'],
    [{ 'switchyard/ipvs-scheduler': 'fastest' }, 'rr', 'fastest'],
    [{ 'switchyard/ipvs-scheduler': 'rr\n-C' }, 'rr', 'rr\n-C'],
  ]
  for (const [annotations, scheduler, refused] of rows) {
    it(`is ${scheduler} for ${JSON.stringify(annotations)}`, () => {
      const { servicePort } = decide(service({ annotations }))
      assert.deepEqual(chooseScheduler(servicePort, { usual: 'rr', abilities }), { scheduler, refused })
    })
  }

  it('that is refused is said, and the Service is programmed', async () => {
    const harness = ipvsHarness()
    await harness.programmed(put(service({ annotations: { 'switchyard/ipvs-scheduler': 'lblcr' } })), put(pods(['10.244.1.1'])))
    const [remark] = eventsOf(harness.recorded, 'remarked')
    assert.equal(remark?.service, web)
    assert.equal(remark?.reason, 'SchedulerUnavailable')
    assert.match(remark?.message ?? '', /"lblcr".*gets rr/)
    assert.equal(harness.kernel.servers.get('-t 10.96.0.7:80' as never)?.options, '-s rr')
  })
})

describe('addresses of node ports', () => {
  const facts = withAddresses('10.200.7.7', '192.168.3.3')
  const rows = [
    ['all', ['10.200.1.2', '10.200.7.7', '192.168.3.3']],
    ['primary', ['10.200.1.2']],
    [[cidr('10.200.0.0/16')], ['10.200.1.2', '10.200.7.7']],
    [[cidr('127.0.0.0/8')], []],
    [[cidr('0.0.0.0/0')], ['10.200.1.2', '10.200.7.7', '192.168.3.3']],
  ] as const
  for (const [selection, expected] of rows) {
    it(`selected by ${JSON.stringify(selection)} are ${expected.join(', ') || 'none'}, never loopback`, () => {
      const of = { ...settings, nodePortAddresses: selection }
      assert.deepEqual(outerNodePortAddresses(of, facts, 'IPv4'), expected)
    })
  }
  it("are the family's own", () => assert.deepEqual(outerNodePortAddresses(settings, node, 'IPv6'), [address('fd00:200:1::2')]))
})
