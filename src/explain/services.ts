// The cluster as this node sees it → what is told of Services: a line each, or one whole. Pure.
import { type Address, hostPort, type IpFamily } from '../model/address.ts'
import { endpointsOf } from '../model/endpoint.ts'
import type { NodeFacts } from '../model/node.ts'
import { type Service, type ServiceKey, serviceKey } from '../model/objects.ts'
import { isProxied, type ServicePort, servicePorts } from '../model/service-port.ts'
import { type Decision, decidePort, type Fate } from '../model/traffic-policy.ts'
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
import { policyFor } from './trace-policy.ts'

export interface ServicesFacts {
  readonly cluster: ClusterView
  /** Those that are programmed. */
  readonly families: readonly IpFamily[]
  readonly node: NodeFacts
  readonly mode: string
  /** Of Services that ask for none, in ipvs mode. */
  readonly scheduler: string
  /** Whether a change of it is not in the kernel yet. */
  readonly isWaiting: (key: ServiceKey) => boolean
  /** Why the kernel refuses its rules; undefined where it does not. */
  readonly quarantine: (key: ServiceKey) => string | undefined
  /** What it asks for and does not get, in words. */
  readonly remarks: (key: ServiceKey) => readonly string[]
  /** Milliseconds since 1970. */
  readonly time: number
}

const version = 'switchyard/v1'

/** @param search what a name, an address or a port of it contains; empty for all. */
export function serviceList(search: string, limit: number, facts: ServicesFacts): ServiceList {
  const wanted = search.trim().toLowerCase()
  const found = [...facts.cluster.services()].filter(service => wanted === '' || matches(service, wanted))
  const sorted = found.toSorted((a, b) => compare(a.namespace, b.namespace) || compare(a.name, b.name))
  const services = sorted.slice(0, limit).map(service => summaryOf(service, facts))
  return { apiVersion: version, kind: 'ServiceList', ...aboutNode(facts), total: found.length, services }
}

/** Undefined where there is no such Service. */
export function serviceDetail(key: ServiceKey, facts: ServicesFacts): ServiceDetail | undefined {
  const service = facts.cluster.service(key)
  if (service === undefined) return undefined
  const ports = facts.families.flatMap(family => servicePorts(service, family).map(port => portDetail(port, facts)))
  const state = stateOf(service, facts)
  return { apiVersion: version, kind: 'ServiceDetail', ...aboutNode(facts), service: key, type: typeOf(service), state, ports }
}

function aboutNode({ time, node, mode }: ServicesFacts) {
  return { time: new Date(time).toISOString(), node: node.name, mode }
}

function keyOf({ namespace, name }: Service): ServiceKey {
  return serviceKey(namespace, name)
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b)
}

function typeOf({ type, headless }: Service): string {
  return headless ? `${type}, headless` : type
}

function matches(service: Service, wanted: string): boolean {
  return (
    keyOf(service).includes(wanted) ||
    addressesOf(service).some(text => text.includes(wanted)) ||
    portsOf(service).some(text => text.toLowerCase().includes(wanted))
  )
}

function summaryOf(service: Service, facts: ServicesFacts): ServiceSummary {
  const key = keyOf(service)
  const seen = new Map<Address, { readonly ready: boolean; readonly local: boolean }>()
  for (const slice of facts.cluster.slices(key)) {
    for (const { address, ready, nodeName } of slice.endpoints) {
      const before = seen.get(address)
      seen.set(address, { ready: ready || before?.ready === true, local: nodeName === facts.node.name })
    }
  }
  const endpoints = [...seen.values()]
  return {
    service: key,
    type: typeOf(service),
    addresses: addressesOf(service),
    ports: portsOf(service),
    endpoints: {
      total: endpoints.length,
      ready: endpoints.filter(({ ready }) => ready).length,
      local: endpoints.filter(({ local }) => local).length,
    },
    state: stateOf(service, facts),
  }
}

/** Each once; node ports as `node:30080/TCP`. */
function addressesOf({ clusterIPs, loadBalancerAddresses, externalIPs, ports }: Service): readonly string[] {
  const nodePorts = ports.filter(({ nodePort }) => nodePort !== 0).map(({ nodePort, protocol }) => `node:${nodePort}/${protocol}`)
  return [...new Set([...clusterIPs, ...loadBalancerAddresses, ...externalIPs, ...nodePorts])]
}

function portsOf({ ports }: Service): readonly string[] {
  return ports.map(({ port, protocol, name }) => `${port}/${protocol}${name === '' ? '' : ` ${name}`}`)
}

function stateOf(service: Service, { isWaiting, quarantine, remarks }: ServicesFacts): ServiceState {
  const key = keyOf(service)
  if (!isProxied(service)) return { programmed: 'not ours', remarks: [whyNotOurs(service)] }
  const refusal = quarantine(key)
  if (refusal !== undefined) return { programmed: 'quarantined', remarks: [refusal, ...remarks(key)] }
  return { programmed: isWaiting(key) ? 'waiting' : 'yes', remarks: remarks(key) }
}

function whyNotOurs({ type, serviceProxyName }: Service): string {
  if (serviceProxyName !== undefined) return `label service.kubernetes.io/service-proxy-name gives it to ${serviceProxyName}`
  return type === 'ExternalName' ? 'an ExternalName is a matter of DNS' : 'a headless Service is a matter of DNS'
}

function portDetail(servicePort: ServicePort, facts: ServicesFacts): ServicePortDetail {
  const { cluster, node, mode, scheduler } = facts
  const endpoints = endpointsOf(servicePort, cluster.slices(servicePort.service), node.name)
  const decision = decidePort(servicePort, endpoints, node)
  const { name, family, protocol, port, affinityTimeoutSeconds } = servicePort
  return {
    ...{ name, family, protocol, port },
    addresses: serviceAddresses(decision, mode),
    affinitySeconds: affinityTimeoutSeconds ?? null,
    scheduler: mode === 'ipvs' ? (servicePort.ipvsScheduler ?? scheduler) : null,
    endpoints: explainEndpoints({ servicePort, endpoints, node }),
  }
}

function serviceAddresses(decision: Decision, mode: string): readonly ServiceAddress[] {
  const { servicePort } = decision
  const { clusterIP, port, nodePort, externalIPs, loadBalancerAddresses, loadBalancerSourceRanges } = servicePort
  const at = (kind: ServiceAddress['kind'], address: string): ServiceAddress => ({
    kind,
    address,
    sourceRanges: kind === 'load balancer' ? loadBalancerSourceRanges : [],
    fates: clients.map(client => ({ client, fate: fateOf(decision, { kind, client, mode }) })),
  })
  return [
    ...(clusterIP === undefined ? [] : [at('cluster IP', hostPort(clusterIP, port))]),
    ...loadBalancerAddresses.map(address => at('load balancer', hostPort(address, port))),
    ...externalIPs.map(address => at('external address', hostPort(address, port))),
    ...(nodePort === 0 ? [] : [at('node port', `node:${nodePort}`)]),
  ]
}

const clients = ['pod', 'node', 'outside'] as const

interface Connection {
  readonly kind: ServiceAddress['kind']
  readonly client: (typeof clients)[number]
  readonly mode: string
}

function fateOf(decision: Decision, { kind, client, mode }: Connection): ClientFate {
  const { internal, external, servicePort } = decision
  const ofPolicy = kind === 'cluster IP' ? internal : external
  if (ofPolicy === 'reject') return 'refused'
  const { policy } = policyFor({ kind, servicePort, decision }, client, mode)
  if (policy === 'Cluster') return { to: 'Cluster' }
  return inWords(ofPolicy, kind === 'cluster IP' && mode === 'ipvs')
}

/** A virtual server without real servers refuses. */
function inWords(fate: Fate, refusesAll: boolean): ClientFate {
  if (typeof fate === 'object') return fate
  return fate === 'reject' || refusesAll ? 'refused' : 'dropped'
}
