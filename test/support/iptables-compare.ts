// What two iptables-save outputs have in common that counts (test/golden/README.md says how to compare).
import { parseSave } from '../../src/kernel/iptables.ts'
import { isTreeChain } from '../../src/modes/rules/chains.ts'

/** Chains whose rules are a set, beside those of trees: kube-proxy walks a Go map. The jump to KUBE-NODEPORTS stays last. */
const unordered = new Set(['KUBE-SERVICES', 'KUBE-NODEPORTS', 'KUBE-EXTERNAL-SERVICES', 'KUBE-PROXY-FIREWALL'])

/** Chain → rules, comparable with deepEqual. Built-in chains keep their rules' order, chains that only kube-proxy has are left out. */
export function comparable(save: string): Readonly<Record<string, readonly string[]>> {
  const chains = parseSave(save)
    .filter(({ name }) => name !== 'KUBE-PROXY-CANARY')
    .map(({ name, rules }) => {
      const texts = rules.map(rule => rule.replace(/ -m nfacct --nfacct-name {1,2}\S+/, ''))
      const last = texts.findLastIndex(rule => !rule.endsWith('-j KUBE-NODEPORTS')) + 1
      const isSet = unordered.has(name) || isTreeChain('nat', name)
      return [name, isSet ? [...texts.slice(0, last).sort(), ...texts.slice(last)] : texts] as const
    })
  return Object.fromEntries(chains.sort(([a], [b]) => (a < b ? -1 : 1)))
}

/**
 * What the kernel would hold after iptables-restore --noflush of this input on top of nothing: a stand-in for unit tests, which
 * knows `:CHAIN`, `-N`, `-A`, `-I` at the top, `-D` and `-X`. Gives iptables-save-like text of one table.
 */
export function restored(input: string, table: 'nat' | 'filter'): string {
  const builtins = { nat: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'], filter: ['INPUT', 'FORWARD', 'OUTPUT'] }[table]
  const chains = new Map<string, string[]>(builtins.map(name => [name, []]))
  let current = ''
  for (const line of input.split('\n')) {
    if (line.startsWith('*')) current = line.slice(1)
    if (current !== table || line === '' || line.startsWith('*') || line === 'COMMIT') continue
    const [, command = '', chain = '', rule = ''] = /^(:|-[AIDNX] )(\S+) ?(.*)$/.exec(line) ?? []
    const rules = chains.get(chain)
    if (command === ':' || (command === '-N ' && rules === undefined)) chains.set(chain, [])
    else if (rules === undefined) throw new Error(`no chain ${chain}: ${line}`)
    else if (command === '-A ') rules.push(rule)
    else if (command === '-I ') rules.unshift(rule)
    else if (command === '-X ') chains.delete(chain)
    else rules.splice(indexOf(rules, rule, line), 1)
  }
  const declarations = [...chains.keys()].map(name => `:${name} - [0:0]`)
  return [...declarations, ...[...chains].flatMap(([name, rules]) => rules.map(rule => `-A ${name} ${rule}`))].join('\n')
}

function indexOf(rules: readonly string[], rule: string, line: string): number {
  const index = rules.indexOf(rule)
  if (index === -1) throw new Error(`no such rule: ${line}`)
  return index
}
