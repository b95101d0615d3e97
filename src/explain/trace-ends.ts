// The words of FROM and TO → a packet. What cannot be understood, or is not known here, becomes a sentence that says what to write instead.
import { type Address, contains, familyOf, type IpFamily, parseAddress } from '../model/address.ts'
import { type LocalPods, localPods } from '../model/node.ts'
import type { KernelParameters } from '../modes/kernel-parameters.ts'
import type { Packet } from '../modes/trace.ts'
import type { Unread } from '../source/source.ts'
import type { ClusterView } from '../sync/decisions.ts'
import type { Inspection } from '../sync/inspect.ts'
import type { ParameterState } from '../sync/wanted-parameters.ts'
import { isOwn, nodeAddress } from './addresses.ts'
import { findPod, type KnownPod, podAt } from './known-pods.ts'
import { type Goal, goalOf } from './trace-goal.ts'
import type { TraceGoal, TraceSender } from './trace-object.ts'

export interface TraceQuestion {
  readonly from: string
  readonly to: string
  /** Undefined: that of an address that is given, else the first in which both ends have one. */
  readonly family: IpFamily | undefined
}

export interface TraceFacts {
  /** One for each family that is programmed. */
  readonly inspections: readonly Inspection[]
  readonly cluster: ClusterView
  /** What cannot be read. */
  readonly unread?: readonly Unread[]
  /** What packets depend on besides rules; absent: all as it should be. */
  readonly parameters?: { readonly values: KernelParameters; readonly wrong: readonly ParameterState[] }
}

export interface Problem {
  readonly problem: string
}

export interface Ends {
  readonly inspection: Inspection
  readonly sender: TraceSender
  readonly goal: TraceGoal
  readonly packet: Packet
  /** Where a pod sends that is not here: `node node2`, `another node`; undefined: here, or nobody knows. */
  readonly elsewhere: string | undefined
}

export function endsOf(question: TraceQuestion, { inspections, cluster, unread = [] }: TraceFacts): Ends | Problem {
  const families = familiesOf(question, inspections)
  if ('problem' in families) return families
  let first: Problem | undefined
  for (const inspection of families.inspections) {
    const ends = endsIn(question, { inspection, cluster, unread })
    if (!('problem' in ends)) return ends
    first ??= ends
  }
  return first ?? { problem: 'no IP family is programmed on this node' }
}

function familiesOf(
  { from, to, family }: TraceQuestion,
  inspections: readonly Inspection[],
): { readonly inspections: readonly Inspection[] } | Problem {
  const wanted = [
    ...(family === undefined ? [] : [{ word: `--family ${family}`, family }]),
    ...[from, to].flatMap(word => {
      const address = addressIn(word)
      return address === undefined ? [] : [{ word, family: familyOf(address) }]
    }),
  ]
  const [one, ...others] = wanted
  const other = others.find(each => each.family !== one?.family)
  if (one !== undefined && other !== undefined)
    return { problem: `${one.word} is ${one.family} and ${other.word} is ${other.family}: a packet is of one IP family` }
  if (one === undefined) return { inspections }
  const fitting = inspections.filter(each => each.family === one.family)
  if (fitting.length > 0) return { inspections: fitting }
  const there = inspections.map(each => each.family).join(' and ')
  return { problem: `${one.word} is ${one.family}, and on this node only ${there || 'no family'} could be read` }
}

/** The address that a word begins with: `10.96.0.1:80/TCP`, `[fd00::1]:80`, `fd00::1`. */
export function addressIn(word: string): Address | undefined {
  const [, bracketed, plain] =
    /^(?:\[([0-9a-fA-F:.]+)\]|([0-9a-fA-F:.]+?))(?::\d+|:[a-z][a-z0-9-]*)?(?:\/[A-Za-z]+)?$/.exec(word) ?? []
  return parseAddress(bracketed ?? word) ?? parseAddress(bracketed ?? plain ?? '')
}

interface Where {
  readonly inspection: Inspection
  readonly cluster: ClusterView
  readonly unread: readonly Unread[]
}

function endsIn(question: TraceQuestion, where: Where): Ends | Problem {
  const { inspection } = where
  const goal = goalOf(question.to, where)
  if ('problem' in goal) return goal
  const sender = senderOf(question.from, where, goal)
  if ('problem' in sender) return sender
  const { family, node } = inspection
  const { address, port, protocol } = goal
  const isNode = sender.kind === 'node'
  return {
    inspection,
    elsewhere: sender.elsewhere,
    sender: { given: question.from, address: sender.address, kind: sender.kind },
    goal: { given: question.to, family, address, port, protocol },
    packet: {
      ...{ family, protocol, source: sender.address, destination: address, port },
      origin: isNode ? 'node' : 'interface',
      interface: sender.isLocalPod ? linkOf(podsOf(inspection)) : undefined,
      localAddresses: new Set(node.interfaceAddresses),
    },
  }
}

interface Sender {
  readonly address: Address
  readonly kind: TraceSender['kind']
  readonly isLocalPod: boolean
  readonly elsewhere?: string | undefined
}

function senderOf(word: string, where: Where, goal: Goal): Sender | Problem {
  const { inspection, cluster } = where
  const { node, family } = inspection
  if (word === 'node') {
    const own = nodeAddress(inspection)
    if (own === undefined) return { problem: `this node has no ${family} address that could send` }
    return { address: isOwn(inspection, goal.address) ? goal.address : own, kind: 'node', isLocalPod: false }
  }
  if (word === 'outside') return outsider(where)
  const [, namespace, name] = /^(?:pod|po)\/(?:([^/:]+)\/)?([^/:]+)$/.exec(word) ?? []
  if (name !== undefined) {
    const pod = findPod({ name, namespace, family }, cluster)
    if ('problem' in pod) return pod
    // A pod of the host network sends as the node does.
    if (isOwn(inspection, pod.address)) return { address: pod.address, kind: 'node', isLocalPod: false }
    const isLocalPod = isHere(inspection, pod)
    const elsewhere = isLocalPod ? undefined : placeOf(pod.nodeName, inspection)
    return { address: pod.address, kind: 'pod', isLocalPod, elsewhere }
  }
  const address = parseAddress(word.replace(/^\[(.*)\]$/, '$1'))
  if (address === undefined) return { problem: `cannot tell who sends: ${JSON.stringify(word)} is none of ${senders}` }
  if (isOwn(inspection, address)) return { address, kind: 'node', isLocalPod: false }
  const isHerePod = node.podCidrs.some(range => contains(range, address))
  if (!isPodAddress(where, address)) return { address, kind: 'outside', isLocalPod: isHerePod }
  const nodeName = podAt(address, cluster)?.nodeName
  const isLocalPod = isHerePod || nodeName === node.name
  return { address, kind: 'pod', isLocalPod, elsewhere: isLocalPod ? undefined : placeOf(nodeName, inspection) }
}

/** Of a pod that is not known to be here. */
function placeOf(nodeName: string | undefined, { node }: Inspection): string | undefined {
  if (nodeName !== undefined) return `node ${nodeName}`
  return node.podCidrs.length > 0 ? 'another node' : undefined
}

const senders = 'an address, pod/NAME, pod/NAMESPACE/NAME, node, outside'

function podsOf({ settings, node, family }: Inspection): LocalPods {
  return localPods(settings, node, family)
}

/** A link of that name, or one whose name begins so. */
function linkOf(pods: LocalPods): string | undefined {
  return pods !== undefined && 'interface' in pods ? pods.interface.replace(/\+$/, '') : undefined
}

function isHere({ node }: Inspection, pod: KnownPod): boolean {
  return pod.nodeName === node.name || node.podCidrs.some(range => contains(range, pod.address))
}

function isPodAddress({ inspection, cluster }: Where, address: Address): boolean {
  const pods = podsOf(inspection)
  if (pods !== undefined && 'source' in pods && contains(pods.source, address)) return true
  return inspection.node.podCidrs.some(range => contains(range, address)) || podAt(address, cluster) !== undefined
}

/** Ranges for documentation (RFC 5737, RFC 3849): nobody has such an address, unless a lab does. */
const documentation: Readonly<Record<IpFamily, readonly string[]>> = {
  IPv4: ['192.0.2.1', '198.51.100.1', '203.0.113.1'],
  IPv6: ['2001:db8::1', '2001:db8:ffff::1', '3fff::1'],
}

/** Somebody who is no pod and not this node. */
function outsider(where: Where): Sender | Problem {
  const { inspection } = where
  const address = documentation[inspection.family]
    .flatMap(text => parseAddress(text) ?? [])
    .find(each => !isOwn(inspection, each) && !isPodAddress(where, each))
  if (address !== undefined) return { address, kind: 'outside', isLocalPod: false }
  const advice = 'write the address of a client instead of `outside`'
  return { problem: `every address that could stand for a client outside counts as a pod's here: ${advice}` }
}
