// Everything of ours, or some of it, → gone: the plan of `switchyard cleanup`, and of takeover and handover, which are about what another proxy left.
// Takes what the kernel holds; nothing of others is named in it.
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
import { type Chunk, emptyPlan, type Plan } from '../../kernel/plan.ts'
import { canaryChain, chainRoles, isEntryChain } from './chains.ts'
import { parseTables } from './parse.ts'
import { type ObservedTable, observedTable, type SharedRule } from './state.ts'

/** Kubelet makes this chain too. */
const sharedWithKubelet = 'KUBE-FIREWALL'

export interface RetireInput {
  /** What iptables-save printed. */
  readonly save: string
  readonly tools: IptablesTools
  /** KUBE-FIREWALL stays: kubelet is here (its hint chains are), or route_localnet is on and the chain guards 127.0.0.0/8. */
  readonly keepFirewall: boolean
  /** Only these chains of ours, where it is not all. */
  readonly goes?: (table: Table, chain: string) => boolean
  /** Jumps that go although the chain that they lead to stays. */
  readonly jumps?: readonly SharedRule[]
}

/** Of all modes: here each chain of ours is one that goes whole. */
const allChains = chainRoles({ dispatch: {} })

/** Jumps first, then all chains are emptied, then deleted; one block a table, so that no packet meets half of it. */
export function retire({ save, tools, keepFirewall, goes = () => true, jumps = [] }: RetireInput): Plan {
  const observed = parseTables({ nat: tableSection(save, 'nat'), filter: tableSection(save, 'filter') }, new Map(), allChains)
  const parts = tables.map(table => {
    const saved = parseSave(tableSection(save, table))
    return retireTable({ table, held: observedTable(observed, table), saved, keepFirewall, goes, jumps })
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
  readonly goes: (table: Table, chain: string) => boolean
  readonly jumps: readonly SharedRule[]
}): { readonly lines: readonly Chunk[]; readonly chains: readonly string[]; readonly kept: readonly string[] } {
  const { table, held, saved, keepFirewall, goes } = options
  const firewall = removableFirewall(held, keepFirewall) ? [sharedWithKubelet] : []
  const present = [...held.leaves.keys(), ...held.dispatch.keys(), ...firewall].filter(chain => goes(table, chain))
  const going = new Set(present)
  const unwanted = new Set(options.jumps.filter(jump => jump.table === table).map(({ chain, rule }) => `${chain} ${rule}`))
  const isOurJumpIn = (chain: string, rule: string): boolean =>
    held.shared.has(chain) && chain !== sharedWithKubelet && (isOurJump(table, rule, going) || unwanted.has(`${chain} ${rule}`))
  const jumps = saved.flatMap(({ name, rules }) =>
    rules.filter(rule => isOurJumpIn(name, rule)).map(rule => `-D ${name} ${rule}`),
  )
  const users = usersOf(going, { saved, isOurJumpIn })
  const chains = present.filter(chain => !users.has(chain))
  const kept = present
    .filter(chain => users.has(chain))
    .map(chain => `${table} chain ${chain}: a rule of chain ${users.get(chain)}, which is not ours, jumps to it`)
  const lines = [...jumps, ...present.map(chain => `:${chain} - [0:0]`), ...chains.map(chain => `-X ${chain}`)]
  return { lines: lines.length === 0 ? [] : [{ owner: undefined, lines: [`*${table}`, ...lines, 'COMMIT'] }], chains, kept }
}

/** By chain that goes, a chain that stays and has a rule that leads to it. */
function usersOf(
  going: ReadonlySet<string>,
  { saved, isOurJumpIn }: { saved: readonly SavedChain[]; isOurJumpIn: (chain: string, rule: string) => boolean },
): ReadonlyMap<string, string> {
  const users = new Map<string, string>()
  for (const { name, rules } of saved) {
    if (going.has(name)) continue
    for (const rule of rules) {
      const target = targetOf(rule)
      if (target !== undefined && going.has(target) && !isOurJumpIn(name, rule)) users.set(target, name)
    }
  }
  return users
}

/** kube-proxy's alarm in the table mangle, where nothing else is a service proxy's. */
export function retireCanary(save: string, tools: IptablesTools): Plan {
  const chains = parseSave(/^\*mangle\n[\s\S]*?^COMMIT$/m.exec(save)?.[0] ?? '')
  const isThere = chains.some(({ name }) => name === canaryChain)
  const isUsed = chains.some(({ rules }) => rules.some(rule => targetOf(rule) === canaryChain))
  if (!isThere || isUsed) return emptyPlan
  const lines = ['*mangle', `-X ${canaryChain}`, 'COMMIT']
  const step = { why: `delete ${canaryChain} of mangle`, argv: restoreArgv(tools), input: [{ owner: undefined, lines }] }
  return { ...emptyPlan, steps: [step], removed: 1 }
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
