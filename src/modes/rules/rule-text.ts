// The words that rules are made of, as iptables-save prints them.
import type { ServicePort } from '../../model/service-port.ts'

export function rule(...parts: readonly string[]): string {
  return parts.filter(part => part !== '').join(' ')
}

export function comment(text: string): string {
  return `-m comment --comment "${text}"`
}

export function protocolAndPort(servicePort: ServicePort, port: number, note: string): string {
  const protocol = protocolOf(servicePort)
  return `-p ${protocol} ${note} -m ${protocol} --dport ${port}`
}

export function protocolOf(servicePort: ServicePort): string {
  return servicePort.protocol.toLowerCase()
}
