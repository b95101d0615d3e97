// kube-proxy's own rules (test/golden), loaded by hand: what a flow's check is measured against without any proxy running.
import { readFileSync } from 'node:fs'
import type { Lab } from '../lab/lab.ts'

/** The IPv4 rules of one golden scenario as iptables-restore takes them. Rules that only count (nfacct) count nothing here. */
export function goldenRules(scenario: string): string {
  const text = ['nat', 'filter'].map(table =>
    readFileSync(new URL(`../../golden/${scenario}/iptables.ipv4.${table}`, import.meta.url), 'utf8'),
  )
  return text.join('').replaceAll(/-m nfacct --nfacct-name +\S+ /g, '')
}

/** The objects that it was recorded with. */
export function goldenObjects(scenario: string): string {
  const read = (path: string): string => readFileSync(new URL(`../../golden/${path}`, import.meta.url), 'utf8')
  return `${read('cluster.yaml')}\n---\n${read(`${scenario}/objects.yaml`)}`
}

/** Replaces all IPv4 rules of the lab's first node, and sets what kube-proxy sets for node ports on the loopback address. */
export async function loadRules(lab: Lab, rules: string): Promise<void> {
  await lab.run(lab.node.name, ['iptables-restore'], { input: rules })
  await lab.run(lab.node.name, ['sh', '-c', 'echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet'])
}

/**
 * The same as a kube-proxy writes them where rules stand already: it gives its own chains new rules, leaves those of others, and puts jumps into the
 * built-in chains where they are missing. For `iptables-restore --noflush` on a node that has the jumps.
 */
export function withoutBuiltInChains(rules: string): string {
  return rules.replaceAll(
    /^(:(PREROUTING|INPUT|FORWARD|OUTPUT|POSTROUTING) |-A (PREROUTING|INPUT|FORWARD|OUTPUT|POSTROUTING) ).*\n/gm,
    '',
  )
}
