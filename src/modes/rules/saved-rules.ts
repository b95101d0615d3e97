// What iptables-save printed, as the chains that a packet walks. The text is looked through once for where the rules of each chain stand; a rule is understood when a
// packet first comes to its chain, since of 170,000 rules one packet meets few.
import { parseRule, type Rule } from './rule-syntax.ts'

export interface SavedChain {
  readonly rules: readonly Rule[]
  /** Of a built-in chain: `ACCEPT`, `DROP`; undefined for all others. */
  readonly policy: string | undefined
}

/** Undefined where the table has no such chain. */
export type SavedRules = (table: string, chain: string) => SavedChain | undefined

interface Printed {
  readonly policy: string | undefined
  /** Pieces of the text, from the first character of a line to behind the last of another. iptables-save prints a chain in one piece. */
  readonly pieces: (readonly [start: number, end: number])[]
  parsed: SavedChain | undefined
}

/** @param save all tables, as iptables-save prints them without counters. */
export function savedRules(save: string): SavedRules {
  const tables = chainsIn(save)
  return (table, name) => {
    const chain = tables.get(table)?.get(name)
    if (chain === undefined) return undefined
    chain.parsed ??= { policy: chain.policy, rules: rulesOf(save, name, chain) }
    return chain.parsed
  }
}

function rulesOf(save: string, name: string, { pieces }: Printed): readonly Rule[] {
  const prefix = `-A ${name} `
  return pieces.flatMap(([start, end]) =>
    save
      .slice(start, end)
      .split('\n')
      .map(line => parseRule(line.slice(prefix.length))),
  )
}

function chainsIn(save: string): ReadonlyMap<string, ReadonlyMap<string, Printed>> {
  const tables = new Map<string, Map<string, Printed>>()
  let table = new Map<string, Printed>()
  let start = 0
  while (start < save.length) {
    const end = endOfLine(save, start)
    if (save.startsWith('*', start)) {
      table = new Map()
      tables.set(save.slice(start + 1, end).trim(), table)
    } else if (save.startsWith(':', start)) {
      const [name = '', policy = '-'] = save.slice(start + 1, end).split(' ')
      table.set(name, { policy: policy === '-' ? undefined : policy, pieces: [], parsed: undefined })
    } else if (save.startsWith('-A ', start)) {
      const last = endOfRun(save, start, end)
      table.get(nameIn(save, start, end))?.pieces.push([start, last])
      start = last + 1
      continue
    }
    start = end + 1
  }
  return tables
}

function endOfLine(save: string, start: number): number {
  const end = save.indexOf('\n', start)
  return end === -1 ? save.length : end
}

function nameIn(save: string, start: number, end: number): string {
  const blank = save.indexOf(' ', start + 3)
  return save.slice(start + 3, blank === -1 || blank > end ? end : blank)
}

/** Where the last of the lines ends that follow each other and are of one chain. */
function endOfRun(save: string, start: number, firstEnd: number): number {
  const rule = `-A ${nameIn(save, start, firstEnd)}`
  let end = firstEnd
  while (save.startsWith(rule, end + 1) && /[ \n]/.test(save[end + 1 + rule.length] ?? '\n')) end = endOfLine(save, end + 1)
  return end
}
