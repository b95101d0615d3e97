// What a difference means for connections, in ipvs mode: by the set, the virtual server or the address.
import { type ServerName, serverPlace } from '../../kernel/ipvsadm.ts'
import type { ServicePort } from '../../model/service-port.ts'
import type { Decisions, Drift } from '../mode.ts'
import { sharedMeaning, strangerMeaning } from '../rules/meaning.ts'
import { rulePlace } from '../rules/places.ts'
import { nameOf } from '../ways.ts'

export function ipvsMeaning(drift: Drift, decisions: Decisions): string {
  return (
    sharedMeaning(drift) ?? rulesMeaning(drift) ?? serverMeaning(drift, decisions) ?? setMeaning(drift) ?? placeMeaning(drift)
  )
}

const chains: Readonly<Record<string, string>> = {
  'nat KUBE-SERVICES': 'connections to Services may not be masqueraded, or be taken by other rules: some get no answers',
  'nat KUBE-LOAD-BALANCER': 'connections to load balancer addresses may not be masqueraded: they may get no answers',
  'nat KUBE-NODE-PORT': 'connections to node ports may not be masqueraded: they may get no answers',
  'filter KUBE-NODE-PORT': "health checks of load balancers may be stopped by the node's firewall",
  'filter KUBE-SOURCE-RANGES-FIREWALL': 'loadBalancerSourceRanges let in others than they should, or fewer',
  'filter KUBE-PROXY-FIREWALL': 'loadBalancerSourceRanges are not enforced',
  'filter KUBE-IPVS-FILTER': "service addresses may let in connections to the node's own listeners, or refuse those to Services",
  'filter KUBE-IPVS-OUT-FILTER': "loadBalancerSourceRanges are not enforced for this node's own processes",
  'filter SWITCHYARD-NO-LOCAL':
    'connections from outside to Services with externalTrafficPolicy Local and no endpoint here are not dropped: their answers get lost',
}

function rulesMeaning(drift: Drift): string | undefined {
  const place = rulePlace(drift.what)
  if (place === undefined) return undefined
  if (drift.kind === 'unexpected')
    return place.rule === undefined ? 'a chain that this mode does not want' : strangerMeaning(place)
  return chains[`${place.table} ${place.chain}`] ?? drift.what
}

function serverMeaning(drift: Drift, decisions: Decisions): string | undefined {
  const [, server = '', rest = ''] = /^virtual server (\S+ \S+?\]?:\d+)(?:: (.*))?$/.exec(drift.what) ?? []
  if (server === '') return drift.what.startsWith('virtual server ') ? 'a virtual server of nobody here' : undefined
  const port = portAt(server as ServerName, drift, decisions)
  const at = placeText(server as ServerName)
  const name = port === undefined ? at : `${nameOf(port)} at ${at}`
  const realServer = /^real server (\S+?)(?:, expected .*)?$/.exec(rest)?.[1]
  if (realServer !== undefined) return realServerMeaning(drift, name, realServer)
  if (rest.startsWith('options')) return optionsMeaning(rest, name)
  const stray = `a virtual server at ${at} that no Service wants: connections there are taken in`
  return drift.kind === 'missing' ? `connections to ${name} are refused or reach nothing: there is no virtual server` : stray
}

function realServerMeaning({ kind, what }: Drift, name: string, realServer: string): string {
  if (kind === 'missing') return `new connections to ${name} never go to endpoint ${realServer}`
  if (kind === 'unexpected') return `new connections to ${name} may go to ${realServer}, which is none of its endpoints`
  const drains = what.endsWith(' -w 0')
  const changed = `the share of new connections to ${name} that endpoint ${realServer} gets, or the way that they take, is not as it should be`
  return drains ? `new connections to ${name} go to ${realServer}, which should only keep those that it has` : changed
}

/** The difference names only what is expected. */
function optionsMeaning(rest: string, name: string): string {
  const [, expected = ''] = /expected (.*)$/.exec(rest) ?? []
  const scheduler = /^-s (\S+)/.exec(expected)?.[1] ?? ''
  const [, seconds] = / -p (\d+)/.exec(expected) ?? []
  const affinity = seconds === undefined ? 'without session affinity' : `with session affinity of ${seconds} s`
  return `new connections to ${name} are spread in another way than by ${scheduler} ${affinity}`
}

function portAt(server: ServerName, { service }: Drift, decisions: Decisions): ServicePort | undefined {
  const place = serverPlace(server)
  const ofService = (service === undefined ? [] : (decisions.get(service) ?? [])).map(({ servicePort }) => servicePort)
  const isAt = ({ protocol, port, nodePort }: ServicePort): boolean =>
    protocol === place?.protocol && (port === place.port || nodePort === place.port)
  return ofService.find(isAt) ?? ofService[0]
}

function placeText(server: ServerName): string {
  return server.slice(server.indexOf(' ') + 1)
}

/** By set, without its family: what a missing entry means, and one too many. */
const sets: Readonly<Record<string, readonly [missing: string, stray: string]>> = {
  'LOOP-BACK': ['a pod that reaches itself by its Service gets no answer', 'harmless until a pod has that address'],
  'CLUSTER-IP': [
    'connections there from elsewhere than a pod are not masqueraded and may get no answers; new ones may be refused as to a port of no Service',
    "packets there are taken for a Service's",
  ],
  'EXTERNAL-IP': ['connections there are not masqueraded and may get no answers', "packets there are taken for a Service's"],
  'EXTERNAL-IP-LOCAL': ['connections there may be refused as to a port of no Service', "packets there are taken for a Service's"],
  'LOAD-BALANCER': ['connections there are not masqueraded and may get no answers', "packets there are taken for a Service's"],
  'LOAD-BALANCER-LOCAL': [
    'connections there are masqueraded: the pod does not see its client',
    'connections there are not masqueraded and may get no answers',
  ],
  'LOAD-BALANCER-FW': [
    'loadBalancerSourceRanges are not enforced there',
    'connections there are dropped but for ranges that allow them',
  ],
  'LOAD-BALANCER-SOURCE-CIDR': [
    'clients of that range are dropped',
    'clients of that range get in although loadBalancerSourceRanges has it not',
  ],
  'LOAD-BALANCER-SOURCE-IP': [
    'the node itself is dropped there',
    'that address gets in although loadBalancerSourceRanges has it not',
  ],
  'NODE-PORT': [
    'connections to that node port are not masqueraded and may get no answers',
    'connections to that port of the node are masqueraded',
  ],
  'NODE-PORT-LOCAL': [
    'connections to that node port are masqueraded: the pod does not see its client',
    'connections to that node port are not masqueraded and may get no answers',
  ],
  'HEALTH-CHECK-NODE-PORT': [
    "health checks at that port may be stopped by the node's firewall",
    'that port of the node is let through',
  ],
  'IPVS-IPS': [
    "that address lets in connections to the node's own listeners",
    'new connections to that address are refused but for ports of Services',
  ],
  'NO-LOCAL': [
    'connections from outside there are not dropped although no endpoint is on this node: their answers get lost',
    'connections from outside there are dropped',
  ],
}

function setMeaning({ what, kind, service }: Drift): string | undefined {
  const [, name, entry] = /^set (\S+?)(?:: (.*))?$/.exec(what) ?? []
  if (name === undefined) return undefined
  const base = name.replace(/^(KUBE|SWITCHYARD)-(6-)?/, '').replace(/-(TCP|UDP|SCTP(-H\w*)?)$/, '')
  const [missing, stray] = sets[base] ?? []
  if (entry === undefined) {
    if (missing === undefined) return 'left behind by a change that ended half-way'
    return kind === 'missing'
      ? `of all Services: ${missing}`
      : `the set is of another type or size, or too small for its entries: ${missing}`
  }
  const whose = service === undefined ? entry : `${entry} of ${service}`
  return `${whose}: ${kind === 'missing' ? missing : stray}`
}

function placeMeaning({ what, kind, service }: Drift): string {
  const address = /: address (\S+)$/.exec(what)?.[1]
  if (address === undefined) return 'no service address is on this node: no Service is reached'
  if (kind === 'unexpected') return `the node takes packets to ${address} for its own, although no Service here has that address`
  return `connections to ${address}${service === undefined ? '' : ` of ${service}`} pass this node by: no virtual server sees them`
}
