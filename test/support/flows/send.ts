// Sends the packets of a flow in a lab and collects the evidence.
import type { Outcome } from '../lab/agent/protocol.ts'
import type { Lab } from '../lab/lab.ts'
import { clientAddress, farClient } from '../lab/network-plan.ts'
import { slowness } from '../slowness.ts'
import type { Destination, Expectation, Flow } from './flow.ts'
import type { Evidence, NodeIdentity } from './judge.ts'
import { connectionsToReachAll } from './probability.ts'

/** An answer may take long on a busy machine: what ends the wait is the answer. Silence is proven otherwise, so this one is short. */
const timeouts = { answer: 10_000 * slowness, silence: 700 } as const

/** Several, since a rule that holds for some connections only would be found by chance alone with one. */
const silentConnections = 4

const parallel = 8

/**
 * The node listens on the flow's own port meanwhile, under its name: what no rule takes away from it is answered by it, and
 * cannot pass for refused.
 */
export async function send(lab: Lab, flow: Flow): Promise<Evidence> {
  await listenOnNode(lab, flow.to)
  const outcomes = await connectFrom(lab, { flow, from: sourceAddress(flow), count: flow.repeat ?? defaultRepeat(flow) })
  const needsConntrack = flow.expect === 'dropped' || flow.expect === 'untouched'
  const passed = needsConntrack ? await passedTheNode(lab, flow.to, outcomes) : 0
  return { outcomes, passed }
}

/** `count` connections of a flow from one source address; undefined: the kernel's choice. */
export function connectFrom(
  lab: Lab,
  options: { flow: Flow; from: string | undefined; count: number },
): Promise<readonly Outcome[]> {
  const { flow, from, count } = options
  const { address, port, protocol } = flow.to
  const timeoutMs = flow.expect === 'dropped' || flow.expect === 'untouched' ? timeouts.silence : timeouts.answer
  return lab
    .agent(sender(lab, flow))
    .ask('connect', { protocol, address, port, from, timeoutMs, count, parallel: flow.sticky ? 1 : parallel })
}

/** The lab's first node; its addresses are what a masqueraded connection comes from. */
export function nodeIdentity({ node }: Lab): NodeIdentity {
  return { name: node.name, addresses: [node.ipv4, node.ipv6, node.bridge.ipv4, node.bridge.ipv6] }
}

async function listenOnNode(lab: Lab, { port, protocol }: Destination): Promise<void> {
  const { name } = lab.node
  const portsOf = (each: Destination['protocol']) => (each === protocol ? [port] : [])
  await lab.agent(name).ask('serve', { name, tcp: portsOf('TCP'), udp: portsOf('UDP'), sctp: portsOf('SCTP') })
}

function isSilence(expect: Flow['expect']): expect is Extract<Expectation, string> {
  return typeof expect === 'string'
}

function defaultRepeat({ expect, sticky }: Flow): number {
  if (isSilence(expect)) return silentConnections
  return 'to' in expect && !sticky ? Math.max(2, connectionsToReachAll(expect.to.length)) : 20
}

function sender(lab: Lab, { from }: Flow): string {
  if (from === 'node') return lab.node.name
  return from.startsWith('pod/') ? lab.pod(from.slice('pod/'.length)).name : 'client'
}

function sourceAddress({ from, to }: Flow): string | undefined {
  switch (from) {
    case 'outside':
      return clientAddress(0)[to.family]
    case 'outside/far':
      return farClient[to.family]
    default:
      return undefined
  }
}

/**
 * How many of the connections left a conntrack entry on the node. The kernel confirms an entry only after the last filter, so one
 * that a rule drops or rejects leaves none, while one that is let through leaves it whoever answers, or nobody.
 */
async function passedTheNode(
  lab: Lab,
  { address, family, port, protocol }: Destination,
  outcomes: readonly Outcome[],
): Promise<number> {
  const filter = ['-f', family, '-p', protocol.toLowerCase(), '--orig-dst', address, '--orig-port-dst', String(port)]
  const { stdout } = await lab.run(lab.node.name, ['conntrack', '-L', ...filter])
  const tracked = new Set(stdout.split('\n').map(originalSource))
  return outcomes.filter(outcome => tracked.has(`${outcome.localAddress} ${outcome.localPort}`)).length
}

/** `src=... sport=...` of the original direction, which conntrack prints first. */
function originalSource(line: string): string {
  const [, address, port] = /src=(\S+) dst=\S+ sport=(\d+)/.exec(line) ?? []
  return `${address} ${port}`
}
