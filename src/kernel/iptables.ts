// The text formats of iptables: what iptables-save prints, what iptables-restore complains about.
import type { IpFamily } from '../model/address.ts'
import type { Query } from './plan.ts'
import { readSave } from './save-reader.ts'

export type Backend = 'nft' | 'legacy'
export type Table = 'nat' | 'filter'
export const tables: readonly Table[] = ['nat', 'filter']

/** The programs of one family and backend, by the names under which this host has them. */
export interface IptablesTools {
  readonly backend: Backend
  readonly tool: string
  readonly save: string
  readonly restore: string
}

/** Debian and others install `iptables-nft-save` and `iptables-legacy-save` beside the plain names. */
export function toolsOf(family: IpFamily, backend: Backend): IptablesTools {
  const tool = family === 'IPv4' ? 'iptables' : 'ip6tables'
  return { backend, tool: `${tool}-${backend}`, save: `${tool}-${backend}-save`, restore: `${tool}-${backend}-restore` }
}

/**
 * All tables at once: with `-t`, iptables-nft-save takes as long for a small table as for all, and iptables-legacy-save would make
 * a table that the kernel does not have yet.
 */
export function saveQuery(tools: IptablesTools): Query {
  return { argv: [tools.save] }
}

/** One chain; much cheaper than the whole table on the nft backend. Fails where the chain does not exist. */
export function chainQuery(tools: IptablesTools, table: Table, chain: string): Query {
  return { argv: [tools.tool, ...waitForLock(tools), '-t', table, '-S', chain] }
}

/** All chains of a table with packet counters. */
export function countedTableQuery(tools: IptablesTools, table: Table): Query {
  return { argv: [tools.tool, ...waitForLock(tools), '-v', '-t', table, '-S'] }
}

/** --noflush: what is not named stays. */
export function restoreArgv(tools: IptablesTools): readonly string[] {
  return [tools.restore, '--noflush', ...waitForLock(tools)]
}

/** Seconds. The legacy backend's lock is shared with kubelet and network plugins, and without a limit iptables 1.8.9 waits for ever, to list rules too. */
function waitForLock({ backend }: IptablesTools): readonly string[] {
  return backend === 'legacy' ? ['--wait', '10'] : []
}

/** The part of an iptables-save output that is about one table; empty where it has none. */
export function tableSection(output: string, table: Table): string {
  const header = `*${table}\n`
  const start = output.startsWith(header) ? 0 : output.indexOf(`\n${header}`) + 1
  if (!output.startsWith(header, start)) return ''
  const end = output.indexOf('\nCOMMIT', start)
  return output.slice(start, end === -1 ? undefined : end)
}

export interface SavedChain {
  readonly name: string
  /** Rules without their `-A CHAIN `, in order. */
  readonly rules: readonly string[]
}

/** A chain with its lines as they were printed. */
export interface SavedText {
  readonly name: string
  /** `-A CHAIN RULE`, a line each, without the last newline; empty where there is no rule. */
  readonly text: string
}

/**
 * Chains as iptables-save (a table) or `iptables -S CHAIN` (a chain) printed them. Chain names are copies; rules are views of the whole output and keep
 * it alive, so who keeps one keeps a copy (`copyText`).
 */
export function parseSave(output: string): readonly SavedChain[] {
  const chains = new Map<string, string[]>()
  readSave(output, {
    chain: name => void chains.set(name, []),
    rules: (name, text) => {
      const rules = chains.get(name)
      for (const rule of rulesIn({ name, text })) rules?.push(rule)
    },
  })
  return [...chains].map(([name, rules]) => ({ name, rules }))
}

/** The rules of a chain, as views of its text. */
export function rulesIn({ name, text }: SavedText): readonly string[] {
  const before = `-A ${name} `.length
  return text === '' ? [] : text.split('\n').map(line => line.slice(before))
}

/** The chain that a rule jumps or goes to; undefined for none or a built-in target (which the caller tells apart by name). */
export function targetOf(rule: string): string | undefined {
  return / -[jg] (\S+)/.exec(` ${rule}`)?.[1]
}

/** What a tool that reads lines said went wrong: the input line (from 1) where it names one, or the whole block. */
export type RestoreComplaint = { readonly line: number } | 'no line named'

/**
 * The three forms of a failure: `Error occurred at line: N` (syntax), `line N: RULE_APPEND failed` (nft, kernel),
 * `line N failed` (legacy; always the COMMIT line, so the culprit is elsewhere in the block). ipset says `Error in line N:`, ip `Command failed -:N`.
 */
export function parseComplaint(stderr: string): RestoreComplaint {
  const forms = [/Error occurred at line: (\d+)/, /line (\d+)(?::| failed)/, /Command failed -:(\d+)/]
  const line = forms.map(form => form.exec(stderr)?.[1]).find(found => found !== undefined)
  return line === undefined ? 'no line named' : { line: Number(line) }
}
