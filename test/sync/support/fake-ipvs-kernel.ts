// A kernel in memory, behind the commands that ipvs mode runs: iptables of both families (fake-kernel.ts), ipset, ipvsadm and ip. A rule may only
// name a set that exists, and a set that a rule names cannot be destroyed.
import type { CommandFailure, Exec } from '../../../src/kernel/exec.ts'
import type { ServerName } from '../../../src/kernel/ipvsadm.ts'
import { type IpFamily, ipFamilies } from '../../../src/model/address.ts'
import { type FakeLinks, ip } from './fake-ip.ts'
import { type FakeSet, ipset } from './fake-ipset.ts'
import { type FakeServer, ipvsadm } from './fake-ipvsadm.ts'
import { createFakeKernel, type FakeKernel, type Refusal } from './fake-kernel.ts'
import { commandError } from './fake-tool.ts'

export interface Fed {
  readonly argv: readonly string[]
  readonly input: string
}

export interface FakeIpvsKernel {
  readonly exec: Exec
  readonly iptables: Readonly<Record<IpFamily, FakeKernel>>
  readonly sets: Map<string, FakeSet>
  readonly servers: Map<ServerName, FakeServer>
  readonly links: FakeLinks
  /** Connections by `server realServer`, as `ipvsadm -Ln` counts them. */
  readonly connections: Map<string, number>
  /** Every command in order. */
  readonly commands: (readonly string[])[]
  /** Of those, the ones that had an input, of those that failed too. */
  readonly fed: Fed[]
  /** Asked for every line of an input: the tool refuses it, in its own way. */
  refuses: (line: string, tool: string) => boolean
  /** Asked before every command; what it gives becomes a CommandError, and nothing is done. */
  fails: (argv: readonly string[]) => CommandFailure | undefined
  /** Runs before every command. */
  before: (argv: readonly string[]) => void | Promise<void>
  /** Whether a rule uses the set. */
  isInUse(set: string): boolean
  /** As somebody else at a shell would. */
  shell(argv: readonly string[], ...lines: readonly string[]): Promise<string>
}

export function createFakeIpvsKernel(): FakeIpvsKernel {
  const iptables = { IPv4: createFakeKernel(), IPv6: createFakeKernel() }
  const kernel: FakeIpvsKernel = {
    iptables,
    sets: new Map(),
    servers: new Map(),
    links: new Map(),
    connections: new Map(),
    commands: [],
    fed: [],
    refuses: () => false,
    fails: () => undefined,
    before: () => {},
    exec: async ({ argv, input: start = '', more = [] }) => {
      const input = `${start}${[...more].join('')}`
      kernel.commands.push(argv)
      await kernel.before(argv)
      const failure = kernel.fails(argv)
      if (failure !== undefined) throw commandError(argv, `the test says: ${failure}`, failure)
      if (input !== '') kernel.fed.push({ argv, input })
      return run(kernel, argv, { input, refuses: kernel.refuses })
    },
    isInUse: set => ipFamilies.some(family => iptables[family].save().includes(`--match-set ${set} `)),
    shell: async (argv, ...lines) => {
      const { stdout, stderr } = await run(kernel, argv, { input: lines.join('\n'), refuses: () => false })
      if (stderr !== '') throw commandError(argv, stderr)
      return stdout
    },
  }
  return kernel
}

interface Run {
  readonly input: string
  readonly refuses: FakeIpvsKernel['refuses']
}

async function run(kernel: FakeIpvsKernel, argv: readonly string[], { input, refuses }: Run): ReturnType<Exec> {
  const [tool = ''] = argv
  const refusesLine = (line: string): boolean => refuses(line, tool)
  const done = (stdout: string, stderr = '') => ({ stdout, stderr, milliseconds: 0 })
  if (tool === 'ipset') return done(ipset({ sets: kernel.sets, isInUse: kernel.isInUse, refuses: refusesLine }, argv, input))
  if (tool === 'ip') return done(ip({ links: kernel.links, refuses: refusesLine }, argv, input))
  if (tool === 'ipvsadm') {
    const { stdout, stderr } = ipvsadm({ ...kernel, refuses: refusesLine }, argv, input)
    return done(stdout, stderr)
  }
  const rules = kernel.iptables[tool.startsWith('ip6') ? 'IPv6' : 'IPv4']
  rules.refuses = line => refusalOf(line, { kernel, refusesLine })
  return rules.exec({ argv, input })
}

function refusalOf(
  line: string,
  { kernel, refusesLine }: { readonly kernel: FakeIpvsKernel; readonly refusesLine: (line: string) => boolean },
): Refusal | undefined {
  const [, set] = / --match-set (\S+) /.exec(line) ?? []
  const isMissing = set !== undefined && /^-[AI] /.test(line) && !kernel.sets.has(set)
  return isMissing || refusesLine(line) ? 'syntax' : undefined
}
