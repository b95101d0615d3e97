// What is followed, and the selectors by which the API server leaves out what no proxy needs (those of kube-proxy 1.36).
import type { ObjectKind } from '../../model/objects.ts'

/** A kind of object as URLs name it. */
export interface ApiResource {
  /** Empty for the core group. */
  readonly group: string
  readonly version: string
  /** `services`: as in URLs and in RBAC rules. */
  readonly plural: string
}

/** A resource that is listed and watched as a whole. */
export interface FollowedResource extends ApiResource {
  readonly kind: ObjectKind
  readonly apiVersion: string
  readonly labelSelector: string | undefined
  readonly fieldSelector: string | undefined
  /** The selector only saves traffic: API servers that do not know the field (Services before 1.31) are asked without it. */
  readonly fieldSelectorIsOptional: boolean
  /** An object that is cheap to ask for, whether it exists or not: the answer's version is all that matters. */
  readonly witness: { readonly namespace?: string; readonly name: string }
}

const kubernetes = { namespace: 'default', name: 'kubernetes' }

export const services: FollowedResource = {
  group: '',
  version: 'v1',
  plural: 'services',
  kind: 'Service',
  apiVersion: 'v1',
  labelSelector: '!service.kubernetes.io/service-proxy-name',
  fieldSelector: 'spec.clusterIP!=None',
  fieldSelectorIsOptional: true,
  witness: kubernetes,
}

export const endpointSlices: FollowedResource = {
  group: 'discovery.k8s.io',
  version: 'v1',
  plural: 'endpointslices',
  kind: 'EndpointSlice',
  apiVersion: 'discovery.k8s.io/v1',
  labelSelector: '!service.kubernetes.io/headless',
  fieldSelector: undefined,
  fieldSelectorIsOptional: false,
  witness: kubernetes,
}

/** The one Node of this name. */
export function ownNode(name: string): FollowedResource {
  return {
    group: '',
    version: 'v1',
    plural: 'nodes',
    kind: 'Node',
    apiVersion: 'v1',
    labelSelector: undefined,
    fieldSelector: `metadata.name=${name}`,
    fieldSelectorIsOptional: false,
    witness: { name },
  }
}
