// The words in which a drift of rules names its place: made and read here, nowhere else.
import type { Table } from '../../kernel/iptables.ts'

export function chainName(table: Table, chain: string): string {
  return `${table} chain ${chain}`
}

export function ruleName(table: Table, chain: string, rule: string): string {
  return `${chainName(table, chain)}: rule ${rule}`
}

export function allRulesOf(table: Table, chain: string): string {
  return `${chainName(table, chain)}: all its rules`
}

export function orderOf(table: Table, chain: string): string {
  return `${chainName(table, chain)}: order of its rules, or one that stands twice`
}

export interface RulePlace {
  readonly table: Table
  readonly chain: string
  /** Undefined: the chain as a whole. */
  readonly rule: string | undefined
  /** Whether only the order of its rules, or one that stands twice, is at stake. */
  readonly isOrder: boolean
}

/** Undefined for what is no rule and no chain. */
export function rulePlace(what: string): RulePlace | undefined {
  const [, table, chain = '', rest = ''] = /^(nat|filter) chain ([^:\s]+)(?:: (.*))?$/.exec(what) ?? []
  if (table !== 'nat' && table !== 'filter') return undefined
  const rule = rest.startsWith('rule ') ? rest.slice('rule '.length) : undefined
  return { table, chain, rule, isOrder: rest.startsWith('order ') }
}
