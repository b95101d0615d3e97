// Kernel parameters on which Services depend, as they are and as the daemon keeps them: for those who look and change nothing.
import { release } from 'node:os'
import type { Config } from '../config/config.ts'
import { createSysctl } from '../kernel/sysctl.ts'
import { servesLocalhostNodePorts } from '../model/node.ts'
import type { Decisions } from '../modes/mode.ts'
import type { Inspection } from './inspect.ts'
import { plannedIpvsSysctls } from './ipvs-duties.ts'
import { routeLocalnet } from './route-localnet.ts'

export interface ParameterState {
  readonly name: string
  /** Undefined: this kernel does not have it, or not yet. */
  readonly is: string | undefined
  readonly expected: string
  /** The setting that wants it. */
  readonly why: string
  /** What follows where it is not so. */
  readonly consequence: string
}

/** `mode`: the one that runs, or would run. */
type Settings = Pick<Config, 'mode' | 'traffic' | 'ipvs' | 'sysctlRoot'>

/** Those that are not as they should be. Reads only. @param inspections of that mode. */
export async function wrongParameters(
  settings: Settings,
  inspections: readonly Pick<Inspection, 'family' | 'decisions'>[],
): Promise<readonly ParameterState[]> {
  const sysctl = createSysctl(settings.sysctlRoot)
  const decisions = inspections.find(({ family }) => family === 'IPv4')?.decisions ?? new Map()
  const states = wanted(settings, decisions).map(async parameter => ({ ...parameter, is: await sysctl.read(parameter.name) }))
  return (await Promise.all(states)).filter(({ is, expected }) => is !== expected)
}

/** @param decisions of IPv4: whether any Service has a node port decides on route_localnet. */
function wanted({ mode, traffic, ipvs }: Settings, decisions: Decisions): readonly Omit<ParameterState, 'is'>[] {
  if (mode === 'ipvs') {
    return plannedIpvsSysctls(ipvs, { kernelRelease: release() }).map(({ name, value, why, consequence = '' }) => {
      return { name, expected: String(value), why, consequence }
    })
  }
  if (!servesLocalhostNodePorts(traffic, 'IPv4') || !hasNodePorts(decisions)) return []
  const consequence = 'without it node ports do not answer on 127.0.0.1'
  return [{ name: routeLocalnet, expected: '1', why: 'iptables.localhostNodePorts', consequence }]
}

function hasNodePorts(decisions: Decisions): boolean {
  for (const ofService of decisions.values()) if (ofService.some(({ servicePort }) => servicePort.nodePort !== 0)) return true
  return false
}
