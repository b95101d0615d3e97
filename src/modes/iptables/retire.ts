// Everything of ours → gone: the plan of `switchyard cleanup`. Takes what the kernel holds; nothing of others is named in it.
import { type IptablesTools, restoreArgv, type Table, tables, targetOf } from '../../kernel/iptables.ts'
import type { Chunk, Plan } from '../../kernel/plan.ts'
import { isEntryChain } from './names.ts'
import { type Observed, type ObservedTable, observedTable } from './state.ts'

/** Kubelet makes this chain too; with its hint chains in the mangle table it is kubelet's, and stays. */
const sharedWithKubelet = 'KUBE-FIREWALL'

export interface RetireInput {
  readonly observed: Observed
  readonly tools: IptablesTools
  /** KUBE-IPTABLES-HINT or KUBE-KUBELET-CANARY stands in this backend. */
  readonly kubeletIsHere: boolean
}

/** Jumps first, then all chains are emptied, then deleted; one block a table, so that no packet meets half of it. */
export function retire({ observed, tools, kubeletIsHere }: RetireInput): Plan {
  const parts = tables.map(table => retireTable(table, observedTable(observed, table), kubeletIsHere))
  const chunks = parts.flatMap(({ lines }) => lines)
  const removed = parts.reduce((sum, { chains }) => sum + chains.length, 0)
  if (chunks.length === 0) return { steps: [], written: 0, removed: 0, kept: parts.flatMap(({ kept }) => kept) }
  const why = `delete ${removed} chains and the jumps to them`
  return {
    steps: [{ why, argv: restoreArgv(tools), input: chunks, idleInput: ['*nat', 'COMMIT'] }],
    written: 0,
    removed,
    kept: parts.flatMap(({ kept }) => kept),
  }
}

function retireTable(
  table: Table,
  held: ObservedTable,
  kubeletIsHere: boolean,
): { readonly lines: readonly Chunk[]; readonly chains: readonly string[]; readonly kept: readonly string[] } {
  const present = [
    ...held.leaves.keys(),
    ...held.dispatch.keys(),
    ...(removableFirewall(held, kubeletIsHere) ? [sharedWithKubelet] : []),
  ]
  const chains = present.filter(chain => !held.foreignReferences.has(chain))
  const kept = present
    .filter(chain => held.foreignReferences.has(chain))
    .map(chain => `${table} chain ${chain}: a rule of chain ${held.foreignReferences.get(chain)}, which is not ours, jumps to it`)
  const going = new Set(present)
  const jumps = [...held.shared].flatMap(([chain, rules]) =>
    [...rules].filter(rule => chain !== sharedWithKubelet && isOurJump(table, rule, going)).map(rule => `-D ${chain} ${rule}`),
  )
  const lines = [...jumps, ...present.map(chain => `:${chain} - [0:0]`), ...chains.map(chain => `-X ${chain}`)]
  return { lines: lines.length === 0 ? [] : [{ owner: undefined, lines: [`*${table}`, ...lines, 'COMMIT'] }], chains, kept }
}

/** It goes only where nobody but us filled it, and no kubelet is here to want it. */
function removableFirewall(held: ObservedTable, kubeletIsHere: boolean): boolean {
  const rules = held.shared.get(sharedWithKubelet)
  return rules !== undefined && !kubeletIsHere && [...rules].every(rule => rule.includes('"block incoming localnet connections"'))
}

function isOurJump(table: Table, rule: string, going: ReadonlySet<string>): boolean {
  const target = targetOf(rule) ?? ''
  return going.has(target) && isEntryChain(table, target)
}
