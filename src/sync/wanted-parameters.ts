// Kernel parameters on which Services depend, as they are and as the daemon keeps them: for those who look and change nothing.
import type { IpvsSettings } from '../config/config.ts'
import type { Sysctl } from '../kernel/sysctl.ts'
import { servesLocalhostNodePorts, type TrafficSettings } from '../model/node.ts'
import type { Decisions } from '../modes/mode.ts'
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

export interface ParameterOptions {
  readonly mode: string
  readonly traffic: TrafficSettings
  readonly ipvs: IpvsSettings
  /** Of IPv4: whether any Service has a node port decides on route_localnet. */
  readonly decisions: Decisions
  readonly sysctl: Sysctl
  /** As `uname -r` prints it. */
  readonly kernelRelease: string
}

/** Those that are not as they should be. Reads only. */
export async function wrongParameters(options: ParameterOptions): Promise<readonly ParameterState[]> {
  const states = await Promise.all(
    wanted(options).map(async parameter => ({ ...parameter, is: await options.sysctl.read(parameter.name) })),
  )
  return states.filter(({ is, expected }) => is !== expected)
}

function wanted({ mode, traffic, ipvs, decisions, kernelRelease }: ParameterOptions): readonly Omit<ParameterState, 'is'>[] {
  if (mode === 'ipvs') {
    return plannedIpvsSysctls(ipvs, { kernelRelease }).map(({ name, value, why, consequence = '' }) => {
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
