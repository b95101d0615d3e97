// What this API server serves: the resources that Switchyard uses, with what the real one knows of their selectors.

/** An object as JSON; only its bookkeeping is typed. */
export interface ApiObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: ApiMetadata
  readonly [field: string]: unknown
}

export interface ApiMetadata {
  readonly name: string
  readonly namespace?: string
  readonly uid?: string
  readonly resourceVersion?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly [field: string]: unknown
}

export interface ServedResource {
  readonly group: string
  readonly version: string
  readonly plural: string
  readonly kind: string
  readonly namespaced: boolean
  readonly writable: boolean
  /** Fields that a fieldSelector may name, and how they are read. */
  readonly fields: Readonly<Record<string, (object: ApiObject) => string>>
}

const byName = { 'metadata.name': (object: ApiObject) => object.metadata.name }
const byNameAndNamespace = { ...byName, 'metadata.namespace': (object: ApiObject) => object.metadata.namespace ?? '' }

function specField(name: string) {
  return (object: ApiObject) => String((object['spec'] as Record<string, unknown> | undefined)?.[name] ?? '')
}

export const servedResources: readonly ServedResource[] = [
  {
    group: '',
    version: 'v1',
    plural: 'services',
    kind: 'Service',
    namespaced: true,
    writable: false,
    fields: { ...byNameAndNamespace, 'spec.clusterIP': specField('clusterIP'), 'spec.type': specField('type') },
  },
  {
    group: 'discovery.k8s.io',
    version: 'v1',
    plural: 'endpointslices',
    kind: 'EndpointSlice',
    namespaced: true,
    writable: false,
    fields: byNameAndNamespace,
  },
  { group: '', version: 'v1', plural: 'nodes', kind: 'Node', namespaced: false, writable: false, fields: byName },
  {
    group: 'events.k8s.io',
    version: 'v1',
    plural: 'events',
    kind: 'Event',
    namespaced: true,
    writable: true,
    fields: {
      ...byNameAndNamespace,
      reason: object => String(object['reason'] ?? ''),
      type: object => String(object['type'] ?? ''),
    },
  },
]

export function apiVersionOf({ group, version }: ServedResource): string {
  return group === '' ? version : `${group}/${version}`
}

/** The resource of an object; throws where it is none that is served. */
export function resourceOf({ apiVersion, kind }: Pick<ApiObject, 'apiVersion' | 'kind'>): ServedResource {
  const found = servedResources.find(resource => resource.kind === kind && apiVersionOf(resource) === apiVersion)
  if (found === undefined) throw new TypeError(`the test API server does not serve ${kind} (${apiVersion})`)
  return found
}

export function resourceNamed(plural: string): ServedResource {
  const found = servedResources.find(resource => resource.plural === plural)
  if (found === undefined) throw new TypeError(`the test API server does not serve ${plural}`)
  return found
}

/** `namespace/name`, or the name alone: the order in which lists come. */
export function keyOf({ metadata: { namespace, name } }: ApiObject): string {
  return namespace === undefined ? name : `${namespace}/${name}`
}
