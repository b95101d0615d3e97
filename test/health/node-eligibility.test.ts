import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isNodeEligible } from '../../src/health/node-eligibility.ts'
import type { Node, ObjectName } from '../../src/model/objects.ts'

const node: Node = {
  kind: 'Node',
  name: 'node1' as ObjectName,
  uid: '',
  zone: undefined,
  addresses: [],
  podCidrs: [],
  deleting: false,
  taints: [],
}

const rows: readonly (readonly [about: string, node: Node | undefined, mustExist: boolean, eligible: boolean])[] = [
  ['a Node as any other', node, true, true],
  ['no Node object at the API server', undefined, true, false],
  ['no Node object among the manifests', undefined, false, true],
  ['a Node with a deletionTimestamp', { ...node, deleting: true }, true, false],
  ['the same among the manifests', { ...node, deleting: true }, false, false],
  ['the taint of the cluster autoscaler', { ...node, taints: ['a/b', 'ToBeDeletedByClusterAutoscaler'] }, true, false],
  ['other taints', { ...node, taints: ['node.kubernetes.io/unschedulable', 'DeletionCandidateOfClusterAutoscaler'] }, true, true],
]

describe('whether the node is eligible', () => {
  for (const [about, object, mustExist, eligible] of rows) {
    it(about, () => assert.equal(isNodeEligible(object, { mustExist }), eligible))
  }
})
