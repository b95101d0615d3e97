// One configuration file → typed settings. `readFile` is the only way out.
import { decodeFile, type OtherFile } from './decode.ts'
import { defaultsOf, type Fields, type Origin, type SettingsOf } from './field.ts'
import { isMapping } from './field-type.ts'
import type { Finding } from './problem.ts'
import { parseConfigFile } from './yaml-file.ts'

/** The whole text of a file. Throws as node:fs does: an Error with a `code`. */
export type ReadFile = (path: string) => string

export interface SettingsFile<F extends Fields> {
  /** Undefined where no file was read: the settings are the defaults. */
  readonly path: string | undefined
  /** False where the file could not be read or parsed as a whole: the findings say why, and the settings mean nothing. */
  readonly usable: boolean
  readonly settings: SettingsOf<F>
  /** The paths that the file sets. */
  readonly origins: ReadonlyMap<string, Origin>
  readonly findings: readonly Finding[]
  /** The line where a path such as `nodePortAddresses[1]` is set. */
  readonly lineOf: (path: string) => number | undefined
}

export interface FileRequest<F extends Fields> {
  readonly path: string
  /** Where the file may be missing: then all is at its default. */
  readonly optional?: boolean
  readonly fields: F
  readonly other: OtherFile
  readonly kind: { readonly apiVersion: string; readonly kind: string }
  readonly readFile: ReadFile
}

export function readSettings<F extends Fields>({
  path,
  optional,
  fields,
  other,
  kind,
  readFile,
}: FileRequest<F>): SettingsFile<F> {
  let text: string
  try {
    text = readFile(path)
  } catch (error) {
    return optional === true && isMissing(error) ? noFile(fields) : unusable(path, fields, [cannotRead(error)])
  }
  const { document, findings } = parseConfigFile(text, kind)
  if (document === undefined) return unusable(path, fields, findings)
  const decoded = decodeFile(document, fields, other)
  return {
    path,
    usable: true,
    ...decoded,
    findings: [...findings, ...decoded.findings],
    lineOf: place => document.lineOf(keysOf(place)),
  }
}

/** All settings at their defaults. */
export function noFile<F extends Fields>(fields: F): SettingsFile<F> {
  return {
    path: undefined,
    usable: true,
    settings: defaultsOf(fields),
    origins: new Map(),
    findings: [],
    lineOf: () => undefined,
  }
}

function unusable<F extends Fields>(path: string, fields: F, findings: readonly Finding[]): SettingsFile<F> {
  return { ...noFile(fields), path, usable: false, findings }
}

function isMissing(error: unknown): boolean {
  return isMapping(error) && error['code'] === 'ENOENT'
}

function cannotRead(error: unknown): Finding {
  const problem = isMissing(error)
    ? 'there is no such file'
    : `cannot be read: ${error instanceof Error ? error.message : String(error)}`
  return { severity: 'error', path: '', problem, advice: 'name a file that this process may read' }
}

function keysOf(path: string): readonly (string | number)[] {
  return path
    .split(/[.[\]]+/)
    .filter(key => key !== '')
    .map(key => (/^\d+$/.test(key) ? Number(key) : key))
}
