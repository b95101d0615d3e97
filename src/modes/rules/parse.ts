// What iptables-save (or `iptables -S CHAIN`) printed → Observed.
import { rulesIn, type SavedText, type Table, targetOf } from '../../kernel/iptables.ts'
import { readSave, type SavedLines, SaveReader } from '../../kernel/save-reader.ts'
import { copyText } from '../../model/text.ts'
import type { Aliases } from '../mode.ts'
import { type ChainRoles, isEntryChain } from './chains.ts'
import { type Digest, digestOfText, type Observed, type ObservedDispatch, type ObservedTable } from './state.ts'

interface Reading {
  readonly aliases: Aliases
  readonly roles: ChainRoles
}

export function emptyObserved(): Observed {
  return { nat: emptyTable(), filter: emptyTable(), services: new Map() }
}

/** `nat` and `filter`: what was printed of each table, in one piece or several; nothing where it was not read. */
export function parseTables(
  output: { readonly nat: string; readonly filter: string },
  aliases: Aliases,
  roles: ChainRoles,
): Observed {
  const parse = (table: Table): ObservedTable => {
    const reader = new TableReader(table, { aliases, roles })
    readSave(output[table], reader)
    return reader.end()
  }
  return { nat: parse('nat'), filter: parse('filter'), services: new Map() }
}

/** The same of one iptables-save, while it is printed: `take` gets its pieces in order, and nothing of them is kept but what `end` gives. */
export function tablesReading(aliases: Aliases, roles: ChainRoles): { take(piece: string): void; end(): Observed } {
  const readers = { nat: new TableReader('nat', { aliases, roles }), filter: new TableReader('filter', { aliases, roles }) }
  let reader: TableReader | undefined
  const save = new SaveReader({
    table: name => {
      reader = name === 'nat' || name === 'filter' ? readers[name] : undefined
    },
    chain: name => reader?.chain(name),
    rules: (name, text) => reader?.rules(name, text),
  })
  return {
    take: piece => save.take(piece),
    end: () => {
      save.end()
      return { nat: readers.nat.end(), filter: readers.filter.end(), services: new Map() }
    },
  }
}

function emptyTable(): ObservedTable {
  return { leaves: new Map(), dispatch: new Map(), shared: new Map(), foreignReferences: new Map() }
}

/** Each chain is understood when the last of its rules has come. */
class TableReader implements SavedLines {
  readonly #table: Table
  readonly #reading: Reading
  readonly #parsed = emptyTable()
  /** Of all chains, each by itself: what keeps a name keeps this one. */
  readonly #names = new Map<string, string>()
  readonly #withoutRules = new Set<string>()
  #current: { readonly name: string; text: string } | undefined

  constructor(table: Table, reading: Reading) {
    this.#table = table
    this.#reading = reading
  }

  chain(name: string): void {
    this.#names.set(name, name)
    this.#withoutRules.add(name)
  }

  rules(view: string, text: string): void {
    const current = this.#current
    if (current?.name === view) {
      current.text = `${current.text}\n${text}`
      return
    }
    const name = this.#names.get(view)
    if (name === undefined) return
    this.#closeCurrent()
    this.#withoutRules.delete(name)
    this.#current = { name, text }
  }

  end(): ObservedTable {
    this.#closeCurrent()
    for (const name of this.#withoutRules) this.#parse({ name, text: '' })
    return this.#parsed
  }

  #closeCurrent(): void {
    if (this.#current !== undefined) this.#parse(this.#current)
    this.#current = undefined
  }

  #parse(chain: SavedText): void {
    const { aliases, roles } = this.#reading
    const [table, parsed, { name }] = [this.#table, this.#parsed, chain]
    const kind = roles(table, name)
    const inOurWords = (): readonly string[] =>
      rulesIn(chain).map(rule => aliases.get(aliasKey(table, name, rule)) ?? copyText(rule))
    if (kind === 'leaf') {
      const digest = digestOfText(chain.text)
      const ours = (aliases.get(aliasKey(table, name, digest)) ?? digest) as Digest
      const jumps = name.startsWith('KUBE-SEP-') ? [] : jumpsOf(rulesIn(chain), this.#names)
      parsed.leaves.set(name, { digest: ours, jumps })
    } else if (kind === 'dispatch') {
      parsed.dispatch.set(name, parseDispatch(inOurWords(), hasTail(table, name)))
    } else {
      if (kind === 'shared') parsed.shared.set(name, new Set(inOurWords()))
      for (const rule of rulesIn(chain)) noteForeignReference({ table, chain: name, rule, parsed, roles })
    }
  }
}

/** The key of an alias: a rule of a dispatch or shared chain, or the digest of a leaf chain, as the kernel has it. */
export function aliasKey(table: Table, chain: string, text: string): string {
  return `${table} ${chain} ${text}`
}

function parseDispatch(rules: readonly string[], withTail: boolean): ObservedDispatch {
  const isTail = withTail ? isNodePortJump : () => false
  const tailStart = rules.findLastIndex(rule => !isTail(rule)) + 1
  const set = new Set(rules)
  return {
    rules: set,
    tail: rules.slice(tailStart),
    irregular: set.size !== rules.length || rules.slice(0, tailStart).some(isTail),
  }
}

/** Where the jumps to the node ports must come last; in another chain of ours such a rule is one of others. */
function hasTail(table: Table, chain: string): boolean {
  return table === 'nat' && chain === 'KUBE-SERVICES'
}

function isNodePortJump(rule: string): boolean {
  return rule.endsWith('-j KUBE-NODEPORTS')
}

function jumpsOf(rules: readonly string[], names: ReadonlyMap<string, string>): readonly string[] {
  const targets = new Set<string>()
  for (const rule of rules) {
    const target = names.get(targetOf(rule) ?? '')
    if (target !== undefined && target !== 'KUBE-MARK-MASQ') targets.add(target)
  }
  return [...targets]
}

/** Remembers a jump to a chain of ours that is not one of our own rules. */
function noteForeignReference(reference: {
  table: Table
  chain: string
  rule: string
  parsed: ObservedTable
  roles: ChainRoles
}): void {
  const { table, chain, rule, parsed, roles } = reference
  const target = targetOf(rule)
  if (target === undefined || chain === target) return
  const isOurs = ['leaf', 'dispatch'].includes(roles(table, target)) || isEntryChain(table, target)
  const isOurRule = roles(table, chain) === 'shared' && isEntryChain(table, target)
  if (isOurs && !isOurRule) parsed.foreignReferences.set(target, chain)
}
