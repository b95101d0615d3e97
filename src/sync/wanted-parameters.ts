// Kernel parameters on which Services depend, as they are and as the daemon keeps them: for those who look and change nothing.
import { release } from 'node:os'
import type { Config } from '../config/config.ts'
import { createSysctl } from '../kernel/sysctl.ts'
import type { IpFamily } from '../model/address.ts'
import { servesLocalhostNodePorts } from '../model/node.ts'
import { forwarding, type KernelParameters, routeLocalnet, tracedParameters } from '../modes/kernel-parameters.ts'
import type { Decisions } from '../modes/mode.ts'
import type { Inspection } from './inspect.ts'
import { plannedIpvsSysctls } from './ipvs-duties.ts'

export interface ParameterState {
  readonly name: string
  /** Undefined: this kernel does not have it, or not yet. */
  readonly is: string | undefined
  readonly expected: string
  /** The setting that wants it. */
  readonly why: string
  /** What follows where it is not so. */
  readonly consequence: string
  /** The daemon sets it; else it is only named: it is the node's own, as for kube-proxy. */
  readonly isOurs: boolean
}

/** `mode`: the one that runs, or would run. */
type Settings = Pick<Config, 'mode' | 'traffic' | 'ipvs' | 'sysctlRoot'>

/** What a family has to do. */
export interface ServedFamily {
  readonly family: IpFamily
  readonly hasServices: boolean
  readonly hasNodePorts: boolean
}

/** Those that are not as they should be. Reads only. @param inspections of that mode. */
export function wrongParameters(
  settings: Settings,
  inspections: readonly Pick<Inspection, 'family' | 'decisions'>[],
): Promise<readonly ParameterState[]> {
  return wrongParametersFor(settings, inspections.map(served))
}

/** The same for who knows no Decisions. */
export async function wrongParametersFor(
  settings: Settings,
  families: readonly ServedFamily[],
): Promise<readonly ParameterState[]> {
  const sysctl = createSysctl(settings.sysctlRoot)
  const states = wanted(settings, families).map(async parameter => ({ ...parameter, is: await sysctl.read(parameter.name) }))
  return (await Promise.all(states)).filter(({ is, expected, isOurs }) => is !== expected && (isOurs || is !== undefined))
}

/** What a trace takes into account. */
export async function readParameters(
  settings: Settings,
  inspections: readonly Pick<Inspection, 'family' | 'decisions'>[],
): Promise<{ readonly values: KernelParameters; readonly wrong: readonly ParameterState[] }> {
  const [values, wrong] = await Promise.all([readTraced(settings), wrongParameters(settings, inspections)])
  return { values, wrong }
}

async function readTraced({ sysctlRoot }: Pick<Settings, 'sysctlRoot'>): Promise<KernelParameters> {
  const sysctl = createSysctl(sysctlRoot)
  const read = tracedParameters.map(async name => [name, await sysctl.read(name)] as const)
  return new Map((await Promise.all(read)).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])))
}

function served({ family, decisions }: Pick<Inspection, 'family' | 'decisions'>): ServedFamily {
  return { family, hasServices: decisions.size > 0, hasNodePorts: hasNodePorts(decisions) }
}

function wanted({ mode, traffic, ipvs }: Settings, families: readonly ServedFamily[]): readonly Omit<ParameterState, 'is'>[] {
  const ofIpvs = mode !== 'ipvs' ? [] : plannedIpvsSysctls(ipvs, { kernelRelease: release() })
  const kept = ofIpvs.map(({ name, value, why, consequence = '' }) => {
    return { name, expected: String(value), why, consequence, isOurs: true }
  })
  // A family of no Services is not the kernel's to forward: most nodes have IPv6, and few clusters.
  const forwarded = families
    .filter(({ family, hasServices }) => hasServices && !kept.some(({ name }) => name === forwarding[family]))
    .map(({ family }) => forwards(family))
  const needsLocalnet = families.some(({ family, ...has }) => family === 'IPv4' && has.hasNodePorts)
  if (mode === 'ipvs' || !needsLocalnet || !servesLocalhostNodePorts(traffic, 'IPv4')) return [...kept, ...forwarded]
  const consequence = 'without it node ports do not answer on 127.0.0.1'
  const localnet = { name: routeLocalnet, expected: '1', why: 'iptables.localhostNodePorts', consequence, isOurs: true }
  return [localnet, ...forwarded]
}

function forwards(family: IpFamily): Omit<ParameterState, 'is'> {
  const name = forwarding[family]
  const consequence = `packets of pods and from outside to pods are not sent on: Services answer this node's own processes alone; Switchyard does not set it: sysctl -w ${name}=1`
  return { name, expected: '1', why: `Services of ${family}`, consequence, isOurs: false }
}

function hasNodePorts(decisions: Decisions): boolean {
  for (const ofService of decisions.values()) if (ofService.some(({ servicePort }) => servicePort.nodePort !== 0)) return true
  return false
}
