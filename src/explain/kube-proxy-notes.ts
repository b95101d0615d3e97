// A word on what a plan shows on a node where kube-proxy runs although both would do the same for connections. docs/differences.md tells the rest.
import type { PlannedChange } from './plan-object.ts'

const nfacct = / -m nfacct --nfacct-name {1,2}\S+/

export function kubeProxyNote({ kind, what, was, will }: Omit<PlannedChange, 'note'>): string | null {
  if (/ chain KUBE-PROXY-CANARY$/.test(what))
    return "kube-proxy's alarm for its own flushed rules; Switchyard reads the kernel instead"
  if (kind === 'removed' && was.length > 0 && was.every(rule => nfacct.test(rule))) return nfacctNote
  const isOnlyNfacct = was.some(rule => nfacct.test(rule)) && sameLines(was.map(withoutNfacct), will)
  if (isOnlyNfacct) return nfacctNote
  const comes = will.filter(line => !was.includes(line))
  const isOwn = /\bSWITCHYARD-/.test(what)
    ? kind === 'added'
    : comes.length > 0 && comes.every(line => line.includes('SWITCHYARD-'))
  return isOwn && was.every(line => will.includes(line))
    ? "Switchyard's own: drops what comes from outside where externalTrafficPolicy Local finds no endpoint here"
    : null
}

const nfacctNote = 'kube-proxy counts by nfacct objects here; Switchyard reads the packet counters of the same rules'

function withoutNfacct(rule: string): string {
  return rule.replace(nfacct, '')
}

function sameLines(one: readonly string[], other: readonly string[]): boolean {
  return one.toSorted().join('\n') === other.toSorted().join('\n')
}
