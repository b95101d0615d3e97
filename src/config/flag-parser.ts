// argv → typed flag values, as kube-proxy reads its command line (pflag): `--flag=value`, `--flag value`, a bare `--flag` for
// booleans (and `--watch`, which takes a number that follows), `-v 2`, `-v=2` and `-v2`, `_` for `-` in names, `--` before what is no flag. Every error at once.

import { closest } from '../model/suggest.ts'
import { type Flag, type Flags, type FlagValues, flags } from './flags.ts'
import type { ConfigProblem } from './problem.ts'
import { show } from './problem.ts'

export interface ParsedFlags<V = FlagValues> {
  readonly values: V
  /** What is no flag, in order. */
  readonly positionals: readonly string[]
  readonly errors: readonly ConfigProblem[]
}

/** The daemon's flags. It takes no other arguments: each one is an error. */
export function parseFlags(argv: readonly string[]): ParsedFlags {
  const parsed = parseFlagsOf<FlagValues>(flags, argv)
  return { ...parsed, errors: [...parsed.errors, ...parsed.positionals.map(refusePositional)] }
}

/** For a command with flags and arguments of its own. `V` must be what `table` gives; an invalid flag has no value. */
export function parseFlagsOf<V>(table: Flags, argv: readonly string[]): ParsedFlags<V> {
  const values: Record<string, unknown> = {}
  const positionals: string[] = []
  const errors: ConfigProblem[] = []
  const queue = [...argv]
  for (let word = queue.shift(); word !== undefined; word = queue.shift()) {
    if (word === '--') {
      positionals.push(...queue.splice(0))
    } else if (!word.startsWith('-') || word === '-') {
      positionals.push(word)
    } else {
      const outcome = readFlag(table, word, queue)
      if (outcome === undefined) continue
      if ('problem' in outcome) errors.push(outcome)
      else values[outcome.name] = joined(outcome.flag, values[outcome.name], outcome.value)
    }
  }
  return { values: values as V, positionals, errors }
}

interface Given {
  readonly name: string
  readonly flag: Flag<unknown>
  readonly value: unknown
}

/** Takes the value from the front of `queue` where the word holds none and the flag needs one. Undefined: as if it were not there. */
function readFlag(table: Flags, word: string, queue: string[]): Given | ConfigProblem | undefined {
  const { name, text } = word.startsWith('--') ? splitLong(word) : splitShort(table, word)
  const flag = Object.hasOwn(table, name) ? table[name] : undefined
  if (flag === undefined) {
    // The next word is probably its value, and no mistake of its own.
    if (text === undefined && queue[0]?.startsWith('-') === false) queue.shift()
    return unknownFlag(table, word, name)
  }
  const { bare } = flag.type
  // `--watch 5`: no command has an argument that is a number.
  const isNext = typeof bare === 'number' && /^\d+$/.test(queue[0] ?? '')
  if (text === undefined && bare !== undefined && !isNext) return { name, flag, value: bare }
  const given = text ?? queue.shift()
  if (given === undefined) return problem(`--${name}`, 'needs a value', `allowed: ${flag.type.allowed}`)
  if (given === '' && flag.emptyIsUnset) return undefined
  const value = flag.type.parse(given)
  return value === undefined
    ? problem(`--${name}`, `${show(given)} is not allowed`, `allowed: ${flag.type.allowed}`)
    : { name, flag, value }
}

interface Split {
  readonly name: string
  readonly text: string | undefined
}

function splitLong(word: string): Split {
  const at = word.indexOf('=')
  const name = word.slice(2, at === -1 ? undefined : at).replaceAll('_', '-')
  return { name, text: at === -1 ? undefined : word.slice(at + 1) }
}

/** One letter and what follows it. Where the letter is nobody's the name is the whole word with its dash, which is no flag. */
function splitShort(table: Flags, word: string): Split {
  const name = Object.keys(table).find(candidate => table[candidate]?.letter === word[1])
  if (name === undefined) {
    const { name: long, text } = splitLong(`-${word}`)
    return { name: `-${long}`, text }
  }
  const rest = word.slice(2)
  return { name, text: rest === '' ? undefined : rest.replace(/^=/, '') }
}

function joined(flag: Flag<unknown>, earlier: unknown, value: unknown): unknown {
  return earlier === undefined || flag.type.join === undefined ? value : flag.type.join(earlier, value)
}

function unknownFlag(table: Flags, word: string, name: string): ConfigProblem {
  const meant = closest(name.replace(/^-/, ''), Object.keys(table))
  return problem(
    word.replace(/=.*/s, ''),
    'there is no such flag',
    meant === undefined ? 'see --help' : `did you mean --${meant}?`,
  )
}

function refusePositional(word: string): ConfigProblem {
  const advice = /^(true|false)$/i.test(word)
    ? `a flag that is true or false takes its value as --flag=${word}`
    : 'this command takes flags only; a value follows its flag'
  return problem(show(word), 'is an argument without a flag', advice)
}

function problem(where: string, what: string, advice: string): ConfigProblem {
  return { severity: 'error', where, path: '', problem: what, advice }
}
