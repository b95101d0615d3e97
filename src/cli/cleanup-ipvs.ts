// The part of cleanup that is about IPVS: virtual servers, sets and the link of ours, in both families. Those of others stay: a server is ours by its address on
// the link, or by its entry in a set. The rules that use the sets are gone before.
import { hostname } from 'node:os'
import { loadConfig } from '../config/load.ts'
import type { Exec } from '../kernel/exec.ts'
import { interfaceAddresses } from '../kernel/interfaces.ts'
import { type Backend, toolsOf } from '../kernel/iptables.ts'
import { hasIpvsLeftovers } from '../kernel/ipvs-leftovers.ts'
import type { Plan } from '../kernel/plan.ts'
import { type IpFamily, ipFamilies } from '../model/address.ts'
import { count } from '../model/count.ts'
import { nodeFacts, type TrafficSettings } from '../model/node.ts'
import { serviceLink } from '../modes/ipvs/names.ts'
import { retiringIpvsMode } from '../modes/ipvs/retiring.ts'
import { applyPlan, runQueries } from '../sync/apply.ts'

export interface IpvsCleaning {
  readonly exec: Exec
  readonly dryRun: boolean
  /** One that works here: its rules are read, and those that guard addresses go, if any are left. */
  readonly backend: Backend
  readonly say: (line: string) => void
}

/** Throws where a tool fails. */
export async function cleanIpvs({ exec, dryRun, backend, say }: IpvsCleaning): Promise<void> {
  if (!(await hasIpvsLeftovers(exec, serviceLink))) return say('IPVS: nothing of ours')
  for (const family of ipFamilies) {
    const plan = await planFor(family, { exec, backend })
    if (!dryRun) await applyPlan(plan, exec)
    const lines = plan.steps.flatMap(({ argv, input }) =>
      [...input].flatMap(chunk => chunk.lines.map(line => ({ tool: argv[0], line }))),
    )
    const matching = (tool: string, pattern: RegExp): number =>
      lines.filter(each => each.tool === tool && pattern.test(each.line)).length
    const parts = [
      count(matching('ipvsadm', /^-D /), 'virtual server'),
      count(matching('ip', /^addr del /), 'address', 'addresses'),
      `${count(matching('ipset', /^destroy /), 'set')}${matching('ip', /^link del /) > 0 ? ` and ${serviceLink}` : ''}`,
    ]
    say(`IPVS, ${family}: ${dryRun ? 'would remove' : 'removed'} ${parts.join(', ')}`)
    if (dryRun) for (const { tool, line } of lines) say(`  ${tool} ${line}`)
  }
}

/** What is left of ipvs mode and has no time left. */
async function planFor(family: IpFamily, { exec, backend }: Pick<IpvsCleaning, 'exec' | 'backend'>): Promise<Plan> {
  const mode = retiringIpvsMode({ family, tools: toolsOf(family, backend), deadlineMs: 0 })
  const observed = mode.parse(await runQueries(mode.queries('everything'), exec), 'everything', new Map())
  const node = nodeFacts(hostname(), undefined, interfaceAddresses(serviceLink))
  const desired = mode.render(undefined, 'everything', { decisions: new Map(), node, settings: defaultTraffic() })
  const change = { observed, desired, touched: 'everything', sweep: true } as const
  const kept = mode.draining?.keep(change, { now: Date.now(), earlier: new Map() }) ?? desired
  return mode.diff({ ...change, desired: kept })
}

/** The settings that hold where no configuration says otherwise. */
export function defaultTraffic(): TrafficSettings {
  const { config } = loadConfig({ flags: {}, readFile: noFile, hostname: hostname() })
  if (config === undefined) throw new Error('the default configuration is refused; this is a mistake in Switchyard, report it')
  return config.traffic
}

function noFile(path: string): never {
  throw Object.assign(new Error(`no such file: ${path}`), { code: 'ENOENT' })
}
