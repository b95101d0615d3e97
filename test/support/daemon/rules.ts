// What iptables-save printed, for tests: chains of a table, and the chain of a Service.

/** Chain → its rules, without `-A CHAIN `. */
export function chainsOf(save: string, table: string): ReadonlyMap<string, readonly string[]> {
  const section = save.split(/^(?=\*)/m).find(text => text.startsWith(`*${table}\n`)) ?? ''
  const chains = new Map<string, string[]>()
  for (const line of section.split('\n')) {
    const [, declared] = /^:(\S+)/.exec(line) ?? []
    if (declared !== undefined) chains.set(declared, [])
    const [, chain = '', rule = ''] = /^-A (\S+) (.*)$/.exec(line) ?? []
    chains.get(chain)?.push(rule)
  }
  return chains
}

/** The rules of one chain; undefined where the table has no such chain. */
export function chainRules(save: string, table: string, chain: string): readonly string[] | undefined {
  return chainsOf(save, table).get(chain)
}

/** Chains of nat and filter that only one of the two has, or that have other rules in each; sorted. */
export function differingChains(before: string, after: string): readonly string[] {
  const differing = ['nat', 'filter'].flatMap(table => {
    const [one, other] = [chainsOf(before, table), chainsOf(after, table)]
    return [...new Set([...one.keys(), ...other.keys()])].filter(
      name => one.get(name)?.join('\n') !== other.get(name)?.join('\n'),
    )
  })
  return differing.sort()
}

/** The chain that the rule of KUBE-SERVICES, or of a chain of its tree, with this comment leads to: `default/web:http cluster IP`. Throws where there is none. */
export function chainFor(save: string, comment: string): string {
  const chain = new RegExp(`^-A KUBE-S\\S+ -d .*--comment "${comment}".* -j (KUBE-\\S+)$`, 'm').exec(save)?.[1]
  if (chain === undefined) throw new Error(`no rule of KUBE-SERVICES has the comment ${comment}:\n${save}`)
  return chain
}

/** Chains of endpoints that the rules of a Service's chain lead to. */
export function endpointChains(save: string, serviceChain: string): readonly string[] {
  return (chainRules(save, 'nat', serviceChain) ?? []).flatMap(rule => / -j (KUBE-SEP-\S+)$/.exec(` ${rule}`)?.[1] ?? [])
}
