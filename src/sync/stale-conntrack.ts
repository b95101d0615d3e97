// Which UDP flows go where no new one would go. The kernel translates only the first packet of a flow, and a UDP flow lives as
// long as its client keeps sending from the same port: it would send to a pod that is gone for ever.
// Takes flows and what is, and was, known of UDP service ports; gives the flows that are wrong. Pure.

import type { UdpRoute } from '../kernel/conntrack.ts'
import { type Address, hostPort, type IpFamily, isLoopback } from '../model/address.ts'
import type { Endpoint } from '../model/endpoint.ts'
import { getOrInsert } from '../model/get-or-insert.ts'
import { type NodeFacts, nodePortDestinations, type TrafficSettings } from '../model/node.ts'
import type { ServicePort } from '../model/service-port.ts'
import type { Decision } from '../model/traffic-policy.ts'

/** One UDP service port as far as flows tell of it. */
export interface UdpServicePort {
  /** ServicePort.name: unique within the family. */
  readonly name: string
  /** Cluster IP, external IPs and load balancer addresses, all with `port`. */
  readonly addresses: readonly Address[]
  readonly port: number
  /** 0 where there is none. */
  readonly nodePort: number
  /** `address:port` of all that rightly answer a flow: those that new flows are sent to, and those that still serve old ones. */
  readonly endpoints: readonly string[]
  /** Whether new flows are sent to anyone. */
  readonly takesNewFlows: boolean
}

/**
 * The UDP ports among one Service's decisions. An endpoint that serves keeps its flows although no new ones go there: it is
 * terminating, or topology hints or a traffic policy changed. So do those of TCP, and of kube-proxy since 1.33.
 */
export function udpServicePorts(
  decisions: readonly Decision[],
  endpointsOf: (servicePort: ServicePort) => readonly Endpoint[],
): readonly UdpServicePort[] {
  return decisions
    .filter(({ servicePort }) => servicePort.protocol === 'UDP')
    .map(({ servicePort, reachable, totalEndpoints }) => {
      const { name, clusterIP, externalIPs, loadBalancerAddresses, port, nodePort } = servicePort
      const addresses = [...(clusterIP === undefined ? [] : [clusterIP]), ...externalIPs, ...loadBalancerAddresses]
      const serving = reachable.length === totalEndpoints ? [] : endpointsOf(servicePort).filter(endpoint => endpoint.serving)
      const endpoints = [...new Set([...reachable, ...serving].map(endpoint => endpoint.hostPort))]
      return { name, addresses, port, nodePort, endpoints, takesNewFlows: reachable.length > 0 }
    })
}

/** Ports of `before` whose flows may be wrong now: an endpoint or a destination is gone, or the port itself. */
export function portsThatLost(before: readonly UdpServicePort[], after: readonly UdpServicePort[]): readonly UdpServicePort[] {
  return before.filter(port => {
    const now = after.find(({ name }) => name === port.name)
    if (port.endpoints.length === 0) return false
    return now === undefined || lacks(now.endpoints, port.endpoints) || lacks(destinations(now), destinations(port))
  })
}

/** Whether a destination leads to endpoints for the first time: flows that went past it until now are wrong. */
export function becameReachable(before: readonly UdpServicePort[], after: readonly UdpServicePort[]): boolean {
  return after.some(port => {
    if (!port.takesNewFlows) return false
    const earlier = before.find(({ name }) => name === port.name)
    return earlier === undefined || !earlier.takesNewFlows || lacks(destinations(earlier), destinations(port))
  })
}

/** Which addresses accept node ports, as the rules have it (nodePortAddresses, iptables.localhostNodePorts). */
export function nodePortTest(options: {
  readonly settings: TrafficSettings
  readonly node: NodeFacts
  readonly family: IpFamily
}): (address: Address) => boolean {
  const { settings, node, family } = options
  const accepting = nodePortDestinations(settings, node, family)
  if (accepting !== 'every local address') {
    const listed = new Set(accepting)
    return address => listed.has(address)
  }
  const local = new Set(node.interfaceAddresses)
  const onLoopback = family === 'IPv4' && settings.localhostNodePorts
  return address => (isLoopback(address) ? onLoopback : local.has(address))
}

/**
 * The wrong ones among `flows`:
 * - to a current service port, translated, and answered by what is none of its endpoints (it may have none at all);
 * - to a current service port that sends new flows somewhere, not translated, from before it did;
 * - to a former service port that is no current one, translated, and answered by one of its former endpoints.
 * Whatever else a flow may be, somebody else is responsible for it.
 */
export function staleFlows(options: {
  readonly flows: Iterable<UdpRoute>
  readonly current: Iterable<UdpServicePort>
  /** As they were when flows to their endpoints were right. */
  readonly former: Iterable<UdpServicePort>
  /** Not to be judged: what the kernel has for them is not what the cluster wants. */
  readonly quarantined: Iterable<UdpServicePort>
  readonly acceptsNodePorts: (address: Address) => boolean
}): readonly UdpRoute[] {
  const current = new Destinations(options.current, options.acceptsNodePorts)
  const former = new Destinations(options.former, options.acceptsNodePorts)
  const quarantined = new Destinations(options.quarantined, options.acceptsNodePorts)
  const isWrong = (flow: UdpRoute): boolean => {
    const behind = current.behind(flow)
    const answers = hostPort(flow.replySource, flow.replyPort)
    if (behind !== undefined) return !behind.endpoints.has(answers) && (isTranslated(flow) || behind.takesNewFlows)
    return isTranslated(flow) && former.behind(flow)?.endpoints.has(answers) === true
  }
  return Array.from(options.flows).filter(flow => quarantined.behind(flow) === undefined && isWrong(flow))
}

function isTranslated({ destination, destinationPort, replySource, replyPort }: UdpRoute): boolean {
  return destination !== replySource || destinationPort !== replyPort
}

/** What stands behind a destination; of two ports that share it, both. */
interface Behind {
  readonly endpoints: Set<string>
  takesNewFlows: boolean
}

class Destinations {
  readonly #byPort = new Map<number, Map<Address, Behind>>()
  readonly #byNodePort = new Map<number, Behind>()
  readonly #acceptsNodePorts: (address: Address) => boolean

  constructor(ports: Iterable<UdpServicePort>, acceptsNodePorts: (address: Address) => boolean) {
    this.#acceptsNodePorts = acceptsNodePorts
    for (const port of ports) {
      for (const behind of this.#placesOf(port)) {
        for (const endpoint of port.endpoints) behind.endpoints.add(endpoint)
        behind.takesNewFlows ||= port.takesNewFlows
      }
    }
  }

  /** Undefined where no service port is at the flow's destination. */
  behind({ destination, destinationPort }: UdpRoute): Readonly<Behind> | undefined {
    const atAddress = this.#byPort.get(destinationPort)?.get(destination)
    if (atAddress !== undefined) return atAddress
    const atNodePort = this.#byNodePort.get(destinationPort)
    return atNodePort !== undefined && this.#acceptsNodePorts(destination) ? atNodePort : undefined
  }

  #placesOf({ addresses, port, nodePort }: UdpServicePort): readonly Behind[] {
    const byAddress = getOrInsert(this.#byPort, port, () => new Map<Address, Behind>())
    const places = addresses.map(address => getOrInsert(byAddress, address, nobody))
    return nodePort === 0 ? places : [...places, getOrInsert(this.#byNodePort, nodePort, nobody)]
  }
}

function nobody(): Behind {
  return { endpoints: new Set(), takesNewFlows: false }
}

/** Whether something of `wanted` is not in `present`. */
function lacks(present: readonly string[], wanted: readonly string[]): boolean {
  const set = new Set(present)
  return wanted.some(value => !set.has(value))
}

function destinations({ addresses, port, nodePort }: UdpServicePort): readonly string[] {
  const all = addresses.map(address => hostPort(address, port))
  return nodePort === 0 ? all : [...all, `node port ${nodePort}`]
}
