// Everything of ours → gone: the plan of `switchyard cleanup`. Takes what the kernel holds; nothing of others is named in it.
import {
  type IptablesTools,
  parseSave,
  restoreArgv,
  type SavedChain,
  type Table,
  tableSection,
  tables,
  targetOf,
} from '../../kernel/iptables.ts'
import type { Chunk, Plan } from '../../kernel/plan.ts'
import { isEntryChain } from './chains.ts'
import { type Observed, type ObservedTable, observedTable } from './state.ts'

/** Kubelet makes this chain too. */
const sharedWithKubelet = 'KUBE-FIREWALL'

export interface RetireInput {
  readonly observed: Observed
  /** The iptables-save output that `observed` was parsed from: a jump may stand there twice. */
  readonly save: string
  readonly tools: IptablesTools
  /** KUBE-FIREWALL stays: kubelet is here (its hint chains are), or route_localnet is on and the chain guards 127.0.0.0/8. */
  readonly keepFirewall: boolean
}

/** Jumps first, then all chains are emptied, then deleted; one block a table, so that no packet meets half of it. */
export function retire({ observed, save, tools, keepFirewall }: RetireInput): Plan {
  const parts = tables.map(table => {
    const saved = parseSave(tableSection(save, table))
    return retireTable({ table, held: observedTable(observed, table), saved, keepFirewall })
  })
  const chunks = parts.flatMap(({ lines }) => lines)
  const removed = parts.reduce((sum, { chains }) => sum + chains.length, 0)
  const kept = parts.flatMap(part => part.kept)
  if (chunks.length === 0) return { steps: [], written: 0, removed: 0, kept }
  const why = `delete ${removed} chains and the jumps to them`
  const step = { why, argv: restoreArgv(tools), input: chunks, idleInput: ['*nat', 'COMMIT'] }
  return { steps: [step], written: 0, removed, kept }
}

function retireTable(options: {
  readonly table: Table
  readonly held: ObservedTable
  readonly saved: readonly SavedChain[]
  readonly keepFirewall: boolean
}): { readonly lines: readonly Chunk[]; readonly chains: readonly string[]; readonly kept: readonly string[] } {
  const { table, held, saved, keepFirewall } = options
  const firewall = removableFirewall(held, keepFirewall) ? [sharedWithKubelet] : []
  const present = [...held.leaves.keys(), ...held.dispatch.keys(), ...firewall]
  const user = (chain: string): string | undefined => held.foreignReferences.get(chain)
  const chains = present.filter(chain => user(chain) === undefined)
  const kept = present
    .filter(chain => user(chain) !== undefined)
    .map(chain => `${table} chain ${chain}: a rule of chain ${user(chain)}, which is not ours, jumps to it`)
  const going = new Set(present)
  const jumps = saved
    .filter(({ name }) => held.shared.has(name) && name !== sharedWithKubelet)
    .flatMap(({ name, rules }) => rules.filter(rule => isOurJump(table, rule, going)).map(rule => `-D ${name} ${rule}`))
  const lines = [...jumps, ...present.map(chain => `:${chain} - [0:0]`), ...chains.map(chain => `-X ${chain}`)]
  return { lines: lines.length === 0 ? [] : [{ owner: undefined, lines: [`*${table}`, ...lines, 'COMMIT'] }], chains, kept }
}

/** It goes only where nobody but us filled it and nobody needs it. */
function removableFirewall(held: ObservedTable, keepFirewall: boolean): boolean {
  const rules = held.shared.get(sharedWithKubelet)
  return rules !== undefined && !keepFirewall && [...rules].every(rule => rule.includes('"block incoming localnet connections"'))
}

function isOurJump(table: Table, rule: string, going: ReadonlySet<string>): boolean {
  const target = targetOf(rule) ?? ''
  return going.has(target) && isEntryChain(table, target)
}
