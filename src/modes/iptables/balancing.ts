// Which endpoint a new connection goes to: each with the same chance. A long list is divided into groups with a chain each, so that a connection
// passes few rules, and a changed endpoint rewrites its group and the list of groups.
import type { LeafChain } from '../rules/state.ts'
import { base32Value } from './names.ts'
import { shareOf } from './probability.ts'

/** The longest list that is not divided. */
export const longestList = 64

export interface Target {
  /** The endpoint's chain. */
  readonly chain: string
  /** Words of a match before all others, or none. */
  readonly note: readonly string[]
}

export interface Balancing {
  readonly rules: readonly string[]
  /** Chains that the rules jump to besides those of endpoints. */
  readonly groups: readonly LeafChain[]
}

/**
 * @param chain the one that the rules are for: names of groups begin with it.
 * @param most the longest list that is not divided.
 * @param groupNote the words for a group of so many targets.
 */
export function balance(
  targets: readonly Target[],
  { chain, most, groupNote }: { chain: string; most: number; groupNote: (size: number) => readonly string[] },
): Balancing {
  if (targets.length <= most) return { rules: takeTurns(targets), groups: [] }
  const byGroup = Map.groupBy(targets, target => groupOf(target.chain, targets.length))
  const groups = [...byGroup]
    .toSorted(([one], [other]) => one - other)
    .map(([group, members]) => ({ name: groupChain(chain, group), members }))
  return {
    rules: takeTurns(
      groups.map(({ name, members }) => ({ chain: name, note: groupNote(members.length), weight: members.length })),
    ),
    groups: groups.map(({ name, members }) => ({ name, rules: takeTurns(members) })),
  }
}

/** 28 characters, as many as iptables takes; kube-proxy sweeps it by its prefix. */
function groupChain(chain: string, group: number): string {
  return `${chain}-${String(group).padStart(2, '0')}`
}

export function isGroupOf(chain: string, name: string): boolean {
  return name.startsWith(`${chain}-`)
}

/**
 * By the first bits of the hash in the name of its chain: an endpoint that comes or goes moves no other. About as many groups as each has members, so
 * that both lists are short; the number follows from that of all endpoints alone, so that a restart finds what it would make.
 */
function groupOf(endpointChain: string, endpoints: number): number {
  const bits = endpoints <= 128 ? 3 : endpoints <= 512 ? 4 : 5
  return base32Value(endpointChain.slice('KUBE-SEP-'.length)) >> (5 - bits)
}

/** One at random: each rule takes its share of what comes so far, the last one all that is left. */
function takeTurns(targets: readonly (Target & { readonly weight?: number })[]): readonly string[] {
  let left = targets.reduce((sum, { weight = 1 }) => sum + weight, 0)
  return targets.map(({ chain, note, weight = 1 }, index) => {
    const share = index === targets.length - 1 ? [] : [`-m statistic --mode random --probability ${shareOf(weight, left)}`]
    left -= weight
    return [...note, ...share, `-j ${chain}`].join(' ')
  })
}
