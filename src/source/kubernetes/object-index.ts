// All objects of one resource as they were last seen. Takes raw objects, decodes them at once and lets them go; gives the
// changes that a consumer must hear of. Invariants: every change is one (an object that says the same again is none); after a
// replacement nothing is left that the replacement did not name; an object that cannot be read keeps its last good version,
// unless it is another object under the same name (its uid says so).
import type { ClusterObject } from '../../model/objects.ts'
import {
  type DecodeProblem,
  type DecodeResult,
  type decodeObject,
  problemText,
  type Refused,
  sameObject,
  toSourceProblem,
} from '../decode.ts'
import type { ObjectChange, ObjectId, ReportProblem, Unread } from '../source.ts'
import type { FollowedResource } from './resources.ts'
import type { RawObject } from './watch-event.ts'

/** A decoded object that is not yet part of the index. */
export interface Reading {
  readonly key: string
  readonly uid: string
  readonly result: DecodeResult
}

export interface ObjectIndex {
  /** Decodes; changes nothing. */
  read(object: RawObject): Reading
  put(reading: Reading): readonly ObjectChange[]
  remove(reading: Reading): readonly ObjectChange[]
  /** Everything that there is: what the index has beyond it is gone. Deletions come first, since what follows may reuse their addresses. */
  replace(readings: Iterable<Reading>): readonly ObjectChange[]
  /** How many objects there are, unreadable ones included. */
  size(): number
  /** How many of them could never be read: there is no good version of them. */
  unreadable(): number
  /** Those that cannot be read as they are now, with an earlier good version or without. */
  unread(): readonly Unread[]
}

interface Entry {
  readonly id: ObjectId | undefined
  readonly uid: string
  /** The last good version; undefined where there is none or nobody needs it. */
  readonly object: ClusterObject | undefined
  readonly unreadable: boolean
  /** What was reported about the object, so that it is not said again. */
  readonly said: string
}

export interface ObjectIndexOptions {
  readonly resource: FollowedResource
  readonly decode: typeof decodeObject
  readonly report: ReportProblem
}

export function createObjectIndex({ resource, decode, report }: ObjectIndexOptions): ObjectIndex {
  const entries = new Map<string, Entry>()
  /** Few; by the key of their entries. */
  const refused = new Map<string, Unread>()
  let unreadable = 0

  return {
    ...{ read, put, remove, replace },
    size: () => entries.size,
    unreadable: () => unreadable,
    unread: () => [...refused.values()],
  }

  function read({ raw, uid }: RawObject): Reading {
    const result = decodeSafely(raw)
    return { key: result.outcome === 'decoded' ? result.id : (result.id ?? result.name), uid, result }
  }

  function put({ key, uid, result }: Reading): readonly ObjectChange[] {
    const known = entries.get(key)
    const before = known?.uid === uid ? known : undefined
    const gone = known === undefined || before !== undefined ? [] : forget(key, known)
    const after = entryOf({ uid, result, before })
    say(result, before?.said ?? '', after.said)
    entries.set(key, after)
    if (result.outcome === 'refused') refused.set(key, unreadOf(result, after))
    else refused.delete(key)
    unreadable += Number(after.unreadable) - Number(before?.unreadable ?? false)
    return [...gone, ...difference(before, after)]
  }

  function remove({ key }: Reading): readonly ObjectChange[] {
    const known = entries.get(key)
    return known === undefined ? [] : forget(key, known)
  }

  function replace(readings: Iterable<Reading>): readonly ObjectChange[] {
    const all = new Map<string, Reading>()
    for (const reading of readings) all.set(reading.key, reading)
    const changes: ObjectChange[] = []
    for (const [key, entry] of [...entries]) {
      if (!all.has(key)) changes.push(...forget(key, entry))
    }
    for (const reading of all.values()) changes.push(...put(reading))
    return changes
  }

  function forget(key: string, entry: Entry): readonly ObjectChange[] {
    entries.delete(key)
    refused.delete(key)
    unreadable -= Number(entry.unreadable)
    return difference(entry, undefined)
  }

  /** A decoder that throws is our own mistake; it must cost one object, not all. */
  function decodeSafely(raw: unknown): DecodeResult {
    try {
      return decode(raw, { apiVersion: resource.apiVersion, kind: resource.kind })
    } catch (error) {
      const name = `${resource.kind} ${nameOf(raw)}`
      const seen = `beyond the decoder (${error instanceof Error ? error.message : String(error)})`
      const problem = {
        path: '',
        seen,
        expected: 'an object that it can read',
        advice: 'This is a mistake in Switchyard; report it.',
      }
      return { outcome: 'refused', id: undefined, name, error: problem }
    }
  }

  function say(result: DecodeResult, saidBefore: string, saying: string): void {
    if (saying === '' || saying === saidBefore) return
    for (const { severity, problem } of remarks(result)) report(toSourceProblem(severity, placeOf(result), problem))
  }
}

/** The entry after `result` was read, given the entry of the same object (the same uid) before. */
function entryOf(reading: { readonly uid: string; readonly result: DecodeResult; readonly before: Entry | undefined }): Entry {
  const { uid, result, before } = reading
  const said = remarks(result)
    .map(({ problem }) => problemText(problem))
    .join('; ')
  switch (result.outcome) {
    case 'decoded': {
      const object = sameObject(before?.object, result.object) ? before?.object : result.object
      return { id: result.id, uid, object, unreadable: false, said }
    }
    case 'ignored':
      return { id: result.id, uid, object: undefined, unreadable: false, said }
    case 'refused':
      return { id: result.id ?? before?.id, uid, object: before?.object, unreadable: before?.object === undefined, said }
  }
}

function unreadOf({ name, error }: Refused, { id, object }: Entry): Unread {
  return { id, where: name, problem: problemText(error), kept: object !== undefined }
}

function difference(before: Entry | undefined, after: Entry | undefined): readonly ObjectChange[] {
  if (before?.object === after?.object) return []
  const id = after?.id ?? before?.id
  return id === undefined ? [] : [{ id, object: after?.object }]
}

interface Remark {
  readonly severity: 'error' | 'warning' | 'info'
  readonly problem: DecodeProblem
}

function remarks(result: DecodeResult): readonly Remark[] {
  switch (result.outcome) {
    case 'decoded':
      return result.warnings.map(problem => ({ severity: 'warning', problem }))
    case 'ignored':
      return result.why.severity === 'info' ? [] : [ignoredRemark(result.why)]
    case 'refused':
      return [{ severity: 'error', problem: result.error }]
  }
}

function ignoredRemark({ reason, advice }: { readonly reason: string; readonly advice: string }): Remark {
  return { severity: 'warning', problem: { path: '', seen: reason, expected: 'something to follow', advice } }
}

function placeOf(result: DecodeResult): string {
  return result.outcome === 'decoded' ? result.id : result.name
}

function nameOf(raw: unknown): string {
  const metadata = typeof raw === 'object' && raw !== null && 'metadata' in raw ? raw.metadata : undefined
  const { namespace, name } = (metadata ?? {}) as { readonly namespace?: unknown; readonly name?: unknown }
  return namespace === undefined ? String(name) : `${String(namespace)}/${String(name)}`
}
