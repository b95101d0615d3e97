// What the virtual servers and sets of a Decision do to new connections, by who makes them. A virtual server has one list for everybody.
import { localPods } from '../../model/node.ts'
import type { Decision, Fate } from '../../model/traffic-policy.ts'
import { behindSourceRanges, type ClientFates, type NodeContext, type WayIn } from '../../model/way-in.ts'

export function fates(decision: Decision, way: WayIn, context: NodeContext): ClientFates {
  const { servicePort, internal, external } = decision
  // A virtual server without a real server refuses.
  if (way.kind === 'cluster IP') return all(internal === 'drop' ? 'reject' : internal)
  if (external !== 'drop') {
    const open = behindSourceRanges(all(external), { servicePort, way, context })
    // What the node sends meets the virtual server before the firewall.
    return external === 'reject' ? { ...open, node: external } : open
  }
  const cluster: Fate = { to: 'Cluster' }
  // SWITCHYARD-NO-LOCAL drops what comes neither from a pod nor from the node; pods that nothing tells apart too.
  const pod = localPods(context.settings, context.node, servicePort.family) === undefined ? external : cluster
  return behindSourceRanges({ pod, node: cluster, outside: external }, { servicePort, way, context })
}

function all(fate: Fate): ClientFates {
  return { pod: fate, node: fate, outside: fate }
}
