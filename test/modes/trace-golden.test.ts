// In what a real kube-proxy programmed, every address of every Service leads where the Decision of its port says, for every kind of client.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Address, contains, type IpFamily, ipFamilies, ofFamily } from '../../src/model/address.ts'
import { localPods, nodePortDestinations } from '../../src/model/node.ts'
import type { Decision, Fate } from '../../src/model/traffic-policy.ts'
import type { Packet, Trace, Tracer } from '../../src/modes/trace.ts'
import { runQueries } from '../../src/sync/apply.ts'
import { updateDecisions } from '../../src/sync/decisions.ts'
import { goldenKernel, modeNamed, type ProxyMode } from '../support/golden-kernel.ts'
import { iptablesScenarioNames, ipvsScenarioNames, loadScenario, type Scenario } from '../support/scenario.ts'

type Client = 'pod' | 'node' | 'outside'
const clients: readonly Client[] = ['pod', 'node', 'outside']

const sources: Readonly<Record<Client, Readonly<Record<IpFamily, Address>>>> = {
  pod: { IPv4: '10.244.1.99' as Address, IPv6: 'fd00:10:244:1::99' as Address },
  node: { IPv4: '10.200.1.2' as Address, IPv6: 'fd00:200:1::2' as Address },
  outside: { IPv4: '10.200.1.100' as Address, IPv6: 'fd00:200:1::100' as Address },
}

interface Case {
  readonly scenario: Scenario
  readonly family: IpFamily
  readonly trace: Tracer
}

async function caseOf(scenario: Scenario, name: ProxyMode, family: IpFamily): Promise<Case> {
  const mode = modeNamed(name, family)
  const outputs = await runQueries(mode.queries('everything'), goldenKernel(scenario, name, family))
  return { scenario, family, trace: mode.tracer(outputs) }
}

const modes = {
  iptables: { names: iptablesScenarioNames(), check: checkIptables },
  ipvs: { names: ipvsScenarioNames(), check: checkIpvs },
}

for (const mode of ['iptables', 'ipvs'] as const) {
  describe(`in kube-proxy's ${mode} mode every address leads where it should`, () => {
    let checked = 0
    for (const name of modes[mode].names) {
      it(name, async () => {
        for (const family of ipFamilies) checked += modes[mode].check(await caseOf(loadScenario(name), mode, family))
      })
    }
    it('in hundreds of connections', () => assert.ok(checked > 500, String(checked)))
  })
}

function decisionsOf({ scenario, family }: Case): readonly Decision[] {
  const { cluster, node } = scenario
  return [...updateDecisions({ decisions: new Map(), scope: 'everything', cluster, family, node }).values()].flat()
}

function packetOf(
  { scenario, family }: Case,
  { client, decision, address, port }: { client: Client; decision: Decision; address: Address; port: number },
): Packet {
  const pods = localPods(scenario.settings, scenario.node, family)
  const link = client === 'pod' && pods !== undefined && 'interface' in pods ? pods.interface.replace('+', '0') : undefined
  return {
    family,
    protocol: decision.servicePort.protocol,
    source: sources[client][family],
    destination: address,
    port,
    origin: client === 'node' ? 'node' : 'interface',
    interface: link,
    localAddresses: new Set(scenario.node.interfaceAddresses),
  }
}

interface Place {
  readonly address: Address
  readonly port: number
  readonly kind: 'cluster IP' | 'external address' | 'node port'
}

function addressesOf({ scenario, family }: Case, { servicePort }: Decision): readonly Place[] {
  const { clusterIP, port, nodePort, externalIPs, loadBalancerAddresses } = servicePort
  const { settings, node } = scenario
  const destinations = nodePortDestinations(settings, node, family)
  const own = destinations === 'every local address' ? ofFamily(node.interfaceAddresses, family) : destinations
  return [
    ...(clusterIP === undefined ? [] : [{ address: clusterIP, port, kind: 'cluster IP' } as const]),
    ...[...externalIPs, ...loadBalancerAddresses].map(address => ({ address, port, kind: 'external address' }) as const),
    ...(nodePort === 0
      ? []
      : own
          .filter(address => !address.startsWith('127.') && address !== '::1')
          .map(address => ({ address, port: nodePort, kind: 'node port' }) as const)),
  ]
}

function outcome({ branches }: Trace): { readonly verdicts: readonly string[]; readonly endpoints: readonly string[] } {
  const sum = branches.reduce((total, { probability }) => total + probability, 0)
  assert.ok(Math.abs(sum - 1) < 1e-6, `shares add up to ${sum}`)
  return {
    verdicts: [...new Set(branches.map(({ verdict }) => verdict))],
    endpoints: [...new Set(branches.flatMap(({ endpoint = [] }) => endpoint))].sort(),
  }
}

/** What a client gets at an address, by the Decision: policy Cluster for those inside at external addresses. */
function expected(decision: Decision, { kind, client }: { kind: Place['kind']; client: Client }) {
  const fate = kind === 'cluster IP' ? decision.internal : external(decision, client)
  if (typeof fate === 'string') return { verdicts: [fate === 'reject' ? 'refused' : 'dropped'], endpoints: [] }
  const endpoints = fate.to === 'Local' ? decision.local : decision.cluster
  return { verdicts: ['endpoint'], endpoints: endpoints.map(({ hostPort }) => hostPort).sort() }
}

function external({ external: fate, cluster }: Decision, client: Client): Fate {
  return client === 'outside' || fate === 'reject' || cluster.length === 0 ? fate : { to: 'Cluster' }
}

function checkIptables(given: Case): number {
  let checked = 0
  for (const decision of decisionsOf(given)) {
    for (const { address, port, kind } of addressesOf(given, decision)) {
      for (const client of clients) {
        const trace = given.trace(packetOf(given, { client, decision, address, port }))
        const title = `${client} to ${decision.servicePort.name} at ${address}:${port} (${kind})`
        assert.deepEqual(trace.unsure, [], title)
        checked++
        if (isFenced(given, { decision, address, client })) {
          assert.deepEqual(outcome(trace).verdicts, ['dropped'], title)
          continue
        }
        const want = expected(decision, { kind, client })
        // What the node itself sends to an external address leaves the node.
        const leaves = client === 'node' && kind === 'external address' && want.verdicts[0] !== 'endpoint'
        assert.deepEqual(outcome(trace), leaves ? { verdicts: ['untouched'], endpoints: [] } : want, title)
      }
    }
  }
  return checked
}

/** Source ranges keep this client out. */
function isFenced(
  { family }: Case,
  { decision: { servicePort, external: fate }, address, client }: { decision: Decision; address: Address; client: Client },
): boolean {
  const ranges = servicePort.loadBalancerSourceRanges
  if (!servicePort.loadBalancerAddresses.includes(address) || ranges.length === 0 || fate === 'reject') return false
  return !ranges.some(range => contains(range, sources[client][family]))
}

/** One list of real servers for all; a policy Local with none here refuses inside, and gives outside those of other nodes. */
function checkIpvs(given: Case): number {
  let checked = 0
  for (const decision of decisionsOf(given)) {
    for (const { address, port, kind } of addressesOf(given, decision)) {
      for (const client of clients) {
        const trace = given.trace(packetOf(given, { client, decision, address, port }))
        const title = `${client} to ${decision.servicePort.name} at ${address}:${port} (${kind})`
        assert.deepEqual(trace.unsure, [], title)
        checked++
        if (client !== 'node' && isFenced(given, { decision, address, client })) {
          assert.deepEqual(outcome(trace).verdicts, ['dropped'], title)
          continue
        }
        if (client === 'node' && decision.servicePort.loadBalancerSourceRanges.length > 0) continue
        const { internal, external: fate, local, cluster } = decision
        const of = (some: Decision['local']) =>
          some.length === 0
            ? { verdicts: ['refused'], endpoints: [] }
            : { verdicts: ['endpoint'], endpoints: some.map(({ hostPort }) => hostPort).sort() }
        const want =
          kind === 'cluster IP'
            ? of(typeof internal === 'string' ? [] : internal.to === 'Local' ? local : cluster)
            : of(fate === 'reject' ? [] : fate === 'drop' || fate.to === 'Cluster' ? cluster : local)
        assert.deepEqual(outcome(trace), want, title)
      }
    }
  }
  return checked
}
