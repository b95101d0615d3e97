// A parsed file against a table of fields → typed settings, the origin of each, and every finding at once.
// A field that is absent, null or wrong has its default; an unknown one is a warning, as it is for kube-proxy.

import { closest } from '../model/suggest.ts'
import { type Field, type Fields, type Origin, type SettingsOf, settingsOf } from './field.ts'
import { type FieldType, isMapping } from './field-type.ts'
import { type Finding, show } from './problem.ts'
import type { ConfigDocument } from './yaml-file.ts'

export interface DecodedFile<F extends Fields> {
  readonly settings: SettingsOf<F>
  /** The paths that the file sets; all others are at their defaults. */
  readonly origins: ReadonlyMap<string, Origin>
  readonly findings: readonly Finding[]
}

/** Another file, and its fields: for a field that somebody writes into the wrong one of two. */
export interface OtherFile {
  readonly fields: Fields
  /** `switchyard.conf` */
  readonly name: string
}

export function decodeFile<F extends Fields>(document: ConfigDocument, fields: F, other: OtherFile): DecodedFile<F> {
  const values = new Map<string, unknown>()
  const findings: Finding[] = []
  for (const { keys, value, field } of entriesOf(document.content, fields)) {
    const path = keys.join('.')
    const outcome =
      field === undefined ? withoutField({ keys, value }, fields, other) : decodeValue(field.type, value, field.zeroIsUnset)
    if (outcome === 'default') continue
    if ('value' in outcome) values.set(path, outcome.value)
    else findings.push({ ...outcome, path, line: document.lineOf(keys) })
  }
  return {
    settings: settingsOf(fields, ([path, field]) => (values.has(path) ? values.get(path) : field.default)),
    origins: new Map([...values.keys()].map(path => [path, 'file'])),
    findings,
  }
}

interface Entry {
  readonly keys: readonly string[]
  readonly value: unknown
  /** Undefined where no field has this path. */
  readonly field: Field<unknown> | undefined
}

/** What an entry comes to: a value, the default, or something to say. */
type Outcome = { readonly value: unknown } | 'default' | Remark
type Remark = Pick<Finding, 'severity' | 'problem' | 'advice'>

/** The fields of the file, in its order; a section is entered, and stands for itself only where it is no mapping. */
function* entriesOf(
  content: Readonly<Record<string, unknown>>,
  fields: Fields,
  parents: readonly string[] = [],
): Generator<Entry> {
  for (const [key, value] of Object.entries(content)) {
    const keys = [...parents, key]
    if (parents.length === 0 && (key === 'apiVersion' || key === 'kind')) continue
    // A key with a dot in it would look like the path of a nested field, which it is not.
    const path = key.includes('.') ? undefined : keys.join('.')
    if (path !== undefined && isSection(path, fields) && isMapping(value)) yield* entriesOf(value, fields, keys)
    else yield { keys, value, field: path !== undefined && Object.hasOwn(fields, path) ? fields[path] : undefined }
  }
}

function isSection(path: string, fields: Fields): boolean {
  return Object.keys(fields).some(field => field.startsWith(`${path}.`))
}

function decodeValue(type: FieldType<unknown>, raw: unknown, zeroIsUnset: boolean): Outcome {
  if (raw === null || raw === undefined || (zeroIsUnset && type.isZero(raw))) return 'default'
  const value = type.decode(raw)
  return value === undefined ? notAllowed(raw, type.allowed) : { value }
}

function notAllowed(raw: unknown, allowed: string): Remark {
  return { severity: 'error', problem: `${show(raw)} is not allowed`, advice: `allowed: ${allowed}` }
}

function withoutField({ keys, value }: Pick<Entry, 'keys' | 'value'>, fields: Fields, other: OtherFile): Outcome {
  const dotted = keys.some(key => key.includes('.'))
  if (!dotted && isSection(keys.join('.'), fields)) {
    return value === null ? 'default' : notAllowed(value, 'a section with fields of its own')
  }
  const advice = dotted ? nestedForm(keys.join('.'), fields) : (ofOtherFile(keys.join('.'), other) ?? nearField(keys, fields))
  return { severity: 'warning', problem: 'there is no such field, it has no effect', advice: advice ?? 'remove it' }
}

function ofOtherFile(path: string, { fields, name }: OtherFile): string | undefined {
  return Object.hasOwn(fields, path) || isSection(path, fields) ? `it is a field of ${name}` : undefined
}

function nestedForm(path: string, fields: Fields): string | undefined {
  const names = path.split('.')
  return Object.hasOwn(fields, path)
    ? `write it as sections: ${names.join(': {')}: ...${'}'.repeat(names.length - 1)}`
    : undefined
}

/** A near name in the same section, or the same name in another one. */
function nearField(keys: readonly string[], fields: Fields): string | undefined {
  const name = keys.at(-1) ?? ''
  const section = keys
    .slice(0, -1)
    .map(key => `${key}.`)
    .join('')
  const siblings = Object.keys(fields).filter(field => field.startsWith(section))
  const near = closest(name, new Set(siblings.map(field => field.slice(section.length).split('.')[0] ?? '')))
  const meant = near === undefined ? Object.keys(fields).find(field => field.endsWith(`.${name}`)) : `${section}${near}`
  return meant === undefined ? undefined : `did you mean ${meant}?`
}
