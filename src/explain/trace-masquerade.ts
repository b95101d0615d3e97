// Whether the packet leaves with the node's own address as its source, and why, in words.
import { localPods } from '../model/node.ts'
import type { Traced } from './trace.ts'
import type { TraceObject } from './trace-object.ts'

/** Null where it goes to no endpoint. */
export function masqueradeOf(traced: Traced): TraceObject['masquerade'] {
  const { candidates } = traced
  if (candidates.length === 0) return null
  const masqueraded = candidates.filter(({ masquerade }) => masquerade)
  if (masqueraded.length === 0) return { applies: 'never', reason: whyNot(traced) }
  const applies = masqueraded.length === candidates.length ? 'always' : 'for some endpoints'
  return { applies, reason: why(traced) }
}

function why(traced: Traced): string {
  const { at, from, candidates, inspection } = traced
  const { settings } = inspection
  const isHairpin = (endpoint: string): boolean =>
    endpoint.startsWith(`${from.address}:`) || endpoint.startsWith(`[${from.address}]:`)
  const masqueraded = candidates.filter(({ masquerade }) => masquerade)
  if (masqueraded.every(({ endpoint }) => isHairpin(endpoint)))
    return 'a pod that is sent to itself would answer itself past the translation'
  if (at === undefined) return foreign(traced)
  if (at.kind === 'cluster IP') {
    if (settings.masqueradeAll) return 'iptables.masqueradeAll is on'
    if (from.kind !== 'pod') return `${senderWords(traced)}, so the answers must come back by this node`
    return foreign(traced)
  }
  if (at.servicePort.externalTrafficPolicy === 'Cluster')
    return 'externalTrafficPolicy is Cluster: the endpoint may be on another node, and its answers must come back by this one'
  return from.kind === 'node' ? "the node's own connections to external addresses always are" : foreign(traced)
}

function whyNot(traced: Traced): string {
  const { at, from, inspection } = traced
  if (at === undefined) return 'no rule asks for it'
  if (at.kind !== 'cluster IP') {
    if (at.servicePort.externalTrafficPolicy === 'Cluster')
      return 'no rule asks for it, although externalTrafficPolicy is Cluster'
    if (from.kind === 'outside')
      return "externalTrafficPolicy is Local: the endpoint is on this node and sees the client's own address"
    return from.kind === 'pod'
      ? 'the sender is a pod: answers find their way to it'
      : 'the endpoint is on this node, and so is the sender'
  }
  if (from.kind === 'pod') return 'the sender is a pod: answers find their way to it'
  const pods = localPods(inspection.settings, inspection.node, inspection.family)
  return pods === undefined
    ? 'nothing tells pods from others here (clusterCIDR is not set), so nothing is masqueraded at cluster IPs'
    : 'no rule asks for it, although the sender is no pod'
}

function senderWords({ from, inspection }: Traced): string {
  const pods = localPods(inspection.settings, inspection.node, inspection.family)
  const who = from.kind === 'node' ? 'the node itself sends' : `${from.address} is no pod`
  if (pods === undefined) return who
  return 'source' in pods ? `${who} (pods are in ${pods.source})` : `${who} (pods come by link ${pods.interface})`
}

/** Rules that we know no reason for: those of others, or changed ones. */
function foreign({ trace }: Traced): string {
  const step = trace.branches.find(({ masquerade }) => masquerade !== undefined)?.masquerade
  return `a rule asks for it: ${step?.where ?? ''}: ${step?.what ?? ''}`
}
