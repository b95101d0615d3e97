// What the daemon knows of Services → the objects of services-object.ts. Pure; a list costs a look at every Service, and more only for those that it shows.
import { type Address, hostPort, type IpFamily } from '../model/address.ts'
import { endpointsOf } from '../model/endpoint.ts'
import { type NodeFacts, nodePortDestinations, type TrafficSettings } from '../model/node.ts'
import { type Service, type ServiceKey, serviceKey } from '../model/objects.ts'
import { isProxied, type ServicePort, servicePorts } from '../model/service-port.ts'
import { decidePort, type Fate } from '../model/traffic-policy.ts'
import { clients, sourceRangesOf, type WayIn, waysIn } from '../model/way-in.ts'
import type { Mode } from '../modes/mode.ts'
import type { Unread } from '../source/source.ts'
import type { ClusterView } from '../sync/decisions.ts'
import { explainEndpoints } from './endpoints.ts'
import type {
  ClientFate,
  ServiceAddress,
  ServiceDetail,
  ServiceList,
  ServicePortDetail,
  ServiceState,
  ServiceSummary,
} from './services-object.ts'
import { staleness } from './unread.ts'

export interface ServicesQuestion {
  readonly cluster: ClusterView
  /** Of the families that are programmed. */
  readonly modes: readonly Pick<Mode<never, never>, 'family' | 'fates' | 'scheduler'>[]
  readonly mode: string
  readonly node: NodeFacts
  readonly settings: TrafficSettings
  /** What is known of programming it; asked only for Services that are ours. */
  readonly stateOf: (service: Service) => ServiceState
  /** Of node ports that others ask for as well, in words; absent: nobody looks. */
  readonly clashesOf?: (service: Service) => readonly string[]
  readonly unread: readonly Unread[]
  /** RFC 3339. */
  readonly time: string
}

export interface ServiceFilter {
  /** Part of the namespace and name, of an address or of a port, in any case. */
  readonly search: string
  /** In any namespace; undefined: any name. */
  readonly name: string | undefined
  readonly limit: number
}

export function serviceList(question: ServicesQuestion, { search, name, limit }: ServiceFilter): ServiceList {
  const wanted = search.toLowerCase()
  const found: { readonly key: ServiceKey; readonly service: Service }[] = []
  for (const service of question.cluster.services()) {
    if (name !== undefined && service.name !== name) continue
    const key = keyOf(service)
    if (wanted === '' || matches(service, key, wanted)) found.push({ key, service })
  }
  found.sort((a, b) => (a.key < b.key ? -1 : 1))
  return {
    apiVersion: 'switchyard/v1',
    kind: 'ServiceList',
    time: question.time,
    node: question.node.name,
    mode: question.mode,
    total: found.length,
    unread: unreadServices(question, { wanted, name }),
    services: found.slice(0, limit).map(({ key, service }) => summary(question, key, service)),
  }
}

/** Those that have no good version, by what of their name is known. */
function unreadServices(
  { unread }: ServicesQuestion,
  { wanted, name }: { readonly wanted: string; readonly name: string | undefined },
): NonNullable<ServiceList['unread']> {
  return unread.flatMap(({ id, where, problem, kept }) => {
    const service = id?.startsWith('Service ') ? id.slice('Service '.length) : undefined
    if (kept || service === undefined || !service.includes(wanted)) return []
    return name === undefined || service.endsWith(`/${name}`) ? [{ service, where, problem }] : []
  })
}

/** Undefined: there is no such Service. */
export function serviceDetail(question: ServicesQuestion, key: ServiceKey): ServiceDetail | undefined {
  const service = question.cluster.service(key)
  if (service === undefined) return undefined
  return {
    apiVersion: 'switchyard/v1',
    kind: 'ServiceDetail',
    time: question.time,
    node: question.node.name,
    mode: question.mode,
    service: key,
    type: typeOf(service),
    state: stateOf(question, service),
    ports: question.modes.flatMap(mode => servicePorts(service, mode.family).map(port => portDetail(question, port, mode))),
  }
}

function typeOf({ type, headless }: Service): string {
  return headless ? `${type}, headless` : type
}

function keyOf({ namespace, name }: Service): ServiceKey {
  return serviceKey(namespace, name)
}

function matches(service: Service, key: ServiceKey, wanted: string): boolean {
  return (
    key.includes(wanted) ||
    addressesOf(service).some(address => address.includes(wanted)) ||
    service.ports.some(port => [port.name, portText(port), nodePortText(port)].some(text => text.toLowerCase().includes(wanted)))
  )
}

function addressesOf({ clusterIPs, externalIPs, loadBalancerAddresses }: Service): readonly Address[] {
  return [...clusterIPs, ...externalIPs, ...loadBalancerAddresses]
}

type SpecPort = Service['ports'][number]

function portText({ port, protocol }: SpecPort): string {
  return `${port}/${protocol}`
}

function nodePortText({ nodePort, protocol }: SpecPort): string {
  return nodePort === 0 ? '' : `node:${nodePort}/${protocol}`
}

function summary(question: ServicesQuestion, key: ServiceKey, service: Service): ServiceSummary {
  return {
    service: key,
    type: typeOf(service),
    addresses: [...new Set([...addressesOf(service), ...service.ports.map(nodePortText).filter(text => text !== '')])],
    ports: service.ports.map(portText),
    endpoints: endpointCounts(question, key),
    state: stateOf(question, service),
  }
}

/** Each address once, however many ports and slices have it, ready where one of them says so. */
function endpointCounts({ cluster, node }: ServicesQuestion, key: ServiceKey): ServiceSummary['endpoints'] {
  const ready = new Map<Address, boolean>()
  const local = new Set<Address>()
  for (const { endpoints } of cluster.slices(key)) {
    for (const { address, ready: isReady, nodeName } of endpoints) {
      ready.set(address, ready.get(address) === true || isReady)
      if (nodeName === node.name) local.add(address)
    }
  }
  return { total: ready.size, ready: [...ready.values()].filter(Boolean).length, local: local.size }
}

function stateOf(question: ServicesQuestion, service: Service): ServiceState {
  if (!isProxied(service)) return { programmed: 'not ours', remarks: [whyNotOurs(service)] }
  const { programmed, remarks } = question.stateOf(service)
  return {
    programmed,
    remarks: [
      ...staleness(service, question.unread),
      ...remarks,
      ...lacks(question, service),
      ...(question.clashesOf?.(service) ?? []),
    ],
  }
}

function whyNotOurs({ type, serviceProxyName }: Service): string {
  if (type === 'ExternalName') return 'type ExternalName: DNS answers with another name, and no proxy is asked'
  if (serviceProxyName !== undefined) return `label service.kubernetes.io/service-proxy-name gives it to ${serviceProxyName}`
  return 'headless: clients get the addresses of its pods from DNS, and no proxy is asked'
}

/** What it asks for and this node cannot give, whatever its rules. */
function lacks({ modes, settings, node }: ServicesQuestion, service: Service): readonly string[] {
  const programmed = modes.map(({ family }) => family)
  const missing = service.ipFamilies.filter(family => !programmed.includes(family))
  const shut = service.ports.some(({ nodePort }) => nodePort !== 0)
    ? service.ipFamilies.filter(family => programmed.includes(family) && !hasNodePorts(settings, node, family))
    : []
  return [
    ...missing.map(family => `${family} is not programmed on this node`),
    ...shut.map(family => `${family}: nodePortAddresses selects no address of this node, so its node ports answer nowhere`),
  ]
}

function hasNodePorts(settings: TrafficSettings, node: NodeFacts, family: IpFamily): boolean {
  const destinations = nodePortDestinations(settings, node, family)
  return destinations === 'every local address' || destinations.length > 0
}

function portDetail(
  question: ServicesQuestion,
  servicePort: ServicePort,
  mode: ServicesQuestion['modes'][number],
): ServicePortDetail {
  const { cluster, node, settings } = question
  const { name, family, protocol, port, affinityTimeoutSeconds } = servicePort
  const endpoints = endpointsOf(servicePort, cluster.slices(servicePort.service), node.name)
  const decision = decidePort(servicePort, endpoints, node)
  const ways = waysIn(servicePort).filter(({ kind }) => kind !== 'node port' || hasNodePorts(settings, node, family))
  const address = (way: WayIn): ServiceAddress => {
    const fates = mode.fates(decision, way, { node, settings })
    return {
      kind: way.kind,
      address: way.address === undefined ? `node:${way.port}` : hostPort(way.address, way.port),
      sourceRanges: sourceRangesOf(servicePort, way),
      fates: clients.map(client => ({ client, fate: fateInWords(fates[client]) })),
    }
  }
  return {
    name,
    family,
    protocol,
    port,
    addresses: ways.map(address),
    affinitySeconds: affinityTimeoutSeconds ?? null,
    scheduler: mode.scheduler?.(servicePort, settings) ?? null,
    endpoints: explainEndpoints({ servicePort, endpoints, node }),
  }
}

function fateInWords(fate: Fate | 'untouched'): ClientFate {
  return fate === 'reject' ? 'refused' : fate === 'drop' ? 'dropped' : fate
}
