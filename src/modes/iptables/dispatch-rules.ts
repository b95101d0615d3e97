// One Decision → its service port's rules in the chains that all Services share: those that lead to the chains of its own
// (service-chains.ts), and those that refuse or drop what no endpoint takes. Pure.

import { type Address, hostCidr } from '../../model/address.ts'
import type { ServicePort } from '../../model/service-port.ts'
import { type Decision, type Fate, hasEndpoints } from '../../model/traffic-policy.ts'
import { comment, protocolAndPort, protocolOf, rule } from '../rules/rule-text.ts'
import type { DispatchRule } from '../rules/state.ts'
import { externalChain, firewallChain, internalChain } from './names.ts'
import { hasFirewall, type RuleContext } from './service-chains.ts'

/** The rules that lead to those chains, and those that refuse or drop what no endpoint takes. */
export function dispatchRules(decision: Decision, context: RuleContext): readonly DispatchRule[] {
  return [
    ...internalDispatch(decision),
    ...externalAddressDispatch(decision),
    ...nodePortDispatch(decision, context),
    ...healthCheckRules(decision.servicePort),
  ]
}

function internalDispatch({ servicePort, internal }: Decision): readonly DispatchRule[] {
  const { clusterIP } = servicePort
  if (clusterIP === undefined) return []
  const chain = internalChain(servicePort, internal)
  return chain === undefined
    ? [refusal('KUBE-SERVICES', internal, servicePort, { address: clusterIP })]
    : [toAddress(servicePort, clusterIP, 'cluster IP', chain)]
}

function externalAddressDispatch(decision: Decision): readonly DispatchRule[] {
  const { servicePort, external } = decision
  const rules: DispatchRule[] = []
  const reachable = hasEndpoints(decision)
  const firewall = hasFirewall(servicePort)
  for (const address of servicePort.externalIPs) {
    if (reachable) rules.push(toAddress(servicePort, address, 'external IP', externalChain(servicePort)))
  }
  for (const address of servicePort.loadBalancerAddresses) {
    if (!reachable) break
    const chain = firewall ? firewallChain(servicePort) : externalChain(servicePort)
    rules.push(toAddress(servicePort, address, 'loadbalancer IP', chain))
    if (firewall) rules.push(firewallDrop(servicePort, address))
  }
  if (typeof external === 'string') {
    // One address may be in both lists, and a rule that stands twice reads back as a chain that somebody changed.
    for (const address of new Set([...servicePort.externalIPs, ...servicePort.loadBalancerAddresses])) {
      rules.push(refusal('KUBE-EXTERNAL-SERVICES', external, servicePort, { address }))
    }
  }
  return rules
}

function nodePortDispatch(decision: Decision, context: RuleContext): readonly DispatchRule[] {
  const { servicePort, external } = decision
  if (servicePort.nodePort === 0) return []
  const rules: DispatchRule[] = []
  if (hasEndpoints(decision)) {
    const match = protocolAndPort(servicePort, servicePort.nodePort, comment(servicePort.name))
    const jump = `-j ${externalChain(servicePort)}`
    // The packet counter of this rule tells who still uses node ports on 127.0.0.1.
    if (context.localhostNodePorts) rules.push(nat('KUBE-NODEPORTS', rule('-d 127.0.0.0/8', match, jump)))
    rules.push(nat('KUBE-NODEPORTS', rule(match, jump)))
  }
  if (typeof external === 'string') rules.push(refusal('KUBE-EXTERNAL-SERVICES', external, servicePort, 'node port'))
  return rules
}

function healthCheckRules(servicePort: ServicePort): readonly DispatchRule[] {
  if (servicePort.healthCheckNodePort === 0) return []
  const note = comment(`${servicePort.name} health check node port`)
  return [filter('KUBE-NODEPORTS', rule('-p tcp', note, `-m tcp --dport ${servicePort.healthCheckNodePort}`, '-j ACCEPT'))]
}

function toAddress(servicePort: ServicePort, address: Address, what: string, chain: string): DispatchRule {
  const match = protocolAndPort(servicePort, servicePort.port, comment(`${servicePort.name} ${what}`))
  return nat('KUBE-SERVICES', rule(`-d ${hostCidr(address)}`, match, `-j ${chain}`))
}

function firewallDrop(servicePort: ServicePort, address: Address): DispatchRule {
  const note = comment(`${servicePort.name} traffic not accepted by ${firewallChain(servicePort)}`)
  return filter(
    'KUBE-PROXY-FIREWALL',
    rule(`-d ${hostCidr(address)}`, protocolAndPort(servicePort, servicePort.port, note), '-j DROP'),
  )
}

/** In the filter table, since nat cannot refuse: reached only by packets that no rule of nat translated. */
function refusal(
  chain: string,
  fate: Fate,
  servicePort: ServicePort,
  to: { readonly address: Address } | 'node port',
): DispatchRule {
  const [why, target] =
    fate === 'reject'
      ? ['has no endpoints', '-j REJECT --reject-with icmp-port-unreachable']
      : ['has no local endpoints', '-j DROP']
  const ofFamily = servicePort.family === 'IPv6' ? target.replace('icmp-', 'icmp6-') : target
  const note = comment(`${servicePort.name} ${why}`)
  if (to === 'node port') {
    const protocol = protocolOf(servicePort)
    const local = '-m addrtype --dst-type LOCAL'
    return filter(chain, rule(`-p ${protocol}`, note, local, `-m ${protocol} --dport ${servicePort.nodePort}`, ofFamily))
  }
  return filter(chain, rule(`-d ${hostCidr(to.address)}`, protocolAndPort(servicePort, servicePort.port, note), ofFamily))
}

function nat(chain: string, text: string): DispatchRule {
  return { table: 'nat', chain, rule: text }
}

function filter(chain: string, text: string): DispatchRule {
  return { table: 'filter', chain, rule: text }
}
