// A service port and the ways to it, in the words of messages.
import { hostPort } from '../model/address.ts'
import type { ServicePort } from '../model/service-port.ts'

/** `default/web:http`; two ports may have one name and differ in the protocol. */
export function nameOf({ name, protocol }: ServicePort): string {
  return protocol === 'TCP' ? name : `${name} (${protocol})`
}

/** `cluster IP 10.96.0.1:80`. */
export function internalWay({ clusterIP, port }: ServicePort): string {
  return clusterIP === undefined ? 'no cluster IP' : `cluster IP ${hostPort(clusterIP, port)}`
}

/** `node port 30080, load balancer 203.0.113.1:80`. */
export function externalWays({ nodePort, port, externalIPs, loadBalancerAddresses }: ServicePort): string {
  const ways = [
    ...(nodePort === 0 ? [] : [`node port ${nodePort}`]),
    ...externalIPs.map(address => `external address ${hostPort(address, port)}`),
    ...loadBalancerAddresses.map(address => `load balancer ${hostPort(address, port)}`),
  ]
  return ways.length > 4 ? `${ways.slice(0, 3).join(', ')} and ${ways.length - 3} more` : ways.join(', ')
}
