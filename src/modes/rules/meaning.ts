// What a difference in the rules that both modes have means for connections: the jumps from the built-in chains, marking and masquerading.
import { targetOf } from '../../kernel/iptables.ts'
import type { Drift } from '../mode.ts'
import { type RulePlace, rulePlace } from './places.ts'

/** What is lost without a jump, by the chain that it stands in and the one that it leads to. */
const jumps: Readonly<Record<string, string>> = {
  'nat PREROUTING KUBE-SERVICES': 'new connections from pods and from outside reach no Service: nothing leads them to it',
  'nat OUTPUT KUBE-SERVICES': "new connections of this node's own processes reach no Service: nothing leads them to it",
  'nat POSTROUTING KUBE-POSTROUTING':
    'nothing is masqueraded: connections that need it (from outside, by node ports, of a pod to itself) get no answers',
  'filter FORWARD KUBE-FORWARD':
    'masqueraded connections pass only where the rules of others let them; INVALID packets are not dropped',
  'filter INPUT KUBE-FIREWALL': 'packets from outside to 127.0.0.0/8 are not stopped on their way in',
  'filter OUTPUT KUBE-FIREWALL': 'packets to 127.0.0.0/8 from other addresses are not stopped on their way out',
  'filter INPUT KUBE-PROXY-FIREWALL': 'loadBalancerSourceRanges are not enforced for what is delivered on this node',
  'filter FORWARD KUBE-PROXY-FIREWALL': 'loadBalancerSourceRanges are not enforced for what is sent on',
  'filter OUTPUT KUBE-PROXY-FIREWALL': "loadBalancerSourceRanges are not enforced for this node's own processes",
  'filter INPUT KUBE-NODEPORTS': "health checks of load balancers may be stopped by the node's firewall",
  'filter INPUT KUBE-NODE-PORT': "health checks of load balancers may be stopped by the node's firewall",
  'filter INPUT KUBE-EXTERNAL-SERVICES':
    'connections to node ports and external addresses of Services without endpoints here reach the node itself instead of being refused or dropped',
  'filter FORWARD KUBE-EXTERNAL-SERVICES':
    'connections to external addresses of Services without endpoints are sent on instead of being refused or dropped',
  'filter FORWARD KUBE-SERVICES':
    'connections from pods and from outside to Services without endpoints are sent on and time out instead of being refused',
  'filter OUTPUT KUBE-SERVICES':
    "connections of this node's own processes to Services without endpoints time out instead of being refused",
  'filter INPUT KUBE-IPVS-FILTER': "service addresses let in connections to the node's own listeners",
  'filter OUTPUT KUBE-IPVS-OUT-FILTER': "loadBalancerSourceRanges are not enforced for this node's own processes",
  'filter INPUT SWITCHYARD-NO-LOCAL':
    'connections from outside to Services with externalTrafficPolicy Local and no endpoint here are not dropped: their answers get lost',
}

/** What is at stake in a chain of the fixed part, and what then follows where its rules are gone or others. */
const chains: Readonly<Record<string, string>> = {
  'nat KUBE-MARK-MASQ':
    'what should be masqueraded may not be marked: connections from outside and by node ports may get no answers',
  'nat KUBE-POSTROUTING':
    'what is marked may not be masqueraded, or all else may be: connections from outside and by node ports may get no answers',
  'filter KUBE-FORWARD': 'connections through this node may be dropped, or packets that conntrack calls INVALID let through',
  'filter KUBE-FIREWALL': '127.0.0.0/8 is not guarded against packets from outside',
}

/** Undefined for what is not about the shared part of the rules. */
export function sharedMeaning(drift: Drift): string | undefined {
  const place = rulePlace(drift.what)
  if (place === undefined) return undefined
  const { table, chain, rule } = place
  if (chain === 'KUBE-PROXY-CANARY') return "kube-proxy's alarm for its own flushed rules; no packet meets it"
  const target = rule === undefined ? undefined : targetOf(rule)
  const ofJump = jumps[`${table} ${chain} ${target}`]
  if (ofJump !== undefined && drift.kind === 'missing') return ofJump
  if (drift.kind === 'unexpected' && rule !== undefined && target !== undefined && isBuiltIn(chain))
    return `packets take a way by ${target} that is another mode's`
  if (rule?.includes('"block incoming localnet connections"') === true) return chains['filter KUBE-FIREWALL']
  return rule === undefined ? chains[`${table} ${chain}`] : undefined
}

function isBuiltIn(chain: string): boolean {
  return ['INPUT', 'FORWARD', 'OUTPUT', 'PREROUTING', 'POSTROUTING'].includes(chain)
}

/** A rule of nobody's in a chain of ours: what it does to the packets that it matches. */
export function strangerMeaning({ rule = '' }: Pick<RulePlace, 'rule'>): string {
  const to = / -d (\S+)/.exec(` ${rule}`)?.[1]?.replace(/\/(32|128)$/, '')
  const port = / --dport (\d+)/.exec(` ${rule}`)?.[1]
  const named = /--comment "([^"]+)"/.exec(rule)?.[1]
  const where =
    to === undefined
      ? port === undefined
        ? 'that match it'
        : `to port ${port}`
      : `to ${to}${port === undefined ? '' : `:${port}`}`
  const target = targetOf(rule) ?? ''
  const fates: Readonly<Record<string, string>> = {
    DROP: 'dropped',
    REJECT: 'refused',
    ACCEPT: 'let through past our rules',
    RETURN: 'led past the rules that follow',
  }
  const fate = fates[target] ?? (target === '' ? 'counted' : `led to ${target}`)
  const whose = named === undefined ? '' : `; its comment says ${JSON.stringify(named)}`
  return `a rule that no Service wants: connections ${where} may be ${fate}${whose}`
}
