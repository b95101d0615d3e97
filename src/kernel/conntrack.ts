// The kernel's table of UDP flows through conntrack(8): what to ask, what its answer says, how to delete.
// Takes text or flows, gives flows or Steps; runs nothing.
// conntrack-tools 1.4.7, measured with 100,000 flows on one core: a listing takes 0.5 s, and every -D reads the whole table
// too (0.28 s), however exactly it names one flow. So a -D names a route, with which all flows that are wrong alike go at
// once, and many of them share a process (--load-file takes -D lines since 1.4.7).
import type { Address, IpFamily } from '../model/address.ts'
import type { Query, Step } from './plan.ts'

/** The half of a UDP flow that a service proxy decides: where the client sends to, and who answers in truth. */
export interface UdpRoute {
  /** Original direction: the address and port that the client uses. */
  readonly destination: Address
  readonly destinationPort: number
  /** Reply direction: where the packets were sent on to. The same as the destination where nobody translated it. */
  readonly replySource: Address
  readonly replyPort: number
}

/** Lists the UDP flows of one family; the kernel itself leaves out the other one. */
export function udpFlowsQuery(family: IpFamily): Query {
  return { argv: ['conntrack', '-L', '-f', familyName(family), '-p', 'udp'] }
}

// udp 17 29 src=10.244.1.11 dst=10.96.0.10 sport=41000 dport=53 [UNREPLIED] src=10.244.1.12 dst=10.244.1.11 sport=5353 dport=41000 mark=0 use=1
// Counters stand behind each direction where nf_conntrack_acct is on; an offloaded flow has no seconds. A conntrack zone is
// named behind the direction that it is for, or, where for both (`zone=5`), behind the mark.
const flowLine = new RegExp(
  [
    /^udp +17 (?:\d+ )?src=\S+ dst=([0-9a-f.:]+) sport=\d+ dport=(\d+) /,
    /(?:packets=\d+ bytes=\d+ )?(?:\[UNREPLIED\] )?/,
    /src=([0-9a-f.:]+) dst=\S+ sport=(\d+) dport=\d+ (.*)$/,
  ]
    .map(part => part.source)
    .join(''),
  'gm',
)

/**
 * One route for every flow that `conntrack -L` printed, in its order. Lines in another form are passed over, and so are flows
 * of a conntrack zone: they are tracked apart from those that the host's own rules translate.
 */
export function* parseUdpFlows(listing: string): Iterable<UdpRoute> {
  for (const [, destination, destinationPort, replySource, replyPort, rest] of listing.matchAll(flowLine)) {
    if (rest === undefined || /(^| )zone[-=]/.test(rest)) continue
    yield {
      // The kernel's own addresses, printed by inet_ntop(3): canonical as they stand.
      destination: destination as Address,
      destinationPort: Number(destinationPort),
      replySource: replySource as Address,
      replyPort: Number(replyPort),
    }
  }
}

/** conntrack opens /dev/stdin anew, which works for a pipe and not for the socket that Node makes of a child's standard input. */
const deleteFromInput = ['sh', '-c', 'cat | conntrack --load-file -']

/** So that one process ends well before its time-out on a table of a million flows. */
const mostLinesInStep = 50

/** Deletes all UDP flows of these routes in one family; standard output then has one line for each flow that was deleted. */
export function deletionSteps(family: IpFamily, routes: Iterable<UdpRoute>): readonly Step[] {
  const lines = [...new Set(Array.from(routes, route => deletionLine(family, route)))]
  return Array.from({ length: Math.ceil(lines.length / mostLinesInStep) }, (_, step) => {
    const ofStep = lines.slice(step * mostLinesInStep, (step + 1) * mostLinesInStep)
    return {
      why: `delete the ${family} UDP flows of ${ofStep.length} stale routes`,
      argv: deleteFromInput,
      input: [{ owner: undefined, lines: ofStep }],
    }
  })
}

/** Only the three zone options together mean no zone at all; any two of them leave others' flows in. */
function deletionLine(family: IpFamily, { destination, destinationPort, replySource, replyPort }: UdpRoute): string {
  const route = `-d ${destination} --dport ${destinationPort} -r ${replySource} --reply-port-src ${replyPort}`
  return `-D -f ${familyName(family)} -p udp -w 0 --orig-zone 0 --reply-zone 0 ${route}`
}

/** How many flows a deletion's standard output tells of. */
export function countDeleted(output: string): number {
  return output.match(/^udp /gm)?.length ?? 0
}

/** A deletion met a flow that had just expired. conntrack gives up there: earlier flows are gone, later ones and lines are not. */
export function isFlowGone(stderr: string): boolean {
  return /such conntrack doesn't exist/.test(stderr)
}

function familyName(family: IpFamily): 'ipv4' | 'ipv6' {
  return family === 'IPv4' ? 'ipv4' : 'ipv6'
}
