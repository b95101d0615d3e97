// Reads a folder's manifest files; gives each file's contents, the same value as long as the file's bytes are the same.
// Remembers what it read, so that a look at an unchanged folder costs a stat a file.
// Only *.yaml, *.yml and *.json of the folder itself; symbolic links are followed; names that begin with a dot are not ours.
import { hash } from 'node:crypto'
import type { BigIntStats } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type FileContents, type KnownDocuments, readManifest } from './document.ts'

export interface ManifestFile {
  readonly name: string
  readonly contents: FileContents
  /** When the file was last written, in milliseconds since 1970, as its file system says. */
  readonly writtenAt: number
}

/** Files by name, in the order of their names. */
export type ManifestFiles = ReadonlyMap<string, ManifestFile>

export type FolderReading =
  | { readonly found: true; readonly files: ManifestFiles }
  /** `code` is that of the system call: ENOENT, ENOTDIR, EACCES. */
  | { readonly found: false; readonly code: string; readonly cause: unknown }

export interface FolderReader {
  read(): Promise<FolderReading>
}

interface Remembered {
  readonly file: ManifestFile
  readonly signature: string
  readonly digest: string
  /** Whether an equal signature proves equal bytes: not where the file was written within its clock's grain of the reading. */
  readonly trusted: boolean
  readonly documents: KnownDocuments
}

const filesAtOnce = 32
const clockGrainMs = 2000
const noDocuments: KnownDocuments = new Map()

export function createFolderReader(folder: string): FolderReader {
  let remembered = new Map<string, Remembered>()
  return {
    async read() {
      const names = await manifestNames(folder)
      if (!Array.isArray(names)) return { found: false, ...names }
      const next = new Map<string, Remembered>()
      for (let start = 0; start < names.length; start += filesAtOnce) {
        const group = names.slice(start, start + filesAtOnce)
        const read = await Promise.all(group.map(name => readOne(folder, name, remembered.get(name))))
        for (const [index, name] of group.entries()) {
          const one = read[index]
          if (one !== undefined) next.set(name, one)
        }
      }
      remembered = next
      return { found: true, files: new Map([...next].map(([name, { file }]) => [name, file])) }
    },
  }
}

async function manifestNames(folder: string): Promise<string[] | { readonly code: string; readonly cause: unknown }> {
  try {
    const names = await readdir(folder)
    return names.filter(name => !name.startsWith('.') && /\.(ya?ml|json)$/.test(name)).sort()
  } catch (cause) {
    return { code: errorCode(cause), cause }
  }
}

/** Undefined for what is no file: a sub-folder, a socket. */
async function readOne(folder: string, name: string, before: Remembered | undefined): Promise<Remembered | undefined> {
  const path = join(folder, name)
  try {
    const status = await stat(path, { bigint: true })
    if (!status.isFile()) return undefined
    const signature = signatureOf(status)
    if (before?.trusted && before.signature === signature) return before
    const readAt = Date.now()
    const bytes = await readFile(path)
    const writtenAt = Number(status.mtimeMs)
    const trusted = readAt - writtenAt > clockGrainMs
    const digest = hash('sha1', bytes, 'base64')
    if (before?.digest === digest) return { ...before, signature, trusted }
    const documents = before?.documents ?? noDocuments
    const contents = await readManifest({ name, bytes, known: documents })
    return {
      file: { name, contents, writtenAt },
      signature,
      digest,
      trusted,
      documents: contents.parsed ? contents.documents : documents,
    }
  } catch (cause) {
    return unreadable(name, cause, before)
  }
}

function unreadable(name: string, cause: unknown, before: Remembered | undefined): Remembered {
  const code = errorCode(cause)
  const digest = `unreadable: ${code}`
  if (before?.digest === digest) return before
  const problem = code === 'ENOENT' ? 'is a symbolic link to a file that does not exist' : `cannot be read (${code})`
  const advice = code === 'ENOENT' ? 'Restore the file, or remove the link.' : 'Make it readable for this process.'
  const contents: FileContents = { parsed: false, problem, advice }
  return {
    file: { name, contents, writtenAt: 0 },
    signature: '',
    digest,
    trusted: false,
    documents: before?.documents ?? noDocuments,
  }
}

function signatureOf(status: BigIntStats): string {
  return `${status.dev}:${status.ino}:${status.size}:${status.mtimeNs}:${status.ctimeNs}`
}

function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : String(error)
}
