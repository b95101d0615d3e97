// The bytes of one manifest file → what it claims about objects. Decodes, remembers nothing, touches no disk.
// YAML (many documents) and JSON; lists are expanded. A YAML parser manages 2 MB a second, so a document whose text was
// decoded before is taken as it was: an edit in a file of 10,000 objects costs one document.
import { hash } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { LineCounter, parseAllDocuments } from 'yaml'
import { type DecodeResult, decodeObject, expandList } from '../decode.ts'

export type FileContents = Parsed | Unparsed

export interface Parsed {
  readonly parsed: true
  /** What became of each object, in the file's order. */
  readonly results: readonly DecodeResult[]
  readonly documents: KnownDocuments
}

/** Results of YAML documents by a digest of their text. */
export type KnownDocuments = ReadonlyMap<string, readonly DecodeResult[]>

export interface Unparsed {
  readonly parsed: false
  /** `is no valid YAML at line 12, column 3: ...`. */
  readonly problem: string
  readonly advice: string
}

export interface ManifestText {
  /** The file's name; `.json` tells JSON from YAML. */
  readonly name: string
  readonly bytes: Uint8Array
  readonly known: KnownDocuments
}

const noDocuments: KnownDocuments = new Map()
const documentsPerTurn = 50

/** An empty file, or one of comments, claims nothing. A large file gives way to other work now and then. */
export async function readManifest({ name, bytes, known }: ManifestText): Promise<FileContents> {
  const text = decodeUtf8(bytes)
  if (text === undefined) return unparsed('is not UTF-8 text', 'Save the file as UTF-8.')
  return name.endsWith('.json') ? readJson(text) : readYaml(text, known)
}

function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return undefined
  }
}

function readJson(text: string): FileContents {
  if (text.trim() === '') return { parsed: true, results: [], documents: noDocuments }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    return unparsed(
      `is no valid JSON: ${firstLine(error)}`,
      'Correct the file; a .json file holds one value, several objects go into a List.',
    )
  }
  return { parsed: true, results: decodeDocument(value), documents: noDocuments }
}

async function readYaml(text: string, known: KnownDocuments): Promise<FileContents> {
  const documents = new Map<string, readonly DecodeResult[]>()
  const results: DecodeResult[] = []
  let parsedNow = 0
  for (const piece of splitDocuments(text)) {
    const digest = hash('sha1', piece.text, 'base64')
    let decoded = documents.get(digest) ?? known.get(digest)
    if (decoded === undefined) {
      const parsed = parseDocument(piece)
      if ('problem' in parsed) return parsed
      decoded = parsed.values.flatMap(decodeDocument)
      parsedNow += 1
      if (parsedNow % documentsPerTurn === 0) await nextTurn()
    }
    documents.set(digest, decoded)
    results.push(...decoded)
  }
  return { parsed: true, results, documents }
}

interface Piece {
  readonly text: string
  /** The line of the file at which it starts, from 1. */
  readonly line: number
}

/** `---` at the start of a line begins a document wherever it stands. Directives belong to a document after them: then all is one piece. */
function splitDocuments(text: string): readonly Piece[] {
  if (/^%/m.test(text)) return [{ text, line: 1 }]
  const pieces: Piece[] = []
  let start = 0
  let line = 1
  for (const marker of text.matchAll(/^---(?=\s|$)/gm)) {
    const piece = text.slice(start, marker.index)
    pieces.push({ text: piece, line })
    line += countLines(piece)
    start = marker.index
  }
  return [...pieces, { text: text.slice(start), line }]
}

function countLines(text: string): number {
  let lines = 0
  for (let index = text.indexOf('\n'); index >= 0; index = text.indexOf('\n', index + 1)) lines += 1
  return lines
}

function parseDocument(piece: Piece): { readonly values: readonly unknown[] } | Unparsed {
  const lineCounter = new LineCounter()
  const values: unknown[] = []
  for (const document of parseAllDocuments(piece.text, { lineCounter, merge: true, prettyErrors: false })) {
    const [error] = document.errors
    if (error !== undefined) {
      const { line, col } = lineCounter.linePos(error.pos[0])
      return unparsed(
        `is no valid YAML at line ${piece.line + line - 1}, column ${col}: ${firstLine(error)}`,
        'Correct the file at this line.',
      )
    }
    try {
      const value: unknown = document.toJS()
      if (value !== null) values.push(value)
    } catch (error) {
      return unparsed(
        `is no valid YAML in the document at line ${piece.line}: ${firstLine(error)}`,
        'Write it without this alias.',
      )
    }
  }
  return { values }
}

function decodeDocument(value: unknown): readonly DecodeResult[] {
  return expandList(value).map(item => decodeObject(item.value, item.type))
}

function unparsed(problem: string, advice: string): Unparsed {
  return { parsed: false, problem, advice }
}

function firstLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  return message.split('\n', 1)[0] ?? ''
}
