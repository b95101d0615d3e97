// What two readings of a kernel in IPVS mode have in common that counts, for deepEqual. Whatever is ours alone is named SWITCHYARD, and taken out by that.
import { parseSave } from '../../src/kernel/iptables.ts'
import { parseServers } from '../../src/kernel/ipvsadm.ts'

const isOurOwn = (text: string): boolean => text.includes('SWITCHYARD-')

/** Chains whose rules kube-proxy writes in the order of a Go map. */
const unordered = new Set(['KUBE-IPVS-OUT-FILTER'])

/** Chain → rules; the order counts. */
export function comparableRules(save: string): Readonly<Record<string, readonly string[]>> {
  const chains = parseSave(save)
    .filter(({ name }) => name !== 'KUBE-PROXY-CANARY' && !isOurOwn(name))
    .map(({ name, rules }) => {
      const shared = rules.filter(rule => !isOurOwn(rule))
      return [name, unordered.has(name) ? shared.toSorted() : shared] as const
    })
  return Object.fromEntries(chains.toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

/** Without the random initval, and the bucket size that only some versions print. */
export function comparableSets(save: string): readonly string[] {
  return save
    .split('\n')
    .filter(line => line !== '' && !isOurOwn(line))
    .map(line => line.replace(/ initval \S+/, '').replace(/ bucketsize \d+/, ''))
    .toSorted()
}

/** Server → options and real servers; the order of neither is anyone's promise. */
export function comparableServers(output: string): Readonly<Record<string, unknown>> {
  const servers = [...parseServers(output)].map(([name, { options, realServers }]) => {
    const behind = Object.fromEntries([...realServers].toSorted(([a], [b]) => (a < b ? -1 : 1)))
    return [name, { options, behind }] as const
  })
  return Object.fromEntries(servers.toSorted(([a], [b]) => (a < b ? -1 : 1)))
}
