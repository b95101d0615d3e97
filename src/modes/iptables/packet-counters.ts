// What kube-proxy counts by nfacct objects, from the packet counters that the same two kinds of rules have anyway.
// A rule that is rewritten begins at 0 again, as the counter of a process that was restarted does.
import { chainQuery, countedTableQuery, type IptablesTools } from '../../kernel/iptables.ts'
import type { Query } from '../../kernel/plan.ts'
import type { PacketCounts } from '../mode.ts'

export function packetCounterQueries(tools: IptablesTools): readonly Query[] {
  return [verbose(chainQuery(tools, 'filter', 'KUBE-FORWARD')), verbose(chainQuery(tools, 'nat', 'KUBE-NODEPORTS'))]
}

/** Where KUBE-NODEPORTS is a tree: its chains, a level at a time. The legacy backend fetches the whole table for each chain, so there all at once. */
export function nextPacketCounterQueries(outputs: readonly string[], tools: IptablesTools): readonly Query[] {
  const below = outputs.flatMap(output => [...output.matchAll(/ -j (KUBE-SVC-NP-\S+)$/gm)].map(([, chain = '']) => chain))
  if (below.length === 0) return []
  if (tools.backend === 'nft') return [...new Set(below)].map(chain => verbose(chainQuery(tools, 'nat', chain)))
  const isFirst = outputs.some(output => output.startsWith('-N KUBE-FORWARD'))
  return isFirst ? [countedTableQuery(tools, 'nat')] : []
}

export function parsePacketCounters([forward = '', nodePorts = '', ...tree]: readonly string[]): PacketCounts {
  const isLocalhost = (line: string): boolean => line.includes(' -d 127.0.0.0/8 ')
  const inTree = tree.map(output => sum(output, line => line.startsWith('-A KUBE-SVC-NP-') && isLocalhost(line)))
  return {
    invalidDropped: sum(forward, line => line.includes(' --ctstate INVALID ') && line.endsWith(' -j DROP')),
    localhostNodePortsAccepted: inTree.reduce((total, count) => total + count, sum(nodePorts, isLocalhost)),
  }
}

/** `-v` adds `-c PACKETS BYTES` in front of each rule's target. */
function verbose({ argv: [tool = '', ...rest] }: Query): Query {
  return { argv: [tool, '-v', ...rest] }
}

function sum(listing: string, counts: (line: string) => boolean): number {
  return listing
    .split('\n')
    .filter(counts)
    .reduce((total, line) => total + Number(/ -c (\d+) \d+(?= -j \S+$)/.exec(line)?.[1] ?? 0), 0)
}
