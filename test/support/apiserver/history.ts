// The cluster's objects and how they came to be: what etcd and the watch cache are to a real server. One version counter for
// all resources. Remembers a limited number of changes; a watch from before them is too old. Can be set back, as a restored backup does.
import { randomUUID } from 'node:crypto'
import { type ApiObject, apiVersionOf, keyOf, resourceOf, type ServedResource, servedResources } from './resources.ts'

export interface Change {
  readonly version: number
  readonly resource: ServedResource
  /** Undefined where the object was created. */
  readonly before: ApiObject | undefined
  /** Undefined where it was deleted. */
  readonly after: ApiObject | undefined
}

export interface History {
  /** The version of the last change. */
  version(): number
  /** The oldest version from which a watch can still start. */
  oldest(): number
  /** Creates or replaces; uid and creationTimestamp stay those of the object that is there. Gives the stored object. */
  put(object: ApiObject): ApiObject
  /** Gives what was there. */
  remove(object: ApiObject): ApiObject | undefined
  get(resource: ServedResource, key: string): ApiObject | undefined
  /** Sorted by namespace and name. */
  list(resource: ServedResource): readonly ApiObject[]
  /** Changes after a version, oldest first. */
  since(version: number, resource: ServedResource): readonly Change[]
  /** Called for each change as it happens; the result ends it. */
  listen(listener: (change: Change) => void): () => void
  /** Forgets how things came to be; what is there stays. */
  compact(): void
  /** Undoes the last changes and sets the version back; what comes next is another history. Nobody is told. */
  restore(changes: number): void
}

/** @param limit how many changes are remembered. */
export function createHistory(limit: number): History {
  const stores = new Map(servedResources.map(resource => [resource, new Map<string, ApiObject>()]))
  const listeners = new Set<(change: Change) => void>()
  let changes: Change[] = []
  let version = 1000

  return {
    version: () => version,
    oldest: () => (changes[0]?.version ?? version + 1) - 1,
    put,
    remove,
    get: (resource, key) => storeOf(resource).get(key),
    list: resource =>
      [...storeOf(resource).entries()].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, object]) => object),
    since(after, resource) {
      const first = changes.findIndex(change => change.version > after)
      return first === -1 ? [] : changes.slice(first).filter(change => change.resource === resource)
    },
    listen(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    compact() {
      // A version that nobody can have seen, so that whoever resumes is too late.
      version += 1
      changes = []
    },
    restore,
  }

  function storeOf(resource: ServedResource): Map<string, ApiObject> {
    const store = stores.get(resource)
    if (store === undefined) throw new TypeError(`no such resource: ${resource.plural}`)
    return store
  }

  function put(object: ApiObject): ApiObject {
    const resource = resourceOf(object)
    const named = resource.namespaced ? withNamespace(object) : object
    const before = storeOf(resource).get(keyOf(named))
    version += 1
    const after = stored(named, before, { resource, version })
    storeOf(resource).set(keyOf(named), after)
    record({ version, resource, before, after })
    return after
  }

  function remove(object: ApiObject): ApiObject | undefined {
    const resource = resourceOf(object)
    const key = keyOf(resource.namespaced ? withNamespace(object) : object)
    const before = storeOf(resource).get(key)
    if (before === undefined) return undefined
    version += 1
    storeOf(resource).delete(key)
    record({ version, resource, before, after: undefined })
    return before
  }

  function record(change: Change): void {
    changes.push(change)
    // In steps, since taking one off the front of an array costs as much as taking a thousand.
    if (changes.length > limit * 1.1) changes = changes.slice(-limit)
    for (const listener of listeners) listener(change)
  }

  function restore(count: number): void {
    const undone = changes.splice(Math.max(0, changes.length - count))
    for (const { resource, before, after } of undone.reverse()) {
      const key = keyOf(before ?? (after as ApiObject))
      if (before === undefined) storeOf(resource).delete(key)
      else storeOf(resource).set(key, before)
    }
    version -= undone.length
  }
}

function withNamespace(object: ApiObject): ApiObject {
  return { ...object, metadata: { ...object.metadata, namespace: object.metadata.namespace ?? 'default' } }
}

/** With what a server adds: identity, version, and the field ownership that makes up much of a real object. */
function stored(
  object: ApiObject,
  before: ApiObject | undefined,
  { resource, version }: { readonly resource: ServedResource; readonly version: number },
): ApiObject {
  const time = new Date().toISOString().replace(/\.\d+Z$/, 'Z')
  return {
    ...object,
    metadata: {
      ...object.metadata,
      uid: before?.metadata.uid ?? object.metadata.uid ?? randomUUID(),
      resourceVersion: String(version),
      creationTimestamp: before?.metadata['creationTimestamp'] ?? time,
      managedFields: [
        {
          manager: 'test',
          operation: 'Update',
          apiVersion: apiVersionOf(resource),
          time,
          fieldsType: 'FieldsV1',
          fieldsV1: { 'f:metadata': { 'f:labels': {} }, 'f:spec': {} },
        },
      ],
    },
  }
}
