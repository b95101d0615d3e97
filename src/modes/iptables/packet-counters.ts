// What kube-proxy counts by nfacct objects, from the packet counters that the same two kinds of rules have anyway.
// A rule that is rewritten begins at 0 again, as the counter of a process that was restarted does.
import { chainQuery, type IptablesTools } from '../../kernel/iptables.ts'
import type { Query } from '../../kernel/plan.ts'
import type { PacketCounts } from '../mode.ts'

export function packetCounterQueries(tools: IptablesTools): readonly Query[] {
  return [verbose(chainQuery(tools, 'filter', 'KUBE-FORWARD')), verbose(chainQuery(tools, 'nat', 'KUBE-NODEPORTS'))]
}

export function parsePacketCounters([forward = '', nodePorts = '']: readonly string[]): PacketCounts {
  return {
    invalidDropped: sum(forward, line => line.includes(' --ctstate INVALID ') && line.endsWith(' -j DROP')),
    localhostNodePortsAccepted: sum(nodePorts, line => line.includes(' -d 127.0.0.0/8 ')),
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
