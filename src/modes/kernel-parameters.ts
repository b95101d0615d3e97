// The kernel parameters that decide whether packets go on, besides rules and virtual servers: their names, and what stops a packet by them.
import type { IpFamily } from '../model/address.ts'

/** Name → value, as far as they were read; one that is not there is taken as it should be. */
export type KernelParameters = ReadonlyMap<string, string>

/** Whether addresses in 127.0.0.0/8 may leave by a link. */
export const routeLocalnet = 'net.ipv4.conf.all.route_localnet'
/** Whether what IPVS sends on is tracked, and so may be masqueraded. */
export const ipvsConntrack = 'net.ipv4.vs.conntrack'
/** Whether packets of others are sent on. A link has a value of its own too, which is not looked at. */
export const forwarding: Readonly<Record<IpFamily, string>> = {
  IPv4: 'net.ipv4.ip_forward',
  IPv6: 'net.ipv6.conf.all.forwarding',
}

/** Those that a trace takes into account. */
export const tracedParameters: readonly string[] = [routeLocalnet, ipvsConntrack, ...Object.values(forwarding)]

export function isOff(parameters: KernelParameters | undefined, name: string): boolean {
  return parameters?.get(name) === '0'
}
