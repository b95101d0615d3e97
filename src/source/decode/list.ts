// Kinds that hold other objects: List, and an API server's own ServiceList, EndpointSliceList, NodeList and so on.
// The items of the latter do not say what they are; the list does.
import { isFields } from './fields.ts'
import type { ObjectType } from './result.ts'

export interface ListItem {
  readonly value: unknown
  /** What the item is where it does not say so itself. */
  readonly type: ObjectType | undefined
}

/**
 * The objects in a value: its items where it is a list, else the value alone. Items that are lists are not expanded again
 * (no Kubernetes tool writes such a thing), they end as an object of a kind that is not followed.
 */
export function expandList(value: unknown): readonly ListItem[] {
  if (!isFields(value)) return [{ value, type: undefined }]
  const { apiVersion, kind, items } = value
  if (typeof kind !== 'string' || !kind.endsWith('List') || !(items === null || Array.isArray(items)))
    return [{ value, type: undefined }]
  const itemKind = kind.slice(0, -'List'.length)
  const type = itemKind === '' || typeof apiVersion !== 'string' ? undefined : { apiVersion, kind: itemKind }
  return (items ?? []).map((item: unknown) => ({ value: item, type }))
}
