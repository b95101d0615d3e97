// Flags as /flagz shows them: every flag with its value as text, in the way in which Go prints it.
import type { Json } from '../config/field-type.ts'
import { type Flags, type FlagValues, flags } from '../config/flags.ts'

/** @param given what the command line has; the others are at their defaults. */
export function flagTexts(given: FlagValues, table: Flags = flags): Readonly<Record<string, string>> {
  const values: Readonly<Record<string, unknown>> = given
  return Object.fromEntries(
    Object.entries(table).map(([name, flag]) => [name, text(flag.type.encode(values[name] ?? flag.default))]),
  )
}

function text(value: Json): string {
  if (typeof value !== 'object' || value === null) return String(value)
  if (Array.isArray(value)) return `[${value.map(text).join(',')}]`
  return Object.entries(value)
    .map(([name, item]) => `${name}=${text(item)}`)
    .join(',')
}
