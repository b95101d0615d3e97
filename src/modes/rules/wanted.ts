// Desired → the rules of each dispatch chain as they are to stand there: of the Services that share a chain, or as its tree has them.
import type { Table } from '../../kernel/iptables.ts'
import { nodesOf, type OwnedRule, rulesOf } from './dispatch-tree.ts'
import type { Desired, FixedChain, Placement } from './state.ts'

/** By table and chain; without the fixed last rules. */
export class WantedDispatch {
  readonly #chains = new Map<string, Map<string, OwnedRule>>()
  #texts: ReadonlySet<string> | undefined

  /** Walks everything. */
  constructor({ services, dispatch }: Desired) {
    for (const [owner, rendered] of services) {
      for (const { table, chain, rule } of rendered.dispatch) {
        if (table === 'nat' && dispatch?.placement.has(chain)) continue
        this.#add(table, chain, { owner, rule })
      }
    }
    for (const tree of dispatch?.placement.values() ?? []) {
      for (const node of nodesOf(tree)) for (const rule of rulesOf(node)) this.#add('nat', node.chain, rule)
    }
  }

  /** Each once. */
  in(table: Table, chain: string): readonly OwnedRule[] {
    return [...(this.#chains.get(`${table} ${chain}`)?.values() ?? [])]
  }

  /** Whether some chain of nat is to have the rule. A rule says whose it is and to which address, so no two chains have the same. */
  hasInNat(rule: string): boolean {
    this.#texts ??= new Set([...this.#chains].flatMap(([place, rules]) => (place.startsWith('nat ') ? [...rules.keys()] : [])))
    return this.#texts.has(rule)
  }

  #add(table: Table, chain: string, owned: OwnedRule): void {
    const place = `${table} ${chain}`
    const rules = this.#chains.get(place) ?? new Map<string, OwnedRule>()
    this.#chains.set(place, rules)
    if (!rules.has(owned.rule)) rules.set(owned.rule, owned)
  }
}

/** The chains of the trees, without those that they begin in. */
export function treeChains(placement: Placement | undefined): readonly FixedChain[] {
  return [...(placement?.values() ?? [])].flatMap(tree =>
    [...nodesOf(tree)].filter(node => node !== tree).map(({ chain }): FixedChain => ({ table: 'nat', name: chain, rules: [] })),
  )
}
