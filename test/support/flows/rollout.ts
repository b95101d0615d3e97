// A Deployment's rolling update as the cluster's objects tell it: one Service, two generations of pods. Each endpoint is replaced
// in three steps, and every step is a new EndpointSlice of each family. Pure.
import type { ApiObject } from '../apiserver/index.ts'
import type { PodPlan } from '../lab/network-plan.ts'

/** Where the Service is reached. */
export const rolled = { ipv4: '10.96.110.1', ipv6: 'fd00:10:96::110:1', port: 80, nodePort: 31_900 } as const

export interface Replacement {
  readonly old: PodPlan
  /** The new pod is ready beside the old one; the old one is terminating and serves on; the old one is gone. */
  readonly steps: readonly (readonly ApiObject[])[]
}

/** The Service with these pods as its endpoints, all ready. */
export function steadyState(pods: readonly PodPlan[]): readonly ApiObject[] {
  return objectsFor(pods.map(ready))
}

/** One pod after the other: `from[i]` by `to[i]`. */
export function rollout(from: readonly PodPlan[], to: readonly PodPlan[]): readonly Replacement[] {
  return from.map((old, position) => {
    const others = [...to.slice(0, position), ...from.slice(position + 1)].map(ready)
    const surged = [...others, ...to.slice(position, position + 1).map(ready)]
    const steps = [[...surged, ready(old)], [...surged, terminating(old)], surged].map(objectsFor)
    return { old, steps }
  })
}

interface Endpoint {
  readonly pod: PodPlan
  readonly conditions: object
}

function ready(pod: PodPlan): Endpoint {
  return { pod, conditions: { ready: true, serving: true, terminating: false } }
}

function terminating(pod: PodPlan): Endpoint {
  return { pod, conditions: { ready: false, serving: true, terminating: true } }
}

function objectsFor(endpoints: readonly Endpoint[]): readonly ApiObject[] {
  const service: ApiObject = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'rolled', namespace: 'default' },
    spec: {
      type: 'NodePort',
      clusterIP: rolled.ipv4,
      clusterIPs: [rolled.ipv4, rolled.ipv6],
      ipFamilies: ['IPv4', 'IPv6'],
      ipFamilyPolicy: 'RequireDualStack',
      ports: [{ name: 'http', port: rolled.port, protocol: 'TCP', targetPort: 8080, nodePort: rolled.nodePort }],
    },
  }
  return [service, slice('IPv4', endpoints), slice('IPv6', endpoints)]
}

function slice(family: 'IPv4' | 'IPv6', endpoints: readonly Endpoint[]): ApiObject {
  const labels = { 'kubernetes.io/service-name': 'rolled' }
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `rolled-${family.toLowerCase()}`, namespace: 'default', labels },
    addressType: family,
    endpoints: endpoints.map(({ pod, conditions }) => {
      return { addresses: [family === 'IPv4' ? pod.ipv4 : pod.ipv6], nodeName: pod.node, conditions }
    }),
    ports: [{ name: 'http', protocol: 'TCP', port: 8080 }],
  }
}
