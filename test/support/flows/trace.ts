// What the tracer says of a flow, beside what the flow expects: the same rows that real packets are held to.
import { strict as assert } from 'node:assert'
import { type Backend, toolsOf } from '../../../src/kernel/iptables.ts'
import type { Address, IpFamily } from '../../../src/model/address.ts'
import { iptablesMode } from '../../../src/modes/iptables/index.ts'
import { ipvsMode } from '../../../src/modes/ipvs/index.ts'
import type { Branch, Packet, Trace, Tracer } from '../../../src/modes/trace.ts'
import type { Lab } from '../lab/lab.ts'
import { clientAddress, farClient } from '../lab/network-plan.ts'
import type { Flow, ProxyMode } from './flow.ts'

export type Tracers = Readonly<Record<'ipv4' | 'ipv6', Tracer>>

/** Reads the kernel of the lab's first node once, by one shell: in user-mode Linux each process costs more than what it does. */
export async function readTracers(lab: Lab, { mode, backend }: { mode: ProxyMode; backend: Backend }): Promise<Tracers> {
  const modeOf = (family: IpFamily) =>
    mode === 'iptables'
      ? iptablesMode(family, toolsOf(family, backend))
      : ipvsMode({ family, tools: toolsOf(family, backend), abilities: { hasScheduler: () => true } })
  const modes = [modeOf('IPv4'), modeOf('IPv6')] as const
  const commands = [...new Set(modes.flatMap(each => each.queries('everything')).map(({ argv }) => argv.join(' ')))]
  const { stdout } = await lab.run(lab.node.name, ['sh', '-ec', commands.join('\necho =====\n')])
  // The last newline is not in it.
  const printed = stdout.split(/^=====(?:\n|$)/m)
  const [ipv4, ipv6] = modes.map(each =>
    each.tracer(
      each.queries('everything').map(({ argv }) => {
        const output = printed[commands.indexOf(argv.join(' '))]
        assert.ok(output !== undefined, `not read: ${argv.join(' ')}`)
        return output
      }),
    ),
  )
  assert.ok(ipv4 !== undefined && ipv6 !== undefined)
  return { ipv4, ipv6 }
}

/** Undefined where the trace says what the flow expects of real packets; otherwise what it says instead. */
export function complainAboutTrace(flow: Flow, { lab, tracers }: { lab: Lab; tracers: Tracers }): string | undefined {
  const trace = tracers[flow.to.family](packetOf(lab, flow))
  const complaint = trace.unsure.length > 0 ? 'unsure' : disagreement(flow, trace, lab)
  return complaint === undefined ? undefined : `trace: ${complaint}\n${describe(trace)}`
}

function packetOf(lab: Lab, { from, to }: Flow): Packet {
  const { node } = lab
  const own = ['127.0.0.1', '::1', node.ipv4, node.ipv6, node.bridge.ipv4, node.bridge.ipv6]
  const sender = {
    outside: clientAddress(0),
    'outside/far': farClient,
    node,
  }[from]
  return {
    family: to.family === 'ipv4' ? 'IPv4' : 'IPv6',
    protocol: to.protocol,
    source: (sender ?? lab.pod(from.slice('pod/'.length)))[to.family] as Address,
    destination: to.address as Address,
    port: to.port,
    origin: from === 'node' ? 'node' : 'interface',
    interface: from === 'node' ? undefined : from.startsWith('pod/') ? 'cni0' : 'eth0',
    localAddresses: new Set(own as Address[]),
  }
}

const tolerance = 1e-6

function disagreement({ expect, from, spread }: Flow, { branches }: Trace, lab: Lab): string | undefined {
  const sum = branches.reduce((total, { probability }) => total + probability, 0)
  if (Math.abs(sum - 1) > tolerance) return `the probabilities add up to ${sum}`
  if (typeof expect === 'string') {
    return branches.every(({ verdict }) => verdict === expect) ? undefined : `expected ${expect}`
  }
  if ('notSupported' in expect) return undefined
  if (!branches.every(({ verdict }) => verdict === 'endpoint')) return 'expected endpoints alone'
  const reached = branches.map(branch => nameOf(branch, lab))
  const isOne = (wanted: string, name: string): boolean => name === wanted || name.split(':')[0] === wanted
  if (!reached.every(name => expect.to.some(wanted => isOne(wanted, name)))) return `expected ${expect.to.join(' ')} alone`
  if (!expect.to.every(wanted => reached.some(name => isOne(wanted, name)))) return `expected all of ${expect.to.join(' ')}`
  // What the node sends has its address as it is.
  const isMasqueraded = branches.map(({ masquerade }) => masquerade !== undefined)
  if (expect.source === 'kept' && isMasqueraded.includes(true)) return 'expected the source to stay'
  if (expect.source === 'node' && from !== 'node' && isMasqueraded.includes(false)) return 'expected it to be masqueraded'
  const isUniform = expect.to.every(wanted => {
    const share = branches.reduce((total, each, index) => total + (isOne(wanted, reached[index] ?? '') ? each.probability : 0), 0)
    return Math.abs(share - 1 / expect.to.length) < tolerance
  })
  return spread === undefined || isUniform ? undefined : 'expected the same probability for each'
}

/** `a:8080`. */
function nameOf({ endpoint = '' }: Branch, lab: Lab): string {
  const end = endpoint.lastIndexOf(':')
  const address = endpoint.slice(0, end).replace(/^\[|\]$/g, '')
  const pod = lab.pods.find(({ ipv4, ipv6 }) => ipv4 === address || ipv6 === address)
  return pod === undefined ? endpoint : `${pod.name}${endpoint.slice(end)}`
}

function describe({ branches, unsure }: Trace): string {
  return JSON.stringify({ unsure, branches }, undefined, 1)
}
