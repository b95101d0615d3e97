// Ipvs mode without a kernel: one Service with pods by hand, what the fake kernel holds of it, and states rendered from objects alone.
import type { ServerName } from '../../../src/kernel/ipvsadm.ts'
import type { Address } from '../../../src/model/address.ts'
import type { NodeFacts, TrafficSettings } from '../../../src/model/node.ts'
import type { ClusterObject, ServiceKey } from '../../../src/model/objects.ts'
import type { Decision } from '../../../src/model/traffic-policy.ts'
import type { Desired } from '../../../src/modes/ipvs/state.ts'
import { updateDecisions } from '../../../src/sync/decisions.ts'
import { address, endpoint, node as plainNode, settings as plainSettings, service, slice } from '../../support/cluster.ts'
import { clusterOf } from '../../support/scenario.ts'
import { passInput } from '../../sync/support/harness.ts'
import { createIpvsHarness, type IpvsHarness, type IpvsHarnessOptions, testIpvsMode } from '../../sync/support/ipvs-harness.ts'

export const mode = testIpvsMode('IPv4')
export const web = 'default/web' as ServiceKey
export const server = (text: string): ServerName => text as ServerName
/** The cluster IP of `service()`. */
export const webServer = server('-t 10.96.0.7:80')
export const minutes = (count: number): number => count * 60_000

/** The slice of `web`, or another: `10.244.1.1` is ready, `10.244.1.1 not ready` is not. */
export function pods(texts: readonly string[], owner = 'web', port = 8080) {
  const endpoints = texts.map(text => {
    const [ip = '', ...rest] = text.split(' ')
    return rest.length === 0 ? endpoint(ip) : endpoint(ip, { ready: false, serving: false })
  })
  return slice({ name: `${owner}-abc`, service: owner, ports: [{ name: '', protocol: 'TCP', port }], endpoints })
}

/** All external ways to it: node port 30080, 198.51.100.7 of a load balancer, 192.0.2.7. */
export const everywhere = (fields: Parameters<typeof service>[0] = {}) =>
  service({
    type: 'LoadBalancer',
    externalIPs: [address('192.0.2.7')],
    loadBalancerAddresses: [address('198.51.100.7')],
    ports: [{ name: '', protocol: 'TCP', port: 80, nodePort: 30_080 }],
    ...fields,
  })

export type IpvsSettings = Partial<TrafficSettings['ipvs']>

export function trafficSettings(ipvs: IpvsSettings = {}, more: Partial<TrafficSettings> = {}): TrafficSettings {
  return { ...plainSettings, ...more, ipvs: { ...plainSettings.ipvs, ...ipvs } }
}

export function ipvsHarness(ipvs: IpvsSettings = {}, options: IpvsHarnessOptions = {}): IpvsHarness {
  const harness = createIpvsHarness(options)
  harness.input = passInput({ settings: trafficSettings(ipvs) })
  return harness
}

/** Real servers with their weights: `{ '10.244.1.1:8080': 1 }`; undefined where the virtual server does not exist. */
export function weights({ kernel }: IpvsHarness, name: ServerName = webServer): Readonly<Record<string, number>> | undefined {
  const found = kernel.servers.get(name)
  return found && Object.fromEntries([...found.realServers].map(([real, how]) => [real, Number(how.at(-1))]))
}

/** So many connections go by that way. */
export function connect({ kernel }: IpvsHarness, realServer: string, count = 1, name: ServerName = webServer): void {
  kernel.connections.set(`${name} ${realServer}`, count)
}

export interface Rendering {
  readonly node?: NodeFacts
  readonly settings?: TrafficSettings
}

export function decisionsOf(
  objects: readonly ClusterObject[],
  node: NodeFacts = plainNode,
): Map<ServiceKey, readonly Decision[]> {
  const decisions = new Map<ServiceKey, readonly Decision[]>()
  updateDecisions({ decisions, scope: 'everything', cluster: clusterOf(objects), family: 'IPv4', node })
  return decisions
}

/** What is wanted for these objects, nothing known before. */
export function desiredOf(
  objects: readonly ClusterObject[],
  { node = plainNode, settings = plainSettings }: Rendering = {},
): Desired {
  return mode.render(undefined, 'everything', { decisions: decisionsOf(objects, node), node, settings })
}

export const withAddresses = (...texts: readonly string[]): NodeFacts => ({
  ...plainNode,
  interfaceAddresses: [...plainNode.interfaceAddresses, ...texts.map(text => address(text) as Address)],
})
