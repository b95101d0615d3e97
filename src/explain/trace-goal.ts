// The words of TO → address, port and protocol in one IP family, or a sentence that says what to write instead.
import { type Address, parseAddress } from '../model/address.ts'
import type { Protocol, ServiceKey } from '../model/objects.ts'
import { isProxied, type ServicePort } from '../model/service-port.ts'
import { closest } from '../model/suggest.ts'
import type { Unread } from '../source/source.ts'
import type { ClusterView } from '../sync/decisions.ts'
import type { Inspection } from '../sync/inspect.ts'
import { addressesOf, nodeAddress, portsAt } from './addresses.ts'
import { findPod } from './known-pods.ts'
import { noService } from './unread.ts'

export interface Goal {
  readonly address: Address
  readonly port: number
  readonly protocol: Protocol
}

type Problem = { readonly problem: string }

interface Where {
  readonly inspection: Inspection
  readonly cluster: ClusterView
  readonly unread: readonly Unread[]
}

interface Words {
  readonly word: string
  /** Without port and protocol. */
  readonly host: string
  readonly port: string | undefined
  readonly protocol: Protocol | undefined
}

export function goalOf(word: string, where: Where): Goal | Problem {
  const words = wordsOf(word)
  const [, kind, namespace, name] = /^(svc|service|pod|po)\/(?:([^/]+)\/)?([^/]+)$/.exec(words.host) ?? []
  if (name !== undefined) {
    return kind?.startsWith('s') ? toService(words, { name, namespace }, where) : toPod(words, { name, namespace }, where)
  }
  if (words.host === 'node') {
    const address = nodeAddress(where.inspection)
    const { family } = where.inspection
    return address === undefined ? { problem: `this node has no ${family} address` } : toAddress(words, address, where)
  }
  const address = parseAddress(words.host)
  if (address !== undefined) return toAddress(words, address, where)
  const forms =
    'ADDRESS:PORT, svc/NAME:PORT, svc/NAMESPACE/NAME:PORT, pod/NAME:PORT or node:PORT, each with /UDP or /SCTP after it'
  const advice = words.host === 'outside' ? '`outside` can only send' : 'names are not looked up in DNS'
  return { problem: `cannot tell where to: ${JSON.stringify(word)} is none of ${forms}; ${advice}` }
}

/** Names are in small letters, so `/UDP` is the protocol anywhere, and `/udp` behind a port. */
function wordsOf(word: string): Words {
  const [, rest = word, protocol] = /^(.*?)\/(TCP|UDP|SCTP)$/.exec(word) ?? /^(.*:[^/:]+)\/(tcp|udp|sctp)$/.exec(word) ?? []
  const [, bracketed, after] = /^\[(.*)\](?::(.*))?$/.exec(rest) ?? []
  const isBare = bracketed === undefined && parseAddress(rest) !== undefined
  const end = isBare || bracketed !== undefined ? -1 : rest.lastIndexOf(':')
  return {
    word,
    host: bracketed ?? (end === -1 ? rest : rest.slice(0, end)),
    port: bracketed === undefined ? (end === -1 ? undefined : rest.slice(end + 1)) : after,
    protocol: protocol?.toUpperCase() as Protocol | undefined,
  }
}

function numberIn({ word, port }: Words): number | undefined | Problem {
  if (port === undefined) return undefined
  const number = Number(port)
  if (/^\d+$/.test(port) && number > 0 && number < 65_536) return number
  return { problem: `${JSON.stringify(word)}: ${JSON.stringify(port)} is no port; write a number from 1 to 65535` }
}

/** Without a port: the only one that a Service has there. Without a protocol: TCP, or the only one that a Service has at that port. */
function toAddress(words: Words, address: Address, { inspection }: Where): Goal | Problem {
  const number = numberIn(words)
  if (typeof number === 'object') return number
  const all = portsAt(address, inspection).filter(({ protocol }) => protocol === (words.protocol ?? protocol))
  if (number !== undefined) {
    const protocols = [...new Set(all.filter(({ port }) => port === number).map(({ protocol }) => protocol))]
    const only = protocols.length === 1 ? protocols[0] : undefined
    return { address, port: number, protocol: words.protocol ?? only ?? 'TCP' }
  }
  const [first, ...others] = all
  if (first !== undefined && others.length === 0) return { address, port: first.port, protocol: first.protocol }
  const ports = all.map(({ port, protocol, servicePort }) => `${port}/${protocol} (${servicePort.name})`)
  const few = ports.length > 12 ? [...ports.slice(0, 12), '...'] : ports
  const choice =
    few.length === 0 ? 'no Service has that address, so every port is possible' : `Services have ${few.join(', ')} there`
  return { problem: `${JSON.stringify(words.word)} has no port: write ${words.word}:PORT; ${choice}` }
}

interface Named {
  readonly name: string
  readonly namespace: string | undefined
}

function toService(words: Words, named: Named, where: Where): Goal | Problem {
  const key = findService(named, where)
  if (typeof key === 'object') return key
  const { inspection, cluster } = where
  const ports = (inspection.decisions.get(key) ?? []).map(({ servicePort }) => servicePort)
  if (ports.length === 0) return { problem: whyNoPorts(key, { inspection, cluster }) }
  const fitting = ports.filter(
    each =>
      each.protocol === (words.protocol ?? each.protocol) &&
      (words.port === undefined || String(each.port) === words.port || each.portName === words.port),
  )
  // Of one number in several protocols it is TCP unless another is named.
  const chosen = fitting.length > 1 && words.port !== undefined ? fitting.filter(({ protocol }) => protocol === 'TCP') : fitting
  const [only, ...others] = chosen.length === 0 ? fitting : chosen
  if (only === undefined)
    return { problem: `Service ${key} has no port ${words.port ?? ''}${protocolWord(words)}; it has ${listOf(ports)}` }
  if (others.length > 0)
    return { problem: `Service ${key} has several ports: write svc/${key}:PORT with one of ${listOf(ports)}` }
  const [address] = addressesOf(only, inspection)
  if (address === undefined) return { problem: `Service ${key} has no ${inspection.family} address` }
  return { address: address.address, port: address.port, protocol: only.protocol }
}

function protocolWord({ protocol }: Words): string {
  return protocol === undefined ? '' : ` over ${protocol}`
}

function listOf(ports: readonly ServicePort[]): string {
  return ports.map(({ port, protocol, portName }) => `${port}/${protocol}${portName === '' ? '' : ` (${portName})`}`).join(', ')
}

function findService({ name, namespace }: Named, { cluster, unread }: Where): ServiceKey | Problem {
  const found = [...cluster.services()].filter(each => each.name === name).map(each => each.namespace as string)
  const wanted = namespace ?? (found.includes('default') ? 'default' : found.length === 1 ? found[0] : undefined)
  if (wanted !== undefined && found.includes(wanted)) return `${wanted}/${name}` as ServiceKey
  if (found.length > 1 && namespace === undefined)
    return { problem: `there is a Service ${name} in each of ${found.sort().join(', ')}: write svc/NAMESPACE/${name}` }
  const elsewhere = found.length === 0 ? nearest(name, cluster) : `; there is one in ${found.sort().join(', ')}`
  const none = `there is no Service ${name}${namespace === undefined ? '' : ` in namespace ${namespace}`}${elsewhere}`
  return { problem: noService({ namespace, name }, { unread, none }) }
}

/** What may have been meant. */
function nearest(name: string, cluster: ClusterView): string {
  const meant = closest(name, new Set([...cluster.services()].map(each => each.name as string)))
  const service = [...cluster.services()].find(each => each.name === meant)
  return service === undefined ? '' : `; did you mean svc/${service.namespace}/${service.name}?`
}

function whyNoPorts(key: ServiceKey, { inspection, cluster }: Pick<Where, 'inspection' | 'cluster'>): string {
  const service = cluster.service(key)
  if (service === undefined) return `there is no Service ${key}`
  if (service.headless)
    return `Service ${key} is headless: DNS gives its pods' addresses, and no proxy takes part; trace to pod/NAME:PORT`
  if (service.type === 'ExternalName') return `Service ${key} is an ExternalName: DNS gives another name, and no proxy takes part`
  if (!isProxied(service))
    return `Service ${key} is another proxy's: its label service.kubernetes.io/service-proxy-name says ${service.serviceProxyName}`
  return `Service ${key} has no ${inspection.family} address`
}

function toPod(words: Words, named: Named, { inspection, cluster }: Where): Goal | Problem {
  const pod = findPod({ ...named, family: inspection.family }, cluster)
  if ('problem' in pod) return pod
  const number = numberIn(words)
  if (typeof number === 'object') return number
  const [only, ...others] = new Set(pod.ports)
  const port = number ?? (others.length === 0 ? only : undefined)
  if (port !== undefined) return { address: pod.address, port, protocol: words.protocol ?? 'TCP' }
  return { problem: `${JSON.stringify(words.word)} has no port: write pod/${pod.namespace}/${pod.name}:PORT` }
}
