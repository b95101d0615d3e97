// When to believe a reading of the folder. An editor may empty a file before it fills it, or move it away before it writes
// the new one: whatever takes objects away is believed only when a second look says the same.
import type { DecodeResult } from '../decode.ts'
import type { FolderReading, ManifestFile, ManifestFiles } from './reader.ts'

/** Whether a reading may be a moment in the middle of a change to the files that were last believed. */
export function needsSecondLook(reading: FolderReading, believed: ManifestFiles, writtenAfter: number): boolean {
  if (!reading.found) return true
  for (const name of believed.keys()) if (!reading.files.has(name)) return true
  for (const [name, file] of reading.files) {
    const before = believed.get(name)
    if (file !== before && mayBeHalfWritten(file, before, writtenAfter)) return true
  }
  return false
}

/** Whether two readings show the same bytes in the same files. */
export function sameReading(one: FolderReading, other: FolderReading): boolean {
  if (!one.found || !other.found) return !one.found && !other.found && one.code === other.code
  if (one.files.size !== other.files.size) return false
  for (const [name, file] of one.files) if (other.files.get(name) !== file) return false
  return true
}

function mayBeHalfWritten(
  { contents, writtenAt }: ManifestFile,
  before: ManifestFile | undefined,
  writtenAfter: number,
): boolean {
  if (writtenAt > writtenAfter || !contents.parsed || contents.results.length === 0) return true
  if (contents.results.some(result => result.outcome === 'refused')) return true
  if (before === undefined || !before.contents.parsed) return false
  const now = decodedIds(contents.results)
  return [...decodedIds(before.contents.results)].some(id => !now.has(id))
}

function decodedIds(results: readonly DecodeResult[]): ReadonlySet<string> {
  return new Set(results.flatMap(result => (result.outcome === 'decoded' ? [result.id] : [])))
}
