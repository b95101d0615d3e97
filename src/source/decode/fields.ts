// Readers over JSON that nobody vouches for: each takes a value and its path, gives a typed value or refuses the object.
// Invariant: null and absent are the same thing, as in an API server's JSON.
import { refuse, show } from './problem.ts'

export type Fields = Readonly<Record<string, unknown>>

const noFields: Fields = Object.freeze({})
const noItems: readonly unknown[] = Object.freeze([])

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** An object, empty where it is absent. */
export function fieldsAt(value: unknown, path: string): Fields {
  if (value === undefined || value === null) return noFields
  if (isFields(value)) return value
  return refuse({ path, seen: show(value), expected: 'an object (key: value)', advice: 'Check the indentation of this field.' })
}

/** A list, empty where it is absent. */
export function listAt(value: unknown, path: string): readonly unknown[] {
  if (value === undefined || value === null) return noItems
  if (Array.isArray(value)) return value
  return refuse({ path, seen: show(value), expected: 'a list', advice: 'Write the items with a leading "- " (or in [ ]).' })
}

/** A text, undefined where it is absent. */
export function textAt(value: unknown, path: string): string | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value === 'string') return value
  return refuse({ path, seen: show(value), expected: 'text', advice: 'Put the value in quotes.' })
}

/** One of a closed list of words; absent or empty is `fallback`. */
export function wordAt<const Word extends string>(value: unknown, path: string, words: readonly Word[], fallback: Word): Word {
  if (value === undefined || value === null || value === '') return fallback
  const word = words.find(candidate => candidate === value)
  if (word !== undefined) return word
  return refuse({ path, seen: show(value), expected: oneOf(words), advice: `Use one of them, or leave it out for ${fallback}.` })
}

export function oneOf(words: readonly string[]): string {
  return words.length === 1 ? String(words[0]) : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`
}

export interface NumberRange {
  readonly least: number
  readonly most: number
}

/** Ports that a packet can carry. */
export const portRange: NumberRange = { least: 1, most: 65535 }

export function isInRange(value: unknown, range: NumberRange): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= range.least && value <= range.most
}

export function expectedRange(range: NumberRange): string {
  return `a whole number from ${range.least} to ${range.most}`
}

/** A port number. */
export function portAt(value: unknown, path: string): number {
  if (isInRange(value, portRange)) return value
  return refuse({ path, seen: show(value), expected: expectedRange(portRange), advice: 'Set the port number, without quotes.' })
}
