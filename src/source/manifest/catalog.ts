// What all files of a folder say together: which file an object comes from, which earlier version stays, what changed.
// Pure: the catalog before and the files now → the next catalog, the changes, and everything that is wrong at present.
// Invariants: the first file by name that holds an object owns it; an object is given up only when no file claims it any
// more, and a claim that cannot be read is still a claim.
import { join } from 'node:path'
import type { ClusterObject } from '../../model/objects.ts'
import { type Decoded, type Ignored, problemText, type Refused, sameObject, toSourceProblem } from '../decode.ts'
import type { ObjectChange, ObjectId, SourceProblem, Unread } from '../source.ts'
import type { Parsed } from './document.ts'
import type { ManifestFiles } from './reader.ts'

export interface Catalog {
  readonly objects: ReadonlyMap<ObjectId, OwnedObject>
  /** The last contents of each present file that could be parsed. */
  readonly lastParsed: ReadonlyMap<string, Parsed>
}

export interface OwnedObject {
  readonly object: ClusterObject
  /** The name of the file. */
  readonly owner: string
}

export interface CatalogUpdate {
  readonly catalog: Catalog
  readonly changes: readonly ObjectChange[]
  /** Whether a file or an object could never be read. */
  readonly unreadable: boolean
  readonly unread: readonly Unread[]
  /** By a key that stays the same as long as the problem is about the same thing. */
  readonly problems: ReadonlyMap<string, SourceProblem>
}

export const emptyCatalog: Catalog = { objects: new Map(), lastParsed: new Map() }

interface Draft {
  readonly folder: string
  readonly before: Catalog
  readonly objects: Map<ObjectId, OwnedObject>
  readonly problems: Map<string, SourceProblem>
  /** Files that hold an object which an earlier one owns. */
  readonly repeated: Map<ObjectId, string[]>
  readonly refused: RefusedClaim[]
  readonly unread: Unread[]
  unreadable: boolean
}

interface RefusedClaim {
  readonly file: string
  /** Its place among the objects of the file. */
  readonly index: number
  readonly result: Refused
}

export function updateCatalog(before: Catalog, files: ManifestFiles, folder: string): CatalogUpdate {
  const draft: Draft = {
    folder,
    before,
    objects: new Map(),
    problems: new Map(),
    repeated: new Map(),
    refused: [],
    unread: [],
    unreadable: false,
  }
  const lastParsed = believedContents(draft, files)
  for (const [file, { results }] of lastParsed) {
    for (const [index, result] of results.entries()) {
      if (result.outcome === 'decoded') claimDecoded(draft, file, result)
      else if (result.outcome === 'refused') claimRefused(draft, { file, index, result })
      else noteIgnored(draft, file, result)
    }
  }
  keepRefusedThatMoved(draft)
  keepWhatNamelessObjectsMayBe(draft)
  reportRefused(draft)
  reportRepeated(draft)
  const changes = changesBetween(before.objects, draft.objects)
  const { unread, unreadable, problems } = draft
  return { catalog: { objects: draft.objects, lastParsed }, changes, unread, unreadable, problems }
}

function believedContents(draft: Draft, files: ManifestFiles): Map<string, Parsed> {
  const believed = new Map<string, Parsed>()
  for (const [name, { contents }] of files) {
    const last = contents.parsed ? contents : draft.before.lastParsed.get(name)
    if (last !== undefined) believed.set(name, last)
    if (contents.parsed) continue
    draft.unreadable ||= last === undefined
    const fate = last === undefined ? 'Nothing of it is served until then.' : 'Its last good objects stay until then.'
    const { problem, advice } = contents
    const where = join(draft.folder, name)
    draft.unread.push({ id: undefined, where, problem, kept: last !== undefined })
    draft.problems.set(`file ${name}`, {
      severity: 'error',
      where,
      problem,
      advice: `${advice} ${fate}`,
    })
  }
  return believed
}

function claimDecoded(draft: Draft, file: string, { id, object, warnings }: Decoded): void {
  if (isRepeated(draft, file, id)) return
  const last = draft.before.objects.get(id)?.object
  draft.objects.set(id, { object: last !== undefined && sameObject(last, object) ? last : object, owner: file })
  for (const warning of warnings) {
    draft.problems.set(`warning ${file} ${id} ${warning.path}`, toSourceProblem('warning', whereOf(draft, file, id), warning))
  }
}

/** Keeps the version that this file gave before; another file's good version is better than none. */
function claimRefused(draft: Draft, claim: RefusedClaim): void {
  draft.refused.push(claim)
  const { id } = claim.result
  const last = id === undefined ? undefined : draft.before.objects.get(id)
  if (id === undefined || last?.owner !== claim.file || isRepeated(draft, claim.file, id)) return
  draft.objects.set(id, last)
}

/** An object that came into this file from another one, and broke on the way. */
function keepRefusedThatMoved(draft: Draft): void {
  for (const { file, result } of draft.refused) {
    const last = result.id === undefined ? undefined : draft.before.objects.get(result.id)
    if (result.id !== undefined && last !== undefined && !draft.objects.has(result.id)) {
      draft.objects.set(result.id, { object: last.object, owner: file })
    }
  }
}

/** An object that lost its name may be any of those that its file had and has no more: they stay. */
function keepWhatNamelessObjectsMayBe(draft: Draft): void {
  const nameless = new Set(draft.refused.flatMap(({ file, result }) => (result.id === undefined ? [file] : [])))
  if (nameless.size === 0) return
  const kept = new Set<string>()
  for (const [id, owned] of draft.before.objects) {
    if (!nameless.has(owned.owner) || draft.objects.has(id)) continue
    draft.objects.set(id, owned)
    kept.add(owned.owner)
  }
  draft.unreadable ||= kept.size < nameless.size
}

function reportRefused(draft: Draft): void {
  for (const { file, index, result } of draft.refused) {
    const { id, name, error } = result
    const advice = `${error.advice} ${fateOf(draft, file, id)}`
    const key = id === undefined ? `object ${file} #${index}` : `object ${file} ${id}`
    const where = whereOf(draft, file, name)
    const isLost = id !== undefined && !draft.objects.has(id)
    draft.problems.set(key, toSourceProblem('error', where, { ...error, advice }))
    draft.unread.push({ id, where, problem: problemText(error), kept: id !== undefined && !isLost })
    draft.unreadable ||= isLost
  }
}

function fateOf(draft: Draft, file: string, id: ObjectId | undefined): string {
  if (id === undefined) return `The earlier objects of ${file} stay until then.`
  const owner = draft.objects.get(id)?.owner
  if (owner === undefined) return 'It is not served until then.'
  return owner === file ? 'Its last good version stays until then.' : `The one in ${owner} counts until then.`
}

function noteIgnored(draft: Draft, file: string, { name, why }: Ignored): void {
  const ofKind = why.notFollowed === 'kind'
  const where = ofKind ? draft.folder : whereOf(draft, file, name)
  const problem: SourceProblem = { severity: why.severity, where, problem: why.reason, advice: why.advice }
  draft.problems.set(ofKind ? `kind ${why.reason}` : `ignored ${file} ${name}`, problem)
}

function isRepeated(draft: Draft, file: string, id: ObjectId): boolean {
  if (!draft.objects.has(id)) return false
  draft.repeated.set(id, [...(draft.repeated.get(id) ?? []), file])
  return true
}

function reportRepeated(draft: Draft): void {
  for (const [id, files] of draft.repeated) {
    const owner = draft.objects.get(id)?.owner
    const others = [...new Set(files)].filter(file => file !== owner)
    const problem = others.length === 0 ? `is in ${owner} more than once` : `is in ${owner} and in ${others.join(', ')}`
    const advice =
      others.length === 0
        ? 'The first one counts. Remove the others.'
        : `The one in ${owner} counts, the first file by name. Remove the others.`
    draft.problems.set(`repeated ${id}`, {
      severity: 'error',
      where: `${draft.folder}: ${id}`,
      problem: `${problem}; expected once`,
      advice,
    })
  }
}

function changesBetween(before: Catalog['objects'], now: Catalog['objects']): readonly ObjectChange[] {
  const changes: ObjectChange[] = []
  for (const [id, { object: last }] of before) {
    const object = now.get(id)?.object
    if (object === undefined || isAnother(last, object)) changes.push({ id, object: undefined })
  }
  for (const [id, { object }] of now) {
    if (before.get(id)?.object !== object) changes.push({ id, object })
  }
  return changes
}

/** One name, two objects: the first was deleted in between. */
function isAnother(last: ClusterObject, object: ClusterObject): boolean {
  return last.uid !== '' && object.uid !== '' && last.uid !== object.uid
}

function whereOf(draft: Draft, file: string, name: string): string {
  return `${join(draft.folder, file)}: ${name}`
}
