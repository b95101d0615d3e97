// Whether load balancers may send new connections to this node (kube-proxy, KEP-3836).
import type { Node } from '../model/objects.ts'

/** Put on a Node by the cluster autoscaler before it takes the machine away. */
const toBeDeletedTaint = 'ToBeDeletedByClusterAutoscaler'

/**
 * @param node undefined: there is no such Node object, or it is not known yet.
 * @param mustExist an API server has an object for every node; a folder of manifests need not have one.
 */
export function isNodeEligible(node: Node | undefined, { mustExist }: { readonly mustExist: boolean }): boolean {
  if (node === undefined) return !mustExist
  return !node.deleting && !node.taints.includes(toBeDeletedTaint)
}
