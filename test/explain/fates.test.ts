// What is said of clients and addresses is what packets do: every row of test/cases, in both modes, without a kernel.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { loadConfig } from '../../src/config/load.ts'
import { type ServicesQuestion, serviceDetail } from '../../src/explain/services.ts'
import type { ServiceAddress, ServicePortDetail } from '../../src/explain/services-object.ts'
import { toolsOf } from '../../src/kernel/iptables.ts'
import { contains, ipFamilies } from '../../src/model/address.ts'
import { nodeFacts, type TrafficSettings } from '../../src/model/node.ts'
import type { Node } from '../../src/model/objects.ts'
import { serviceKey } from '../../src/model/objects.ts'
import { iptablesMode } from '../../src/modes/iptables/index.ts'
import { ipvsMode } from '../../src/modes/ipvs/index.ts'
import { address, cidr } from '../support/cluster.ts'
import { type Case, loadCases } from '../support/flows/cases.ts'
import type { Flow, ProxyMode } from '../support/flows/flow.ts'
import { baseConfig } from '../support/lab/proxy.ts'
import { clusterOf, decodeAll } from '../support/scenario.ts'

const pods: Readonly<Record<string, string>> = { a: '11', b: '12', c: '13', d: '21', e: '22' }
const interfaceAddresses = ['127.0.0.1', '::1', '10.200.1.2', 'fd00:200:1::2', '10.244.1.1', 'fd00:10:244:1::1'].map(address)
/** Where the clients outside are. */
const outside: Readonly<Record<string, readonly string[]>> = {
  outside: ['10.200.1.100', 'fd00:200:1::100'],
  'outside/far': ['203.0.113.50', '2001:db8:ffff::50'],
}

function questionOf(each: Case, mode: ProxyMode): ServicesQuestion {
  const objects = decodeAll(each.objects)
  const text = JSON.stringify({ ...baseConfig, ...each.config, mode })
  const readConfig = (path: string): string => {
    if (path === 'c') return text
    throw Object.assign(new Error('absent'), { code: 'ENOENT' })
  }
  const { config, errors } = loadConfig({
    flags: { config: 'c', 'hostname-override': 'node1' },
    readFile: readConfig,
    hostname: 'x',
  })
  assert.ok(config !== undefined, JSON.stringify(errors))
  const own = objects.find((object): object is Node => object.kind === 'Node' && object.name === 'node1')
  const abilities = { hasScheduler: () => true }
  return {
    cluster: clusterOf(objects),
    modes: ipFamilies.map(family =>
      mode === 'ipvs'
        ? ipvsMode({ family, tools: toolsOf(family, 'nft'), abilities })
        : iptablesMode(family, toolsOf(family, 'nft')),
    ),
    mode,
    node: nodeFacts('node1', own, interfaceAddresses),
    settings: config.traffic,
    unread: [],
    stateOf: () => ({ programmed: 'yes', remarks: [] }),
    time: '',
  }
}

/** The way in that a packet to this place takes; undefined: it is no Service's. */
function wayTo(ports: readonly ServicePortDetail[], { to }: Flow): { port: ServicePortDetail; way: ServiceAddress } | undefined {
  const at = to.family === 'ipv6' ? `[${to.address}]:${to.port}` : `${to.address}:${to.port}`
  const isOwn = interfaceAddresses.some(own => own === to.address)
  const family = to.family === 'ipv6' ? 'IPv6' : 'IPv4'
  for (const port of ports) {
    if (port.family !== family || port.protocol.toLowerCase() !== to.protocol.toLowerCase()) continue
    const way = port.addresses.find(each => each.address === at || (isOwn && each.address === `node:${to.port}`))
    if (way !== undefined) return { port, way }
  }
  return undefined
}

function said({ port, way }: { port: ServicePortDetail; way: ServiceAddress }, { from, to }: Flow): string | readonly string[] {
  const index = to.family === 'ipv6' ? 1 : 0
  const source = outside[from]?.[index]
  const ranges = way.sourceRanges.map(cidr)
  if (source !== undefined && ranges.length > 0 && !ranges.some(range => contains(range, address(source)))) return 'dropped'
  const client = source !== undefined ? 'outside' : from === 'node' ? 'node' : 'pod'
  const fate = way.fates.find(each => each.client === client)?.fate
  assert.ok(fate !== undefined)
  if (typeof fate === 'string') return fate
  const chance = fate.to === 'Cluster' ? 'cluster' : 'localPolicy'
  return port.endpoints.flatMap(endpoint => ((endpoint[chance]?.share ?? 0) > 0 ? [endpoint.endpoint] : [])).toSorted()
}

function expected(flow: Flow, port: ServicePortDetail): string | readonly string[] | undefined {
  const { expect, to } = flow
  if (typeof expect === 'string') return expect
  if ('notSupported' in expect) return undefined
  return expect.to
    .map(text => {
      const [name = '', number] = text.split(':')
      const suffix = pods[name] ?? assert.fail(name)
      const node = Number(suffix) < 20 ? 1 : 2
      const host = to.family === 'ipv6' ? `[fd00:10:244:${node}::${suffix}]` : `10.244.${node}.${suffix}`
      const found = port.endpoints.filter(({ endpoint }) => endpoint.startsWith(`${host}:${number ?? ''}`))
      return found[0]?.endpoint ?? assert.fail(`${flow.title}: no endpoint ${text}`)
    })
    .toSorted()
}

for (const mode of ['iptables', 'ipvs'] as const) {
  describe(`the fates of connections in ${mode} mode`, () => {
    for (const each of loadCases(mode)) {
      it(`are those of the packets of case ${each.name}`, () => {
        const question = questionOf(each, mode)
        const ports = [...question.cluster.services()].flatMap(
          ({ namespace, name }) => serviceDetail(question, serviceKey(namespace, name))?.ports ?? [],
        )
        let compared = 0
        for (const flow of each.flows) {
          const found = wayTo(ports, flow)
          if (found === undefined) {
            // In ipvs mode all ports of a service address are shut.
            assert.ok(flow.expect === 'untouched' || (mode === 'ipvs' && flow.expect === 'refused'), flow.title)
            continue
          }
          const wanted = expected(flow, found.port)
          if (wanted === undefined || isElsewhere(flow, question.settings.nodePortAddresses)) continue
          compared++
          assert.deepEqual(said(found, flow), wanted, flow.title)
        }
        assert.ok(compared > 0 || each.flows.every(({ expect }) => expect === 'untouched'))
      })
    }
  })
}

/** The node's address is none at which node ports answer: loopback, or one that nodePortAddresses leaves out. */
function isElsewhere({ to, expect }: Flow, selected: TrafficSettings['nodePortAddresses']): boolean {
  const isLoopback = to.address === '127.0.0.1' || to.address === '::1'
  return expect === 'untouched' && (isLoopback || selected !== 'all')
}
