// One line of a watch → what it says. Pure; trusts nothing but its own checks.
import { type ApiStatus, readStatus } from './api-status.ts'
import { StreamFault } from './failure.ts'

export type WatchEvent =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: RawObject }
  /** Nothing happened up to this version. */
  | { readonly type: 'BOOKMARK'; readonly resourceVersion: string; readonly endsInitialEvents: boolean }
  | { readonly type: 'ERROR'; readonly status: ApiStatus }

/** An object of which only the bookkeeping was looked at. */
export interface RawObject {
  readonly raw: unknown
  readonly resourceVersion: string
  readonly uid: string
}

const initialEventsEnd = 'k8s.io/initial-events-end'

/** Throws StreamFault `malformed`. */
export function parseWatchEvent(line: string): WatchEvent {
  const { type, object } = record(parseJson(line))
  switch (type) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
      return { type, object: rawObject(object) }
    case 'BOOKMARK': {
      const { resourceVersion, annotations } = record(record(object)['metadata'])
      const endsInitialEvents = record(annotations ?? {})[initialEventsEnd] === 'true'
      return { type, resourceVersion: versionOf(resourceVersion), endsInitialEvents }
    }
    case 'ERROR':
      return { type, status: readStatus(object, 500) }
    default:
      throw new StreamFault('malformed', `a watch event has type ${JSON.stringify(type) ?? 'missing'}`)
  }
}

/** Throws StreamFault `malformed` where the object has no metadata or no version. */
export function rawObject(raw: unknown): RawObject {
  const { resourceVersion, uid } = record(record(raw)['metadata'])
  return { raw, resourceVersion: versionOf(resourceVersion), uid: typeof uid === 'string' ? uid : '' }
}

/** metadata of a list: where a watch may go on, and whether there is more. */
export function listMetadata(metadata: unknown): {
  readonly resourceVersion: string
  readonly continueToken: string | undefined
} {
  const { resourceVersion, continue: token } = record(metadata)
  return {
    resourceVersion: versionOf(resourceVersion),
    continueToken: typeof token === 'string' && token !== '' ? token : undefined,
  }
}

/**
 * Whether a version lies before another one of the same resource. Versions are opaque but for this: an API server's are
 * decimal numbers that only grow (KEP-5504); of others nothing is said.
 */
export function isOlder(version: string, than: string): boolean {
  if (!/^\d+$/.test(version) || !/^\d+$/.test(than)) return false
  return version.length === than.length ? version < than : version.length < than.length
}

function versionOf(value: unknown): string {
  if (typeof value === 'string' && value !== '') return value
  throw new StreamFault('malformed', 'an object in the stream has no metadata.resourceVersion')
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch (error) {
    throw new StreamFault('malformed', `a line of ${line.length} characters is not JSON`, error)
  }
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  throw new StreamFault('malformed', 'the stream has something that is no object where an object is due')
}
