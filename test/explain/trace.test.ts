// The answer to "what becomes of this connection, and why": its words for who and where, the reasons, and what damage makes of it. Kernels are in memory.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { traceObject } from '../../src/explain/trace.ts'
import type { TraceObject } from '../../src/explain/trace-object.ts'
import { type HasRoute, withRoutes } from '../../src/explain/trace-routes.ts'
import type { IpFamily } from '../../src/model/address.ts'
import type { EndpointSlice, Service } from '../../src/model/objects.ts'
import { type Inspection, inspection } from '../../src/sync/inspect.ts'
import type { PassInput } from '../../src/sync/pass-input.ts'
import { address, cidr, endpoint, put, service, slice } from '../support/cluster.ts'
import type { FakeIpvsKernel } from '../sync/support/fake-ipvs-kernel.ts'
import type { FakeKernel } from '../sync/support/fake-kernel.ts'
import { createHarness, passInput } from '../sync/support/harness.ts'
import { createIpvsHarness } from '../sync/support/ipvs-harness.ts'

interface Given {
  readonly objects: readonly (Service | EndpointSlice)[]
  readonly input?: PassInput
  readonly families?: readonly IpFamily[]
}

/** What a daemon would answer that has programmed these objects; `damage` comes after that. */
async function inIptables(
  { objects, input = passInput(), families = ['IPv4'] }: Given,
  damage: (kernel: FakeKernel) => void = () => {},
) {
  const inspections: Inspection[] = []
  let store = createHarness().store
  for (const family of families) {
    const harness = createHarness({ family })
    harness.input = input
    await harness.programmed(...objects.map(put))
    damage(harness.kernel)
    const found = await harness.sync.inspect(input, inspection)
    assert.ok(found !== undefined)
    inspections.push(found)
    store = harness.store
  }
  return asker(inspections, store)
}

async function inIpvs({ objects, input = passInput() }: Given, damage: (kernel: FakeIpvsKernel) => void = () => {}) {
  const harness = createIpvsHarness()
  harness.input = input
  await harness.programmed(...objects.map(put))
  damage(harness.kernel)
  const found = await harness.sync.inspect(input, inspection)
  assert.ok(found !== undefined)
  return asker([found], harness.store)
}

type Facts = Parameters<typeof traceObject>[1]

interface Asker {
  with: (values: Readonly<Record<string, string>>, wrong?: NonNullable<Facts['parameters']>['wrong']) => Asker
  trace: (from: string, to: string, family?: IpFamily) => TraceObject
  problem: (from: string, to: string, family?: IpFamily) => string
}

function asker(inspections: readonly Inspection[], cluster: Facts['cluster'], parameters?: Facts['parameters']): Asker {
  const ask = (from: string, to: string, family?: IpFamily) =>
    traceObject({ from, to, family }, { inspections, cluster, ...(parameters && { parameters }) }, 0)
  return {
    /** The same where these kernel parameters have other values than they should. */
    with: (values: Readonly<Record<string, string>>, wrong: NonNullable<Facts['parameters']>['wrong'] = []) =>
      asker(inspections, cluster, { values: new Map(Object.entries(values)), wrong }),
    trace: (from: string, to: string, family?: IpFamily): TraceObject => {
      const found = ask(from, to, family)
      assert.ok(!('problem' in found), 'problem' in found ? found.problem : '')
      return found
    },
    problem: (from: string, to: string, family?: IpFamily): string => {
      const found = ask(from, to, family)
      assert.ok('problem' in found)
      return found.problem
    },
  }
}

const web = service({
  name: 'web',
  type: 'NodePort',
  ports: [{ name: 'http', protocol: 'TCP', port: 80, nodePort: 30_080 }],
})
const webSlice = slice({
  ports: [{ name: 'http', protocol: 'TCP', port: 8080 }],
  endpoints: [
    endpoint('10.244.1.11', { podName: 'web-1' }),
    endpoint('10.244.2.21', { podName: 'web-2', nodeName: 'node2' }),
    endpoint('10.244.1.12', { podName: 'web-3', ready: false, serving: false }),
    endpoint('10.244.2.22', { podName: 'web-4', nodeName: 'node2', ready: false, terminating: true }),
  ],
})
const dns = service({
  name: 'dns',
  namespace: 'kube-system',
  clusterIPs: [address('10.96.0.10')],
  ports: [
    { name: 'dns', protocol: 'UDP', port: 53, nodePort: 0 },
    { name: 'dns-tcp', protocol: 'TCP', port: 53, nodePort: 0 },
    { name: 'metrics', protocol: 'TCP', port: 9153, nodePort: 0 },
  ],
})
const timing = service({
  name: 'ntp',
  clusterIPs: [address('10.96.0.11')],
  ports: [{ name: '', protocol: 'UDP', port: 123, nodePort: 30_123 }],
})
const objects = [web, webSlice, dns, timing]
const local = { ...web, externalTrafficPolicy: 'Local' } as const satisfies Service

describe('a trace', () => {
  for (const [count, expected] of [
    [3, 'one of 3 rules, by chance'],
    [64, 'one of 64 rules, by chance'],
    [100, 'one of 100 endpoints, by chance: a group of them, then one of the group'],
    [1100, 'one of 1100 endpoints, by chance: a group of them, then one of the group'],
  ] as const) {
    it(`names the chain that decides among ${count} endpoints`, async () => {
      const endpoints = Array.from({ length: count }, (_, index) => endpoint(`10.244.${100 + (index >> 8)}.${index & 255}`))
      const { trace } = await inIptables({ objects: [web, slice({ ...webSlice, endpoints })] })
      const { decidedBy } = trace('10.244.1.99', 'svc/web')
      assert.match(decidedBy?.where ?? '', /^nat chain KUBE-SVC-[A-Z2-7]{16}$/)
      assert.equal(decidedBy?.what, expected)
    })
  }

  it('tells endpoints with their chances, and why the others get nothing', async () => {
    const { trace } = await inIptables({ objects })
    const { candidates, others, verdict, shares, service: of, decidedBy, unsure, drifts } = trace('pod/web-2', 'svc/web')
    assert.equal(verdict, 'endpoints')
    assert.deepEqual(shares, { endpoints: 1, refused: 0, dropped: 0, untouched: 0 })
    assert.deepEqual(of, {
      service: 'default/web',
      port: 'default/web:http',
      type: 'NodePort',
      addressKind: 'cluster IP',
      policy: 'internalTrafficPolicy Cluster',
    })
    assert.match(decidedBy?.where ?? '', /^nat chain KUBE-SVC-/)
    assert.deepEqual(
      candidates.map(({ endpoint: name, pod, node, probability, masquerade, weight }) => [
        name,
        pod,
        node,
        probability.toFixed(3),
        masquerade,
        weight,
      ]),
      [
        ['10.244.1.11:8080', 'default/web-1', 'node1', '0.500', false, null],
        ['10.244.2.21:8080', 'default/web-2', 'node2', '0.500', true, null],
      ],
    )
    assert.deepEqual(
      others.map(({ endpoint: name, reason }) => [name, reason]),
      [
        ['10.244.1.12:8080', 'not ready'],
        ['10.244.2.22:8080', 'terminating, and ready ones exist'],
      ],
    )
    assert.deepEqual([unsure, drifts], [[], []])
  })

  const masquerades: readonly (readonly [
    title: string,
    from: string,
    to: string,
    applies: string,
    reason: RegExp,
    input?: PassInput | undefined,
    objects?: Given['objects'],
  ])[] = [
    ['not for a pod at a cluster IP', '10.244.1.99', 'svc/web', 'never', /sender is a pod/],
    ['for a pod that is sent to itself', 'pod/web-1', 'svc/web', 'for some endpoints', /sent to itself/],
    ['for the node at a cluster IP', 'node', 'svc/web', 'always', /the node itself sends \(pods are in 10\.244\.0\.0\/16\)/],
    ['for a client outside at a cluster IP', 'outside', 'svc/web', 'always', /192\.0\.2\.1 is no pod/],
    [
      'for all under masqueradeAll',
      '10.244.1.99',
      'svc/web',
      'always',
      /masqueradeAll/,
      passInput({ settings: { masqueradeAll: true } }),
    ],
    ['at a node port under policy Cluster', 'outside', 'node:30080', 'always', /externalTrafficPolicy is Cluster/],
    [
      'not at a node port under policy Local',
      'outside',
      'node:30080',
      'never',
      /externalTrafficPolicy is Local/,
      undefined,
      [local, webSlice],
    ],
    [
      'not where nothing tells pods from others',
      'outside',
      'svc/web',
      'never',
      /clusterCIDR is not set/,
      passInput({ settings: { detectLocal: { mode: 'ClusterCIDR', cidrs: [] } } }),
    ],
  ]
  for (const [title, from, to, applies, reason, input, other] of masquerades) {
    it(`says why it is masqueraded: ${title}`, async () => {
      const { trace } = await inIptables({ objects: other ?? objects, ...(input && { input }) })
      const { masquerade } = trace(from, to)
      assert.equal(masquerade?.applies, applies)
      assert.match(masquerade?.reason ?? '', reason)
    })
  }

  const summaries: readonly (readonly [
    title: string,
    from: string,
    to: string,
    verdict: TraceObject['verdict'],
    words: RegExp,
    given?: Partial<Given>,
  ])[] = [
    ['no endpoint', 'node', 'svc/kube-system/dns:metrics', 'refused', /has no endpoint at all/],
    [
      'none that is ready',
      'node',
      'svc/web',
      'refused',
      /has one endpoint, and it is not ready/,
      { objects: [web, { ...webSlice, endpoints: webSlice.endpoints.slice(2, 3) }] },
    ],
    [
      'none on this node under policy Local',
      'outside',
      'node:30080',
      'dropped',
      /externalTrafficPolicy is Local, and its one endpoint is not on node1/,
      { objects: [local, { ...webSlice, endpoints: webSlice.endpoints.slice(1, 2) }] },
    ],
    ['a node port that nobody has', 'outside', 'node:30081', 'not a Service', /no Service has node port 30081\/TCP/],
    ['a node port of another protocol', 'outside', 'node:30123/TCP', 'not a Service', /30123\/UDP is default\/ntp's/],
    [
      'a port that the Service has not',
      'outside',
      '10.96.0.7:81',
      'not a Service',
      /10\.96\.0\.7 is default\/web's, which has no port 81\/TCP there, only 80\/TCP/,
    ],
    ['a pod', 'outside', 'pod/web-1:8080', 'not a Service', /10\.244\.1\.11 is pod default\/web-1's own address/],
    [
      'a health check port',
      'outside',
      'node:32000',
      'not a Service',
      /port 32000 is where the health of default\/web is asked for/,
      { objects: [{ ...local, type: 'LoadBalancer', healthCheckNodePort: 32_000 }, webSlice] },
    ],
    ['an address that no Service has', 'outside', '10.96.9.9:80', 'not a Service', /no Service has the address 10\.96\.9\.9/],
    [
      'a node port that nodePortAddresses excludes',
      'outside',
      'node:30080',
      'not a Service',
      /nodePortAddresses lets it answer only at 10\.99\.0\.0\/16/,
      { input: passInput({ settings: { nodePortAddresses: [cidr('10.99.0.0/16')] } }) },
    ],
    [
      'a node port on loopback without localhostNodePorts',
      'node',
      '127.0.0.1:30080',
      'not a Service',
      /localhostNodePorts is off/,
      { input: passInput({ settings: { localhostNodePorts: false } }) },
    ],
    [
      'a node port on loopback',
      'node',
      '127.0.0.1:30080',
      'endpoints',
      /one of 2 endpoints of default\/web:http, each with the same chance/,
    ],
    [
      'session affinity',
      'outside',
      'svc/web',
      'endpoints',
      /within the last 600 s is sent where it was/,
      { objects: [{ ...web, affinityTimeoutSeconds: 600 }, webSlice] },
    ],
  ]
  for (const [title, from, to, verdict, words, given] of summaries) {
    it(`says what it is about: ${title}`, async () => {
      const { trace } = await inIptables({ objects, ...given })
      const found = trace(from, to)
      assert.equal(found.verdict, verdict)
      assert.match(found.summary.join(' '), words)
    })
  }

  it('tells who may come by a load balancer and who may not', async () => {
    const balanced: Service = {
      ...web,
      type: 'LoadBalancer',
      loadBalancerAddresses: [address('198.51.100.9')],
      loadBalancerSourceRanges: [cidr('203.0.113.0/24')],
    }
    for (const { trace } of [
      await inIptables({ objects: [balanced, webSlice] }),
      await inIpvs({ objects: [balanced, webSlice] }),
    ]) {
      const kept = trace('outside', '198.51.100.9:80')
      assert.equal(kept.verdict, 'dropped')
      assert.match(kept.summary.join(' '), /192\.0\.2\.1 is in none of loadBalancerSourceRanges \(203\.0\.113\.0\/24\)/)
      assert.equal(
        kept.others.find(({ endpoint: name }) => name === '10.244.1.11:8080')?.reason,
        'the sender is in no source range',
      )
      assert.equal(trace('203.0.113.7', '198.51.100.9').verdict, 'endpoints')
    }
  })

  it('tells for whom a traffic policy is', async () => {
    const given = { objects: [local, webSlice] }
    const rules = await inIptables(given)
    assert.equal(rules.trace('outside', 'node:30080').service?.policy, 'externalTrafficPolicy Local')
    assert.match(rules.trace('pod/web-1', 'node:30080').service?.policy ?? '', /for pods it is Cluster/)
    assert.equal(rules.trace('pod/web-1', 'node:30080').candidates.length, 2)
    const servers = await inIpvs(given)
    assert.match(servers.trace('pod/web-1', 'node:30080').service?.policy ?? '', /one list of endpoints for all/)
    assert.deepEqual(
      servers.trace('node', 'node:30080').candidates.map(({ endpoint: name }) => name),
      ['10.244.1.11:8080'],
    )
  })

  it('knows pods by the link that they come by', async () => {
    const input = passInput({ settings: { detectLocal: { mode: 'InterfaceNamePrefix', prefix: 'veth' } } })
    const { trace } = await inIptables({ objects, input })
    const applies = (from: string) => trace(from, 'svc/web').masquerade?.applies
    assert.deepEqual(['10.244.1.99', 'pod/web-2', 'outside', 'node'].map(applies), ['never', 'always', 'always', 'always'])
  })

  it('in ipvs mode names the virtual server and its weights', async () => {
    const { trace } = await inIpvs({ objects })
    const { decidedBy, candidates, mode } = trace('node', 'svc/web')
    assert.deepEqual([mode, decidedBy], ['ipvs', { where: 'virtual server -t 10.96.0.7:80', what: '-s rr' }])
    assert.deepEqual(
      candidates.map(({ probability, weight }) => [probability, weight]),
      [
        [0.5, 1],
        [0.5, 1],
      ],
    )
    assert.match(
      trace('outside', '10.96.0.7:81').summary.join(' '),
      /Refused: 10\.96\.0\.7 is default\/web's, which has no port 81/,
    )
    assert.match(trace('node', '127.0.0.1:30080').summary.join(' '), /ipvs mode serves none on loopback/)
  })
})

describe('damage', () => {
  const differs = /The kernel is not as it should be/

  it('of a rule that leads to an endpoint: what it got goes on untranslated', async () => {
    const { trace } = await inIptables({ objects }, kernel => {
      const chain = kernel.chains('nat').find(name => name.startsWith('KUBE-SVC-')) ?? ''
      kernel.edit('nat', `-D ${chain} ${kernel.rules('nat', chain)?.at(-1)}`)
    })
    const { verdict, shares, summary, drifts, others } = trace('outside', 'svc/web')
    assert.equal(verdict, 'endpoints')
    assert.deepEqual([shares.endpoints.toFixed(2), shares.untouched.toFixed(2)], ['0.50', '0.50'])
    assert.match(summary.join(' '), /50 % of connections like this: not translated: .* the kernel has no rule that takes it/)
    assert.match(summary.join(' '), differs)
    assert.deepEqual(
      drifts.map(({ service: of, kind }) => [of, kind]),
      [['default/web', 'changed']],
    )
    assert.equal(
      others.find(({ endpoint: name }) => name === '10.244.2.21:8080')?.reason,
      'is to get connections, and the kernel sends it none',
    )
  })

  it('by a rule of others that leads past ours', async () => {
    const { trace } = await inIptables({ objects }, kernel =>
      kernel.edit('nat', '-I KUBE-NODEPORTS -p tcp -m tcp --dport 30080 -j RETURN'),
    )
    const { outcome, summary } = trace('outside', 'node:30080')
    assert.equal(outcome, 'not taken')
    assert.match(summary[0] ?? '', /nat chain KUBE-NODEPORTS has -p tcp -m tcp --dport 30080 -j RETURN, which leads it past/)
  })

  it('of the jump to our rules: nothing is translated', async () => {
    const { trace } = await inIptables({ objects }, kernel => {
      for (const rule of kernel.rules('nat', 'PREROUTING') ?? []) kernel.edit('nat', `-D PREROUTING ${rule}`)
    })
    const { verdict, summary, drifts } = trace('outside', 'node:30080')
    assert.equal(verdict, 'not a Service')
    assert.match(summary.join(' '), differs)
    assert.equal(drifts[0]?.kind, 'missing')
    assert.equal(trace('node', 'node:30080').verdict, 'endpoints', 'the node goes by OUTPUT')
  })

  it('by a rule of others that comes first', async () => {
    const { trace } = await inIptables({ objects }, kernel => kernel.edit('filter', '-I FORWARD -d 10.244.2.21/32 -j DROP'))
    const { shares, summary, decidedBy } = trace('outside', 'svc/web')
    assert.deepEqual([shares.endpoints.toFixed(2), shares.dropped.toFixed(2)], ['0.50', '0.50'])
    assert.match(
      summary.join(' '),
      /dropped without an answer: the kernel drops it, although .*filter chain FORWARD has -d 10\.244\.2\.21\/32 -j DROP/,
    )
    assert.match(decidedBy?.where ?? '', /KUBE-SVC-/)
  })

  it('of weights and real servers in ipvs mode', async () => {
    const { trace } = await inIpvs({ objects }, kernel => {
      const server = [...kernel.servers].find(([name]) => name === '-t 10.96.0.7:80')?.[1]
      server?.realServers.set('10.244.1.11:8080', '-m -w 0')
    })
    const { candidates, others, summary } = trace('outside', 'svc/web')
    assert.deepEqual(
      candidates.map(({ endpoint: name }) => name),
      ['10.244.2.21:8080'],
    )
    assert.equal(others[0]?.reason, 'is to get connections, and the kernel sends it none')
    assert.match(summary.join(' '), differs)
  })

  it('of an address of ipvs mode: packets go elsewhere', async () => {
    const { trace } = await inIpvs({ objects }, kernel => kernel.links.get('kube-ipvs0')?.delete('10.96.0.7/32'))
    assert.equal(trace('outside', 'svc/web').verdict, 'not a Service')
    assert.match(trace('outside', 'svc/web').summary.join(' '), differs)
  })
})

describe('a target that is not to get connections', () => {
  const toStranger = (kernel: FakeKernel): void => {
    kernel.edit('nat', '-I PREROUTING -d 10.96.0.7/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.1.2.3:80')
  }

  it('is named where a rule of others leads to it', async () => {
    const { trace } = await inIptables({ objects }, toStranger)
    const { outcome, verdict, summary, candidates } = trace('outside', 'svc/web')
    assert.deepEqual([outcome, verdict], ['wrong target', 'endpoints'])
    assert.equal(summary[0], 'Leads to 10.1.2.3:80, which is no endpoint of default/web:http.')
    assert.deepEqual(
      candidates.map(({ wanted, note }) => [wanted, note]),
      [[false, 'no endpoint of default/web:http']],
    )
  })

  it('is named where it got a part, beside those that are right', async () => {
    const { trace } = await inIptables({ objects }, kernel => {
      const chain = kernel.chains('nat').find(name => name.startsWith('KUBE-SEP-')) ?? ''
      const rule = kernel.rules('nat', chain)?.at(-1) ?? ''
      kernel.edit('nat', `-D ${chain} ${rule}`, `-A ${chain} ${rule.replace(/\S+$/, '10.1.2.3:80')}`)
    })
    const { outcome, summary } = trace('outside', 'svc/web')
    assert.equal(outcome, 'partly wrong target')
    assert.match(summary[0] ?? '', /^50 % of connections like this: goes to 10\.244\.\d\.\d1:8080, the only endpoint/)
    assert.equal(summary[1], '50 % of connections like this: leads to 10.1.2.3:80, which is no endpoint of default/web:http.')
  })

  it('may be an endpoint: why it is to get none', async () => {
    const { trace } = await inIptables({ objects }, kernel => {
      for (const chain of kernel.chains('nat').filter(name => name.startsWith('KUBE-SEP-'))) {
        const rule = kernel.rules('nat', chain)?.at(-1) ?? ''
        kernel.edit('nat', `-D ${chain} ${rule}`, `-A ${chain} ${rule.replace(/\S+$/, '10.244.1.12:8080')}`)
      }
    })
    const { outcome, summary } = trace('outside', 'svc/web')
    assert.equal(outcome, 'wrong target')
    assert.equal(summary[0], 'Leads to 10.244.1.12:8080, an endpoint that is to get no connections (not ready).')
  })

  it('in ipvs mode is a real server of nobody', async () => {
    const { trace } = await inIpvs({ objects }, kernel => {
      const server = [...kernel.servers].find(([name]) => name === '-t 10.96.0.7:80')?.[1]
      server?.realServers.set('10.1.2.3:80', '-m -w 1')
    })
    const { outcome, summary } = trace('outside', 'svc/web')
    assert.equal(outcome, 'partly wrong target')
    assert.match(summary[1] ?? '', /leads to 10\.1\.2\.3:80, which is no endpoint of default\/web:http/)
  })

  it('is not one that ends and gets all since none is ready', async () => {
    const ending = endpoint('10.244.1.11', { ready: false, terminating: true })
    const { trace } = await inIptables({ objects: [web, { ...webSlice, endpoints: [ending] }] })
    const { outcome, candidates } = trace('outside', 'svc/web')
    assert.deepEqual([outcome, candidates[0]?.note], ['answered', 'terminating, and none is ready'])
  })
})

describe('kernel parameters', () => {
  const forward = 'net.ipv4.ip_forward'
  const localnet = 'net.ipv4.conf.all.route_localnet'
  const wrong = { name: forward, is: '0', expected: '1', why: 'a test', consequence: 'nothing is sent on', isOurs: false }
  const rows: readonly (readonly [
    title: string,
    values: Readonly<Record<string, string>>,
    from: string,
    to: string,
    outcome: TraceObject['outcome'],
    words: RegExp,
  ])[] = [
    [
      'node ports on loopback without route_localnet',
      { [localnet]: '0' },
      'node',
      '127.0.0.1:30080',
      'dropped',
      /route_localnet is 0/,
    ],
    ['node ports on loopback', { [localnet]: '1' }, 'node', '127.0.0.1:30080', 'answered', /one of 2/],
    ['other addresses without route_localnet', { [localnet]: '0' }, 'node', 'node:30080', 'answered', /one of 2/],
    ['from outside without forwarding', { [forward]: '0' }, 'outside', 'node:30080', 'dropped', /ip_forward is 0/],
    ['from a pod without forwarding', { [forward]: '0' }, 'pod/web-1', 'svc/web', 'dropped', /ip_forward is 0/],
    ['from the node without forwarding', { [forward]: '0' }, 'node', 'svc/web', 'answered', /one of 2/],
    ['IPv6 has a parameter of its own', { 'net.ipv6.conf.all.forwarding': '0' }, 'outside', 'svc/web', 'answered', /one of 2/],
  ]
  for (const [title, values, from, to, outcome, words] of rows) {
    it(`are taken into account: ${title}`, async () => {
      const found = (await inIptables({ objects })).with(values).trace(from, to)
      assert.equal(found.outcome, outcome)
      assert.match(found.summary[0] ?? '', words)
    })
  }

  it('are of this node: a pod of another one is said to meet the rules there', async () => {
    const { trace } = await inIptables({ objects })
    const said = (from: string): string => trace(from, 'svc/web').summary.join(' ')
    assert.match(
      said('pod/web-2'),
      /10\.244\.2\.21 is a pod on node node2, and its connections to Services meet the rules of that node/,
    )
    assert.match(said('10.244.2.21'), /on node node2/)
    assert.match(said('10.244.3.99'), /on another node/)
    for (const here of ['pod/web-1', '10.244.1.99', 'outside', 'node']) assert.doesNotMatch(said(here), /is a pod on/)
  })

  it('are taken into account in ipvs mode: answers need forwarding, and masquerading its conntrack', async () => {
    const ipvs = await inIpvs({ objects })
    const { outcome, decidedBy } = ipvs.with({ [forward]: '0' }).trace('outside', 'svc/web')
    assert.deepEqual([outcome, decidedBy], ['dropped', { where: `kernel parameter ${forward}`, what: '0' }])
    assert.equal(ipvs.trace('outside', 'svc/web').masquerade?.applies, 'always')
    assert.equal(ipvs.with({ 'net.ipv4.vs.conntrack': '0' }).trace('outside', 'svc/web').masquerade?.applies, 'never')
  })

  it('that are wrong are named as differences, where the packet depends on them', async () => {
    const found = (await inIptables({ objects })).with({ [forward]: '0' }, [wrong, { ...wrong, name: localnet }])
    assert.deepEqual(
      found.trace('outside', 'svc/web').drifts.map(({ what, meaning }) => [what, meaning]),
      [[`kernel parameter ${forward}: 0, expected 1 (a test)`, 'nothing is sent on']],
    )
    assert.equal(found.trace('node', '127.0.0.1:30080').drifts.length, 2)
  })
})

describe('routes', () => {
  const without =
    (...addresses: readonly string[]): HasRoute =>
    async to =>
      !addresses.includes(to)
  const rows: readonly (readonly [
    title: string,
    from: string,
    missing: readonly string[],
    outcome: TraceObject['outcome'],
    said: RegExp | undefined,
  ])[] = [
    ['that are all there', 'outside', [], 'answered', undefined],
    ['to one endpoint', 'outside', ['10.244.2.21'], 'partly answered', /no route to endpoint 10\.244\.2\.21/],
    ['to no endpoint', 'outside', ['10.244.1.11', '10.244.2.21'], 'no route', /no route to endpoint/],
    ['back to the sender', '198.51.100.7', ['198.51.100.7'], 'no route', /no route back to 198\.51\.100\.7/],
    ['back to a mere example of a sender', 'outside', ['192.0.2.1'], 'answered', undefined],
    ["to the Service's address, for the node itself", 'node', ['10.96.0.7'], 'no route', /no route to 10\.96\.0\.7/],
  ]
  for (const [title, from, missing, outcome, said] of rows) {
    it(`${title}: ${outcome}`, async () => {
      const { trace } = await inIptables({ objects })
      const found = await withRoutes(trace(from, 'svc/web'), without(...missing))
      assert.equal(found.outcome, outcome)
      const last = found.summary.at(-1) ?? ''
      if (said === undefined) assert.doesNotMatch(last, /route/)
      else assert.match(last, said)
    })
  }
})

describe('the words of FROM and TO', () => {
  const dual = service({
    name: 'dual',
    clusterIPs: [address('10.96.0.20'), address('fd00:10:96::20')],
    ipFamilies: ['IPv4', 'IPv6'],
  })
  const headless = { ...service({ name: 'none', clusterIPs: [] }), headless: true }
  const elsewhere = { ...service({ name: 'theirs', clusterIPs: [address('10.96.0.21')] }), serviceProxyName: 'cilium' }
  const twin = service({ name: 'twin', namespace: 'a', clusterIPs: [address('10.96.0.22')] })
  const agent = slice({
    name: 'ntp-1',
    service: 'ntp',
    ports: [{ name: '', protocol: 'UDP', port: 123 }],
    endpoints: [endpoint('10.200.1.2', { podName: 'agent' })],
  })
  const given: Given = {
    objects: [
      ...objects,
      agent,
      dual,
      headless,
      elsewhere,
      twin,
      { ...twin, namespace: 'b' as Service['namespace'], clusterIPs: [address('10.96.0.23')] },
    ],
    families: ['IPv4', 'IPv6'],
  }

  const goals: readonly (readonly [from: string, to: string, goal: string, family?: IpFamily])[] = [
    ['node', 'svc/web', '10.96.0.7:80/TCP'],
    ['node', 'svc/default/web:http', '10.96.0.7:80/TCP'],
    ['node', 'service/web:80/TCP', '10.96.0.7:80/TCP'],
    ['node', 'svc/dns:53', '10.96.0.10:53/TCP'],
    ['node', 'svc/dns:dns', '10.96.0.10:53/UDP'],
    ['node', 'svc/kube-system/dns:53/udp', '10.96.0.10:53/UDP'],
    ['node', 'svc/ntp', '10.96.0.11:123/UDP'],
    ['node', '10.96.0.11:123', '10.96.0.11:123/UDP'],
    ['node', '10.96.0.7', '10.96.0.7:80/TCP'],
    ['node', '10.96.0.7:443', '10.96.0.7:443/TCP'],
    ['outside', 'node:30123', '10.200.1.2:30123/UDP'],
    ['outside', 'pod/web-1', '10.244.1.11:8080/TCP'],
    ['outside', 'pod/default/web-1:9090', '10.244.1.11:9090/TCP'],
    ['node', 'svc/dual', '10.96.0.20:80/TCP'],
    ['node', 'svc/dual', 'fd00:10:96::20:80/TCP', 'IPv6'],
    ['fd00:10:244:1::5', 'svc/dual', 'fd00:10:96::20:80/TCP'],
    ['node', '[fd00:10:96::20]:80', 'fd00:10:96::20:80/TCP'],
    ['node', 'fd00:10:96::20', 'fd00:10:96::20:80/TCP'],
  ]
  it('find address, port and protocol', async () => {
    const { trace } = await inIptables(given)
    for (const [from, to, goal, family] of goals) {
      const { address: at, port, protocol } = trace(from, to, family).to
      assert.equal(`${at}:${port}/${protocol}`, goal, to)
    }
  })

  const senders: readonly (readonly [from: string, address: string, kind: string])[] = [
    ['node', '10.200.1.2', 'node'],
    ['outside', '192.0.2.1', 'outside'],
    ['pod/web-1', '10.244.1.11', 'pod'],
    ['pod/default/web-2', '10.244.2.21', 'pod'],
    ['pod/agent', '10.200.1.2', 'node'],
    ['10.244.9.9', '10.244.9.9', 'pod'],
    ['10.200.1.2', '10.200.1.2', 'node'],
    ['10.200.1.7', '10.200.1.7', 'outside'],
  ]
  it('find the sender', async () => {
    const { trace } = await inIptables(given)
    for (const [from, at, kind] of senders) {
      const found = trace(from, 'svc/web').from
      assert.deepEqual([found.address, found.kind], [at, kind], from)
    }
  })

  it('choose somebody outside who is no pod', async () => {
    const input = passInput({ settings: { detectLocal: { mode: 'ClusterCIDR', cidrs: [cidr('192.0.2.0/24')] } } })
    const { trace } = await inIptables({ objects, input })
    assert.equal(trace('outside', 'svc/web').from.address, '198.51.100.1')
  })

  const problems: readonly (readonly [from: string, to: string, words: RegExp, family?: IpFamily])[] = [
    ['nobody', 'svc/web', /cannot tell who sends: "nobody" is none of an address, pod\/NAME/],
    ['pod/nobody', 'svc/web', /no EndpointSlice names a pod nobody.*write its address/],
    [
      'pod/kube-system/web-1',
      'svc/web',
      /no EndpointSlice names a pod web-1 in namespace kube-system \(there is one in default\)/,
    ],
    ['node', 'svc/nothing', /there is no Service nothing/],
    ['node', 'svc/kube-system/web', /there is no Service web in namespace kube-system; there is one in default/],
    ['node', 'svc/twin', /a Service twin in each of a, b: write svc\/NAMESPACE\/twin/],
    [
      'node',
      'svc/dns',
      /several ports: write svc\/kube-system\/dns:PORT with one of 53\/UDP \(dns\), 53\/TCP \(dns-tcp\), 9153\/TCP \(metrics\)/,
    ],
    ['node', 'svc/web:81', /Service default\/web has no port 81; it has 80\/TCP \(http\)/],
    ['node', 'svc/web:80/UDP', /has no port 80 over UDP/],
    ['node', 'svc/none', /headless/],
    ['node', 'svc/theirs', /another proxy's.*cilium/],
    ['node', '10.96.0.10', /has no port: write 10\.96\.0\.10:PORT; Services have 53\/UDP/],
    ['node', '10.99.0.10', /no Service has that address/],
    ['node', '10.96.0.10:http', /"http" is no port; write a number/],
    ['node', '10.96.0.10:70000', /"70000" is no port/],
    ['node', 'example.com:80', /not looked up in DNS/],
    ['node', 'outside', /`outside` can only send/],
    ['fd00::1', '10.96.0.7:80', /fd00::1 is IPv6 and 10\.96\.0\.7:80 is IPv4/],
    ['node', '10.96.0.7:80', /--family IPv6 is IPv6 and 10\.96\.0\.7:80 is IPv4/, 'IPv6'],
    ['node', 'svc/web', /default\/web has no IPv6 address/, 'IPv6'],
    ['node', 'node', /has no port/],
  ]
  it('are complained of in sentences that say what to write', async () => {
    const { problem } = await inIptables(given)
    for (const [from, to, words, family] of problems) assert.match(problem(from, to, family), words, `${from} ${to}`)
  })

  it('of a family that is not programmed', async () => {
    const { problem } = await inIptables({ objects })
    assert.match(problem('node', '[fd00::1]:80'), /\[fd00::1\]:80 is IPv6, and on this node only IPv4 could be read/)
  })
})
