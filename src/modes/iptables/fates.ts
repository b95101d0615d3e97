// What the rules of a Decision do to new connections, by who makes them: in words for people, so that they need not read the chains.
import { localPods } from '../../model/node.ts'
import type { Decision, Fate } from '../../model/traffic-policy.ts'
import { behindSourceRanges, type ClientFates, type NodeContext, type WayIn } from '../../model/way-in.ts'

export function fates(decision: Decision, way: WayIn, context: NodeContext): ClientFates {
  const { servicePort, internal, external } = decision
  if (way.kind === 'cluster IP') return { pod: internal, node: internal, outside: internal }
  if (external === 'reject') return { pod: external, node: refusedOnItsWayOut(way, context), outside: external }
  const inside: Fate = servicePort.externalTrafficPolicy === 'Local' ? { to: 'Cluster' } : external
  // Pods that nothing tells apart are treated as all others.
  const pod = localPods(context.settings, context.node, servicePort.family) === undefined ? external : inside
  return behindSourceRanges({ pod, node: inside, outside: external }, { servicePort, way, context })
}

/** KUBE-EXTERNAL-SERVICES refuses on the way in and through: what the node sends to an address that it does not have itself leaves the node. */
function refusedOnItsWayOut({ address }: WayIn, { node }: NodeContext): 'reject' | 'untouched' {
  return address === undefined || node.interfaceAddresses.includes(address) ? 'reject' : 'untouched'
}
