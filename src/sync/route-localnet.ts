// Node ports on 127.0.0.1 need net.ipv4.conf.all.route_localnet=1, which is set only once the rule that guards 127.0.0.0/8 stands,
// and only where a node port exists.
import type { Sysctl } from '../kernel/sysctl.ts'
import { servesLocalhostNodePorts, type TrafficSettings } from '../model/node.ts'
import { routeLocalnet } from '../modes/kernel-parameters.ts'
import type { Originals } from './originals.ts'

export const whyRouteLocalnet = 'so that node ports answer on 127.0.0.1: iptables.localhostNodePorts'

/** Gives what it was before; undefined where nothing was to do. Throws where the kernel refuses. */
export async function enableRouteLocalnet(options: {
  readonly sysctl: Sysctl
  readonly settings: TrafficSettings
  readonly hasNodePorts: boolean
  /** Where the value from before is kept, for cleanup. */
  readonly originals?: Originals | undefined
}): Promise<{ readonly from: string } | undefined> {
  const { sysctl, settings, hasNodePorts, originals } = options
  if (!hasNodePorts || !servesLocalhostNodePorts(settings, 'IPv4')) return undefined
  const before = await sysctl.read(routeLocalnet)
  if (before === '1') return undefined
  if (before !== undefined) await originals?.record(routeLocalnet, { from: before, to: '1' })
  await sysctl.write(routeLocalnet, '1')
  return { from: before ?? 'absent' }
}
