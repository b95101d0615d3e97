// The cluster as this node sees it: changes in, and which Services they touch.
// Takes a source's changes in order; gives the objects by Service, and what is dirty.
// Invariants: an object replaced by an equal one dirties nothing; a change costs what its Service's slices cost, never
// what the cluster costs; what a read gave is never changed afterwards.
import { type ClusterObject, type EndpointSlice, type Node, type Service, type ServiceKey, serviceKey } from '../model/objects.ts'
import { sameObject } from './decode.ts'
import { type ObjectChange, type ObjectId, objectId } from './source.ts'

/** What changed since the store was asked to apply something. */
export interface Dirty {
  /** Services that changed, or one of whose slices did, appeared or went; also those of which only slices are known. */
  readonly services: ReadonlySet<ServiceKey>
  /** Whether this node's own Node object changed. */
  readonly node: boolean
}

export interface StoreCounts {
  readonly services: number
  readonly slices: number
  readonly endpoints: number
}

export interface Store {
  apply(changes: Iterable<ObjectChange>): Dirty
  service(key: ServiceKey): Service | undefined
  services(): IterableIterator<Service>
  /** The Service's slices, sorted by name; the same list until one of them changes. They may be here before their Service is. */
  slices(key: ServiceKey): readonly EndpointSlice[]
  /** This node's own Node object; others are not kept. */
  node(): Node | undefined
  counts(): StoreCounts
}

interface StoreState {
  readonly ownNode: ObjectId
  readonly objects: Map<ObjectId, ClusterObject>
  readonly services: Map<ServiceKey, Service>
  readonly slices: Map<ServiceKey, readonly EndpointSlice[]>
  sliceCount: number
  endpointCount: number
}

interface Touched {
  readonly services: Set<ServiceKey>
  node: boolean
}

const noSlices: readonly EndpointSlice[] = Object.freeze([])

export function createStore({ nodeName }: { readonly nodeName: string }): Store {
  const state: StoreState = {
    ownNode: objectId('Node', undefined, nodeName),
    objects: new Map(),
    services: new Map(),
    slices: new Map(),
    sliceCount: 0,
    endpointCount: 0,
  }
  return {
    apply(changes) {
      const touched: Touched = { services: new Set(), node: false }
      for (const change of changes) applyChange(state, change, touched)
      return touched
    },
    service: key => state.services.get(key),
    services: () => state.services.values(),
    slices: key => state.slices.get(key) ?? noSlices,
    node: () => ownNode(state),
    counts: () => ({ services: state.services.size, slices: state.sliceCount, endpoints: state.endpointCount }),
  }
}

function ownNode(state: StoreState): Node | undefined {
  const object = state.objects.get(state.ownNode)
  return object?.kind === 'Node' ? object : undefined
}

function applyChange(state: StoreState, { id, object }: ObjectChange, touched: Touched): void {
  const before = state.objects.get(id)
  if (sameObject(before, object) || isForeignNode(state, id)) return
  if (before !== undefined) remove(state, before, touched)
  if (object !== undefined) add(state, object, touched)
  if (object !== undefined) state.objects.set(id, object)
  else state.objects.delete(id)
}

function isForeignNode(state: StoreState, id: ObjectId): boolean {
  return id.startsWith('Node ') && id !== state.ownNode
}

function remove(state: StoreState, object: ClusterObject, touched: Touched): void {
  switch (object.kind) {
    case 'Service': {
      const key = serviceKey(object.namespace, object.name)
      state.services.delete(key)
      touched.services.add(key)
      return
    }
    case 'EndpointSlice': {
      const rest = (state.slices.get(object.service) ?? noSlices).filter(slice => slice !== object)
      if (rest.length > 0) state.slices.set(object.service, rest)
      else state.slices.delete(object.service)
      state.sliceCount -= 1
      state.endpointCount -= object.endpoints.length
      touched.services.add(object.service)
      return
    }
    case 'Node':
      touched.node = true
  }
}

function add(state: StoreState, object: ClusterObject, touched: Touched): void {
  switch (object.kind) {
    case 'Service': {
      const key = serviceKey(object.namespace, object.name)
      state.services.set(key, object)
      touched.services.add(key)
      return
    }
    case 'EndpointSlice':
      state.slices.set(object.service, insertByName(state.slices.get(object.service) ?? noSlices, object))
      state.sliceCount += 1
      state.endpointCount += object.endpoints.length
      touched.services.add(object.service)
      return
    case 'Node':
      touched.node = true
  }
}

/** Names are unique among the slices of one Service: they share its namespace. */
function insertByName(slices: readonly EndpointSlice[], slice: EndpointSlice): readonly EndpointSlice[] {
  const index = slices.findIndex(other => other.name > slice.name)
  return slices.toSpliced(index < 0 ? slices.length : index, 0, slice)
}
