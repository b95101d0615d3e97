// Whether nothing of a service proxy is in the rules of a family: then that is the one thing to say of a hundred differences. Pure.
import type { Drift } from '../modes/mode.ts'

/** Of both modes. The kernel deletes no chain that a rule jumps to, so without them no packet is led to a Service by rules. */
const roots = ['KUBE-SERVICES', 'KUBE-POSTROUTING', 'KUBE-MARK-MASQ'].map(chain => `nat chain ${chain}`)

export function isBare(drifts: readonly Pick<Drift, 'kind' | 'what'>[]): boolean {
  return roots.every(root => drifts.some(({ kind, what }) => kind === 'missing' && what === root))
}

/** @param families where it is so. */
export function bareSentence(families: readonly string[]): string {
  return `No rule of Switchyard is here at all (${families.join(' and ')}): was this node ever programmed, or were its tables flushed?`
}
