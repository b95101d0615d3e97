// What ipvs mode sets on its node besides virtual servers: kernel parameters without which IPVS does not do for Services, and IPVS's
// own timeouts. As kube-proxy sets them at its start.
// Takes settings and the kernel's release, gives what to set (pure; `perform` in node-duties.ts sets it). For IPv6 kube-proxy sets
// nothing and neither do we: net.ipv4.vs holds for both families, and who routes IPv6 has its forwarding switched on himself.
import type { IpvsSettings } from '../config/config.ts'
import type { Exec } from '../kernel/exec.ts'
import { type IpvsTimeouts, parseTimeouts, setTimeoutsArgv, timeoutsQuery } from '../kernel/ipvs-timeouts.ts'
import type { ChangedParameter, PlannedParameter } from './node-duties.ts'

/** Undone where ipvs.strictARP is switched off. */
export const strictArpSysctls = ['net.ipv4.conf.all.arp_ignore', 'net.ipv4.conf.all.arp_announce'] as const

/** Undone where the mode is left. net.ipv4.ip_forward is not: iptables mode forwards too. */
export const ipvsModeSysctls = [
  'net.ipv4.vs.conntrack',
  'net.ipv4.vs.conn_reuse_mode',
  'net.ipv4.vs.expire_nodest_conn',
  'net.ipv4.vs.expire_quiescent_template',
  ...strictArpSysctls,
] as const

type IpvsSysctl = (typeof ipvsModeSysctls)[number] | 'net.ipv4.ip_forward'

/** In kube-proxy's order. */
export function plannedIpvsSysctls(
  { strictArp }: Pick<IpvsSettings, 'strictArp'>,
  { kernelRelease }: { readonly kernelRelease: string },
): readonly PlannedParameter[] {
  return [
    planned('net.ipv4.vs.conntrack', 1, 'without it answers to masqueraded clients get lost'),
    ...connectionReuse(kernelRelease),
    planned(
      'net.ipv4.vs.expire_nodest_conn',
      1,
      'without it packets of open connections to an endpoint that is gone get lost in silence',
    ),
    planned(
      'net.ipv4.vs.expire_quiescent_template',
      1,
      'without it session affinity leads new connections to endpoints that are leaving',
    ),
    planned('net.ipv4.ip_forward', 1, 'without it nothing reaches endpoints on other nodes'),
    ...(strictArp ? strictArpSysctls.map(strictArpParameter) : []),
  ]
}

/**
 * Where a client uses a port again, mode 1 means a new decision; kernels before 5.9 pay for it with a lost first packet, that is a
 * second, and kernels before 4.1 do not have the parameter (kubernetes/kubernetes #81775, #93297).
 */
function connectionReuse(kernelRelease: string): readonly PlannedParameter[] {
  if (!isKernelBefore(kernelRelease, [5, 9]) || isKernelBefore(kernelRelease, [4, 1])) return []
  return [planned('net.ipv4.vs.conn_reuse_mode', 0, 'without it a client that uses a port again may wait for a second')]
}

/** False for a release that says nothing: most kernels are newer. */
function isKernelBefore(release: string, [major, minor]: readonly [number, number]): boolean {
  const [, ownMajor, ownMinor] = /^(\d+)\.(\d+)/.exec(release) ?? []
  if (ownMajor === undefined || ownMinor === undefined) return false
  return Number(ownMajor) < major || (Number(ownMajor) === major && Number(ownMinor) < minor)
}

function planned(name: IpvsSysctl, value: number, consequence: string): PlannedParameter {
  const otherwise = `set it on the host (sysctl -w ${name}=${value}); ${consequence}`
  const module = name.startsWith('net.ipv4.vs.') ? { module: 'ip_vs' } : {}
  return { kind: 'sysctl', name, value, rule: 'exactly', why: 'mode: ipvs', otherwise, consequence, ...module }
}

function strictArpParameter(name: (typeof strictArpSysctls)[number]): PlannedParameter {
  const value = name.endsWith('arp_ignore') ? 1 : 2
  const otherwise = `set it on the host (sysctl -w ${name}=${value}), or leave it with ipvs.strictARP: false`
  const consequence = 'without it this node answers ARP requests for load balancer addresses that another node announces'
  return { kind: 'sysctl', name, value, rule: 'exactly', why: 'ipvs.strictARP', otherwise, consequence }
}

type TimeoutSettings = Pick<IpvsSettings, 'tcpTimeoutSeconds' | 'tcpFinTimeoutSeconds' | 'udpTimeoutSeconds'>

/** The three timeouts as ipvsadm is to set them; undefined where the kernel has them already, or none is to be set. */
export function wantedTimeouts(settings: TimeoutSettings, present: IpvsTimeouts): IpvsTimeouts | undefined {
  const { tcpTimeoutSeconds: tcp, tcpFinTimeoutSeconds: tcpFin, udpTimeoutSeconds: udp } = settings
  const wanted = { tcp: tcp ?? present.tcp, tcpFin: tcpFin ?? present.tcpFin, udp: udp ?? present.udp }
  return wanted.tcp === present.tcp && wanted.tcpFin === present.tcpFin && wanted.udp === present.udp ? undefined : wanted
}

/** Starts no process where no timeout is set. Throws CommandError. */
export async function performTimeouts(settings: TimeoutSettings, exec: Exec): Promise<ChangedParameter | undefined> {
  const { tcpTimeoutSeconds, tcpFinTimeoutSeconds, udpTimeoutSeconds } = settings
  if ((tcpTimeoutSeconds ?? tcpFinTimeoutSeconds ?? udpTimeoutSeconds) === undefined) return undefined
  const present = parseTimeouts((await exec(timeoutsQuery)).stdout)
  const wanted = wantedTimeouts(settings, present)
  if (wanted === undefined) return undefined
  await exec({ argv: setTimeoutsArgv(wanted) })
  return {
    name: 'IPVS timeouts (TCP, TCP after FIN, UDP; seconds)',
    from: inWords(present),
    to: inWords(wanted),
    why: 'ipvs.tcpTimeout, ipvs.tcpFinTimeout, ipvs.udpTimeout',
  }
}

function inWords({ tcp, tcpFin, udp }: IpvsTimeouts): string {
  return `${tcp} ${tcpFin} ${udp}`
}
