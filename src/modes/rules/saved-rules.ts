// What iptables-save printed, as the chains that a packet walks. Lines are sorted by chain once; a rule is understood when a packet first comes to its chain, since
// of 170,000 rules one packet meets few.
import { parseRule, type Rule } from './rule-syntax.ts'

export interface SavedChain {
  readonly rules: readonly Rule[]
  /** Of a built-in chain: `ACCEPT`, `DROP`; undefined for all others. */
  readonly policy: string | undefined
}

/** Undefined where the table has no such chain. */
export type SavedRules = (table: string, chain: string) => SavedChain | undefined

interface Lines {
  readonly policy: string | undefined
  readonly texts: string[]
  parsed: SavedChain | undefined
}

/** @param save all tables, as iptables-save prints them, with or without counters. */
export function savedRules(save: string): SavedRules {
  const tables = linesByChain(save)
  return (table, chain) => {
    const lines = tables.get(table)?.get(chain)
    if (lines === undefined) return undefined
    lines.parsed ??= { policy: lines.policy, rules: lines.texts.map(parseRule) }
    return lines.parsed
  }
}

function linesByChain(save: string): ReadonlyMap<string, ReadonlyMap<string, Lines>> {
  const tables = new Map<string, Map<string, Lines>>()
  let table = new Map<string, Lines>()
  for (const printed of save.split('\n')) {
    const line = printed.startsWith('[') ? printed.slice(printed.indexOf(']') + 2) : printed
    if (line.startsWith('*')) {
      table = new Map()
      tables.set(line.slice(1).trim(), table)
    } else if (line.startsWith(':')) {
      const [name = '', policy = '-'] = line.slice(1).split(' ')
      table.set(name, { policy: policy === '-' ? undefined : policy, texts: [], parsed: undefined })
    } else if (line.startsWith('-A ')) {
      const end = line.indexOf(' ', 3)
      const name = end === -1 ? line.slice(3) : line.slice(3, end)
      table.get(name)?.texts.push(end === -1 ? '' : line.slice(end + 1))
    }
  }
  return tables
}
