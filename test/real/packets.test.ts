// What the packet tests rest on. First, the check of a flow: it passes on kube-proxy's own rules and fails once one of these
// rules is missing or wrong; and what `trace` says of these rules changes with them. Second, the cases themselves: complete, and no word of their grammar without use.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { parse, parseAllDocuments } from 'yaml'
import { caseNames, loadCases, readCaseFile } from '../support/flows/cases.ts'
import { checkFlow } from '../support/flows/check.ts'
import { decodeFlows, type Flow, rowEntries } from '../support/flows/flow.ts'
import { goldenRules, loadRules } from '../support/flows/golden-rules.ts'
import { complainAboutTrace, readTracers } from '../support/flows/trace.ts'
import { type Lab, startLab } from '../support/lab/lab.ts'

interface Proof {
  readonly scenario: string
  readonly flow: Readonly<Record<string, unknown>>
  /** The rule that the flow depends on, and what stands in its place; nothing where absent. */
  readonly rule: RegExp
  readonly instead?: (rule: string) => string
  readonly complaint: RegExp
}

const proofs: readonly Proof[] = [
  {
    scenario: 'nodeport-local',
    flow: { from: 'outside', to: '10.200.1.2:30006/TCP', expect: { to: ['a', 'b'], source: 'kept' } },
    rule: /-A KUBE-NODEPORTS -p tcp/,
    complaint: /somebody else answered: .* node1:30006/,
  },
  {
    scenario: 'nodeport-local',
    flow: { from: 'node', to: '127.0.0.1:30006/TCP', expect: { to: ['a', 'b', 'd'], source: 'node' } },
    rule: /-A KUBE-EXT-\S+ .*route LOCAL traffic/,
    complaint: /d got none of/,
  },
  {
    scenario: 'nodeport-local',
    flow: { from: 'pod/c', to: '10.200.1.2:30006/TCP', expect: { to: ['a', 'b', 'd'], source: 'kept' } },
    rule: /-A KUBE-EXT-\S+ -s 10.244.0.0/,
    complaint: /d got none of/,
  },
  {
    scenario: 'nodeport-local',
    flow: { from: 'outside', to: '10.96.10.6:80/TCP', expect: { to: ['a', 'b', 'd'], source: 'node' } },
    // Only what goes to the other node is still masqueraded: without that its replies would be lost on the way.
    rule: /-A KUBE-POSTROUTING .* -j MASQUERADE/,
    instead: rule => rule.replace('-A KUBE-POSTROUTING', '-A KUBE-POSTROUTING -d 10.244.2.21/32'),
    complaint: /expected the source to be the node's: .* saw 10\.200\.1\.100/,
  },
  {
    scenario: 'nodeport-local',
    flow: { from: 'pod/c', to: '10.96.10.6:80/TCP', expect: { to: ['a', 'b', 'd'], source: 'kept' } },
    rule: /-A KUBE-SVC-\S+ ! -s 10.244.0.0/,
    instead: rule => rule.replace('! -s 10.244.0.0/16 ', ''),
    complaint: /expected the source to be the sender's own/,
  },
  {
    scenario: 'nodeport-local',
    flow: {
      from: 'pod/c',
      to: '10.96.10.6:80/TCP',
      expect: { to: ['a', 'b', 'd'], source: 'kept' },
      repeat: 400,
      spread: 'uniform',
    },
    rule: /-A KUBE-SVC-\S+ .*probability 0.33/,
    instead: rule => rule.replace(/probability \S+/, 'probability 0.80000000000'),
    complaint: /not uniform: each of a b d should get \d+ to \d+ of 400, but they got/,
  },
  {
    scenario: 'nodeport-local-none-here',
    flow: { from: 'outside', to: '10.200.1.2:30007/TCP', expect: 'dropped' },
    rule: /-A KUBE-EXTERNAL-SERVICES .* -j DROP/,
    complaint: /expected dropped: .* node1:30007/,
  },
  {
    scenario: 'no-endpoints',
    flow: { from: 'outside', to: '10.200.1.2:30003/TCP', expect: 'refused' },
    rule: /-A KUBE-EXTERNAL-SERVICES .*--dport 30003/,
    complaint: /expected refused: .* node1:30003/,
  },
  {
    scenario: 'no-endpoints',
    flow: { from: 'pod/c', to: '192.168.100.243:80/TCP', expect: 'refused' },
    rule: /-A KUBE-EXTERNAL-SERVICES -d 192.168.100.243/,
    complaint: /expected refused: .* unreachable/,
  },
  {
    scenario: 'loadbalancer-source-ranges-outside',
    flow: { from: 'outside', to: '192.168.100.250:80/TCP', expect: 'dropped' },
    rule: /-A KUBE-PROXY-FIREWALL -d 192.168.100.250/,
    complaint: /expected dropped: .* unreachable/,
  },
  {
    scenario: 'affinity-default',
    flow: { from: 'pod/c', to: '10.111.231.174:80/TCP', expect: { to: ['a', 'd'], source: 'kept' }, sticky: true, repeat: 40 },
    rule: /--rcheck/,
    complaint: /one source reached several endpoints/,
  },
  {
    scenario: 'nodeport-local',
    flow: { from: 'outside', to: '10.200.1.2:30999/TCP', expect: 'untouched' },
    rule: /-A KUBE-NODEPORTS -p tcp/,
    instead: rule => rule.replace('--dport 30006', '--dport 30999'),
    complaint: /expected the proxy to leave it alone/,
  },
]

describe("the check of a flow passes on kube-proxy's rules, and fails without one of them", () => {
  let lab: Lab
  before(async () => {
    lab = await startLab({
      nodes: [
        { name: 'node1', pods: ['a', 'b', 'c'] },
        { name: 'node2', pods: ['d'] },
        { name: 'node3', pods: ['f'] },
      ],
    })
  })
  after(() => lab[Symbol.asyncDispose]())

  for (const { scenario, flow: row, rule, instead, complaint } of proofs) {
    const [flow] = decodeFlows([row], 'iptables')
    assert(flow !== undefined)
    test(`${scenario}: ${flow.title}`, async () => {
      const rules = goldenRules(scenario)
      const lines = rules.split('\n')
      assert(
        lines.some(line => rule.test(line)),
        `no rule matches ${rule}`,
      )
      const traceComplaint = async () =>
        complainAboutTrace(flow, { lab, tracers: await readTracers(lab, { mode: 'iptables', backend: 'nft' }) })
      await loadRules(lab, rules)
      await checkFlow(lab, flow)
      assert.equal(await traceComplaint(), undefined)
      const changed = lines.flatMap(line => (rule.test(line) ? (instead === undefined ? [] : [instead(line)]) : [line]))
      await loadRules(lab, changed.join('\n'))
      await assert.rejects(checkFlow(lab, flow), { name: 'AssertionError', message: complaint })
      // Affinity is of a client's second connection, and a trace is of its first.
      if (!flow.sticky) assert.match((await traceComplaint()) ?? '', /^trace: expected/)
    })
  }
})

describe('the cases', () => {
  const cases = loadCases('iptables')
  const rows = caseNames().flatMap(
    name => parse(readCaseFile(name, 'flows.yaml') ?? '') as readonly Readonly<Record<string, unknown>>[],
  )

  test('every key of a row is in use', () => {
    assert.deepEqual(
      Object.keys(rowEntries).filter(key => !rows.some(row => key in row)),
      [],
    )
  })

  test('every fate is in use, and in both families', () => {
    for (const fate of ['answered', 'refused', 'dropped', 'untouched']) {
      for (const family of ['ipv4', 'ipv6']) {
        assert(
          cases.some(each => each.flows.some(flow => flow.to.family === family && fateOf(flow) === fate)),
          `${fate} over ${family}`,
        )
      }
    }
  })

  test('every mode decodes them', () => {
    assert.equal(loadCases('ipvs').length, cases.length)
  })

  for (const { name, objects, flows } of cases) {
    test(`${name}: every address of every Service is the goal of a flow`, () => {
      const goals = new Set(flows.map(({ to }) => to.address))
      assert.deepEqual(
        serviceAddresses(objects).filter(address => !goals.has(address)),
        [],
      )
    })
  }
})

function fateOf({ expect }: Flow): string {
  return typeof expect === 'string' ? expect : 'answered'
}

function serviceAddresses(objects: string): readonly string[] {
  return parseAllDocuments(objects)
    .map(document => document.toJS() as ServiceDocument)
    .filter(({ kind }) => kind === 'Service')
    .flatMap(({ spec, status }) => [
      ...(spec.clusterIPs ?? []),
      ...(spec.externalIPs ?? []),
      ...(status?.loadBalancer.ingress.map(({ ip }) => ip) ?? []),
    ])
    .filter(address => address !== 'None')
}

interface ServiceDocument {
  readonly kind: string
  readonly spec: { readonly clusterIPs?: readonly string[]; readonly externalIPs?: readonly string[] }
  readonly status?: { readonly loadBalancer: { readonly ingress: readonly { readonly ip: string }[] } }
}
