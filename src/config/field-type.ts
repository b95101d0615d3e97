// The types that a setting can have: how its value reads in a file, in a flag and in words.
// Takes an unknown value (file) or text (flag), gives the typed value or undefined where it is not allowed.
// Invariant: what `encode` writes, `decode` reads back to the same value.
import { formatDuration, parseDuration } from './duration.ts'
import { canonicalSocketAddress } from './socket-address.ts'

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }

export interface FieldType<T> {
  /** The Go flag type (pflag): `bool`, `int32`, `duration`, `strings`. */
  readonly name: string
  /** Ends the sentence "allowed: ...". */
  readonly allowed: string
  /** The value in a file, never null. */
  decode(value: unknown): T | undefined
  /** The text of a flag. */
  parse(text: string): T | undefined
  encode(value: T): Json
  /** Whether the value in a file is Go's zero value of this type, which some fields read as "not set". */
  isZero(value: unknown): boolean
  /** The only values, where they are a few words. */
  readonly words?: readonly string[]
  /** What a flag without a value means; absent where a flag needs one. */
  readonly bare?: T
  /** How a repeated flag adds to an earlier one; absent where the last one wins. */
  join?(earlier: T, later: T): T
}

const same = <T>(value: T): T => value

/** Go's strconv.ParseBool for flags. In files yes, no, on and off count too: kube-proxy reads YAML 1.1, where they are booleans. */
export const bool: FieldType<boolean> = {
  name: 'bool',
  allowed: 'true or false',
  decode: value =>
    typeof value === 'boolean' ? value : typeof value === 'string' ? yamlBooleans.get(value.toLowerCase()) : undefined,
  parse: text => flagBooleans.get(text),
  encode: same,
  isZero: value => value === false,
  bare: true,
}

const yamlBooleans = new Map<string, boolean>([
  ...['yes', 'y', 'on'].map(word => [word, true] as const),
  ...['no', 'n', 'off'].map(word => [word, false] as const),
])
const flagBooleans = new Map<string, boolean>([
  ...['1', 't', 'T', 'TRUE', 'true', 'True'].map(word => [word, true] as const),
  ...['0', 'f', 'F', 'FALSE', 'false', 'False'].map(word => [word, false] as const),
])

/** A whole number that fits Go's int32, between two bounds, both included. */
export function int32(least = -(2 ** 31), most = 2 ** 31 - 1): FieldType<number> {
  const decode = (value: unknown) =>
    typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most ? value : undefined
  return {
    name: 'int32',
    allowed: most === 2 ** 31 - 1 ? `a whole number, ${least} or more` : `a whole number from ${least} to ${most}`,
    decode,
    parse: text => (/^[+-]?\d+$/.test(text) ? decode(Number(text)) : undefined),
    encode: same,
    isZero: value => value === 0,
  }
}

export const float32: FieldType<number> = {
  name: 'float32',
  allowed: 'a number',
  decode: value => (typeof value === 'number' && Number.isFinite(value) ? value : undefined),
  parse: text => (/^[+-]?(\d+\.?\d*|\.\d+)$/.test(text) ? Number(text) : undefined),
  encode: same,
  isZero: value => value === 0,
}

export function text(
  allowed = 'text (in quotes where it looks like a number)',
  isAllowed: (value: string) => boolean = () => true,
): FieldType<string> {
  const parse = (value: string) => (isAllowed(value) ? value : undefined)
  return {
    name: 'string',
    allowed,
    decode: value => (typeof value === 'string' ? parse(value) : undefined),
    parse,
    encode: same,
    isZero: value => value === '',
  }
}

/** One of a few words, in this spelling. */
export function choice<const W extends string>(...words: readonly W[]): FieldType<W> {
  const parse = (value: string) => words.find(word => word === value)
  return {
    name: 'string',
    allowed: words.join(', '),
    words,
    decode: value => (typeof value === 'string' ? parse(value) : undefined),
    parse,
    encode: same,
    isZero: value => value === '',
  }
}

/** Milliseconds. `0` needs no unit, as in Go. */
function duration(allowed: string, isAllowed: (ms: number) => boolean): FieldType<number> {
  const parse = (value: string) => {
    const ms = parseDuration(value)
    return ms !== undefined && isAllowed(ms) ? ms : undefined
  }
  const decode = (value: unknown) => parse(value === 0 ? '0' : typeof value === 'string' ? value : '')
  return {
    name: 'duration',
    allowed,
    decode,
    parse,
    encode: formatDuration,
    isZero: value => value === 0 || (typeof value === 'string' && parseDuration(value) === 0),
  }
}

export const durationOrZero = duration('a duration with a unit, 0s or more, such as 30s or 1h30m', ms => ms >= 0)
export const durationAboveZero = duration('a duration with a unit, more than 0s, such as 30s or 1h30m', ms => ms > 0)

/** logging.flushFrequency alone may also be a number of nanoseconds. */
export const durationOrNanoseconds: FieldType<number> = {
  ...durationOrZero,
  decode: value => (typeof value === 'number' && value >= 0 ? value / 1e6 : durationOrZero.decode(value)),
}

/** A list of texts, in a flag comma-separated. */
export const strings: FieldType<readonly string[]> = {
  name: 'strings',
  allowed: 'a list of texts',
  decode: value => (Array.isArray(value) && value.every(item => typeof item === 'string') ? value : undefined),
  parse: value => (value === '' ? [] : value.split(',')),
  encode: same,
  isZero: value => Array.isArray(value) && value.length === 0,
  join: (earlier, later) => [...earlier, ...later],
}

/** Names of hosts, without a port, in lower case. */
export const hostNames: FieldType<readonly string[]> = {
  ...strings,
  allowed: 'a list of host names, without a port',
  decode: value => decodeHostNames(strings.decode(value)),
  parse: value => decodeHostNames(strings.parse(value)),
}

function decodeHostNames(names: readonly string[] | undefined): readonly string[] | undefined {
  const lower = names?.map(name => name.toLowerCase())
  return lower?.every(name => /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(name)) ? lower : undefined
}

export type Switches = Readonly<Record<string, boolean>>

/** featureGates: in a flag `Name=true,Other=false`. */
export const switches: FieldType<Switches> = {
  name: 'mapStringBool',
  allowed: 'names, each with true or false',
  decode: value =>
    isMapping(value) && Object.values(value).every(item => typeof item === 'boolean') ? (value as Switches) : undefined,
  parse: value => {
    const entries = value === '' ? [] : value.split(',').map(pair => splitPair(pair, bool.parse))
    return entries.every(entry => entry !== undefined) ? Object.fromEntries(entries) : undefined
  },
  encode: same,
  isZero: value => isMapping(value) && Object.keys(value).length === 0,
  join: (earlier, later) => ({ ...earlier, ...later }),
}

export type FileVerbosities = readonly { readonly filePattern: string; readonly verbosity: number }[]

/** logging.vmodule: in a flag `pattern=2,other*=4`. */
export const fileVerbosities: FieldType<FileVerbosities> = {
  name: 'pattern=N,...',
  allowed: 'file patterns, each with a verbosity',
  decode: value => (Array.isArray(value) && value.every(isFileVerbosity) ? value : undefined),
  parse: value => {
    const entries = value === '' ? [] : value.split(',').map(pair => splitPair(pair, level => int32(0).parse(level)))
    if (!entries.every(entry => entry !== undefined)) return undefined
    return entries.map(([filePattern, verbosity]) => ({ filePattern, verbosity }))
  },
  encode: same,
  isZero: value => Array.isArray(value) && value.length === 0,
  join: (earlier, later) => [...earlier, ...later],
}

/** A resource.Quantity, kept as it is written. */
export const quantity: FieldType<string> = {
  ...text('a size such as 0, 512 or 4Ki', value => /^\d+(\.\d+)?([kKMGTPE]i?)?$/.test(value)),
  name: 'quantity',
  decode: value => (typeof value === 'string' || typeof value === 'number' ? quantity.parse(String(value)) : undefined),
}

/** `address:port`, or an address that gets `defaultPort`; empty where there is to be no server. Canonical: `[::1]:10249`. */
export function bindAddress(defaultPort: number): FieldType<string> {
  const parse = (value: string) => (value === '' ? '' : canonicalSocketAddress(value, defaultPort))
  return {
    ...text(),
    name: 'ipport',
    allowed: `ADDRESS:PORT or ADDRESS, such as 0.0.0.0:${defaultPort} or [::]:${defaultPort}`,
    decode: value => (typeof value === 'string' ? parse(value) : undefined),
    parse,
  }
}

export function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isFileVerbosity(value: unknown): boolean {
  return isMapping(value) && typeof value['filePattern'] === 'string' && int32(0).decode(value['verbosity']) !== undefined
}

function splitPair<T>(pair: string, parse: (text: string) => T | undefined): readonly [string, T] | undefined {
  const at = pair.indexOf('=')
  const value = at < 1 ? undefined : parse(pair.slice(at + 1))
  return value === undefined ? undefined : [pair.slice(0, at).trim(), value]
}
