// Which dispatch chains of nat are trees of chains (../rules/dispatch-tree.ts), what their keys are and what their chains are called. Pure.
//
// KUBE-SERVICES divides by the hexadecimal digits of the destination address, KUBE-NODEPORTS by protocol and the digits of the port. Chains carry a
// prefix that kube-proxy sweeps itself, so that a kube-proxy that takes over again leaves none behind.
import { hexDigits, type IpFamily, networkOfDigits, parseAddress } from '../../model/address.ts'
import type { DispatchSetting } from '../../model/node.ts'
import type { ServiceKey } from '../../model/objects.ts'
import { copyText } from '../../model/text.ts'
import { isTreeChain } from '../rules/chains.ts'
import { type Branch, buildTree, type DispatchEntry, type Shape, withEntry, withoutEntry } from '../rules/dispatch-tree.ts'
import { comment, rule } from '../rules/rule-text.ts'
import type { Placement, Rendered } from '../rules/state.ts'
import { shortHash } from './names.ts'

/** Above so many rules a dispatch chain becomes a tree, where the setting is `auto`. */
const mostLinear = 500
/** 16 jumps on each of two levels, a full leaf and the jump from KUBE-SERVICES stay below 100 rules. */
const leafSize = 64
/**
 * The kernel follows 16 jumps in a row: the one into KUBE-SERVICES, these, and five more (KUBE-FW, KUBE-EXT, KUBE-SVC, KUBE-SEP, KUBE-MARK-MASQ). As many
 * as an IPv4 address has digits; in IPv6 only addresses that are chosen for it (anybody may ask for external IPs) would come to more.
 */
const mostLevels = 8

export interface Dispatch {
  readonly family: IpFamily
  readonly setting: DispatchSetting
  /** Rules in each of the chains that may become trees. */
  readonly counts: ReadonlyMap<string, number>
  /** By chain, of those that are trees. */
  readonly placement: Placement
}

export interface ServiceChange {
  readonly service: ServiceKey
  readonly before: Rendered | undefined
  readonly after: Rendered | undefined
}

interface Root {
  readonly chain: string
  readonly keyOf: (rule: string) => string | undefined
  readonly describe: (prefix: string, family: IpFamily) => { readonly chain: string; readonly jump: string }
}

const roots: readonly Root[] = [
  { chain: 'KUBE-SERVICES', keyOf: addressKey, describe: addressNode },
  { chain: 'KUBE-NODEPORTS', keyOf: portKey, describe: portNode },
]

/** The prefix of whatever has no key: a rule that the kernel holds in other words than ours. */
const other = '-'

/** From nothing: as all these Services want it. */
export function dispatchOf(
  services: ReadonlyMap<ServiceKey, Rendered>,
  { setting, family }: Pick<Dispatch, 'setting' | 'family'>,
): Dispatch {
  const counts = new Map<string, number>()
  for (const root of roots) {
    let count = 0
    for (const rendered of services.values()) count += rulesIn(root, rendered).length
    counts.set(root.chain, count)
  }
  const dispatch = { setting, family, counts, placement: new Map<string, Branch>() }
  for (const root of roots) if (isTree(root, dispatch)) dispatch.placement.set(root.chain, wholeTree(root, services, family))
  return dispatch
}

/** @param services as they are after the changes; looked into only where a chain becomes a tree. */
export function dispatchAfter(
  dispatch: Dispatch,
  changes: readonly ServiceChange[],
  services: ReadonlyMap<ServiceKey, Rendered>,
): Dispatch {
  return roots.reduce((now, root) => rootAfter(now, { root, changes, services }), dispatch)
}

function rootAfter(
  dispatch: Dispatch,
  change: {
    readonly root: Root
    readonly changes: readonly ServiceChange[]
    readonly services: ReadonlyMap<ServiceKey, Rendered>
  },
): Dispatch {
  const { root, services } = change
  const remove: DispatchEntry[] = []
  const add: DispatchEntry[] = []
  for (const { service, before, after } of change.changes) {
    const [had, has] = [rulesIn(root, before), rulesIn(root, after)]
    for (const text of had) if (!has.includes(text)) remove.push(entryOf(root, text, service))
    for (const text of has) if (!had.includes(text)) add.push(entryOf(root, text, service))
  }
  if (remove.length + add.length === 0) return dispatch
  const count = (dispatch.counts.get(root.chain) ?? 0) + add.length - remove.length
  const counted = { ...dispatch, counts: new Map(dispatch.counts).set(root.chain, count) }
  const placement = new Map(dispatch.placement)
  const before = placement.get(root.chain)
  if (!isTree(root, counted)) placement.delete(root.chain)
  else if (before === undefined) placement.set(root.chain, wholeTree(root, services, dispatch.family))
  else {
    const shape = shapeOf(root, dispatch.family)
    const without = remove.reduce((tree, entry) => withoutEntry(tree, entry, shape), before)
    placement.set(
      root.chain,
      add.reduce((tree, entry) => withEntry(tree, entry, shape), without),
    )
  }
  return { ...counted, placement }
}

function isTree({ chain }: Root, { setting, counts }: Pick<Dispatch, 'setting' | 'counts'>): boolean {
  return setting === 'bucketed' || (setting === 'auto' && (counts.get(chain) ?? 0) > mostLinear)
}

function wholeTree(root: Root, services: ReadonlyMap<ServiceKey, Rendered>, family: IpFamily): Branch {
  const entries: DispatchEntry[] = []
  for (const [service, rendered] of services) {
    for (const text of rulesIn(root, rendered)) entries.push(entryOf(root, text, service))
  }
  return buildTree(root.chain, entries, shapeOf(root, family))
}

/** Each once: an address may stand twice in a Service. */
function rulesIn({ chain }: Root, rendered: Rendered | undefined): readonly string[] {
  const rules = (rendered?.dispatch ?? []).filter(({ table, chain: of }) => table === 'nat' && of === chain)
  return rules.length < 2 ? rules.map(({ rule: text }) => text) : [...new Set(rules.map(({ rule: text }) => text))]
}

function entryOf({ keyOf }: Root, text: string, owner: ServiceKey): DispatchEntry {
  return { key: copyText(keyOf(text) ?? other), rule: text, owner }
}

function shapeOf({ describe }: Root, family: IpFamily): Shape {
  return {
    leafSize,
    mostLevels,
    describe: prefix =>
      prefix === other
        ? { chain: 'KUBE-SVC-OTHER', jump: `${comment('kubernetes services, other rules')} -j KUBE-SVC-OTHER` }
        : describe(prefix, family),
  }
}

// --- addresses ---

function addressKey(text: string): string | undefined {
  const address = parseAddress(/^-d (\S+)\/(?:32|128) /.exec(text)?.[1] ?? '')
  return address === undefined ? undefined : hexDigits(address)
}

function addressNode(prefix: string, family: IpFamily): ReturnType<Root['describe']> {
  const network = networkOfDigits(prefix, family)
  const [address = '', length = ''] = network.split('/')
  // A name may have 28 characters.
  const chain = family === 'IPv4' ? `KUBE-SVC-${address}-${length}` : `KUBE-SVC-NET6-${shortHash(address, 10)}-${length}`
  return { chain, jump: rule(`-d ${network}`, comment('kubernetes services by address'), `-j ${chain}`) }
}

// --- node ports ---

const protocols: Readonly<Record<string, string>> = { t: 'tcp', u: 'udp', s: 'sctp' }

/** With the rule that counts packets to 127.0.0.0/8 beside the other one of its port, so that it goes on standing before it. */
function portKey(text: string): string | undefined {
  const [, symbol, port] = /^(?:-d 127\.0\.0\.0\/8 )?-p ([tus])\w+ .* --dport (\d+) -j \S+$/.exec(text) ?? []
  return symbol === undefined ? undefined : symbol + Number(port).toString(16).padStart(4, '0')
}

function portNode(prefix: string): ReturnType<Root['describe']> {
  const protocol = protocols[prefix.charAt(0)] ?? ''
  const digits = prefix.slice(1)
  const [first, last] = [digits.padEnd(4, '0'), digits.padEnd(4, 'f')].map(text => Number.parseInt(text, 16))
  const chain = `KUBE-SVC-NP-${protocol.toUpperCase()}-${first}-${last}`
  const ports = digits === '' ? '' : `-m ${protocol} --dport ${first === last ? first : `${first}:${last}`}`
  return { chain, jump: rule(`-p ${protocol}`, comment('kubernetes node ports by range'), ports, `-j ${chain}`) }
}

// --- names ---

/** What a chain of a tree leads to, for people: `addresses in 10.96.0.0/12`, `node ports 29952 to 30207/TCP`. */
export function rangeOf(chain: string): string | undefined {
  if (!isTreeChain('nat', chain)) return undefined
  const [, address, length] = /^KUBE-SVC-([\d.]+)-(\d+)$/.exec(chain) ?? []
  if (address !== undefined) return `addresses in ${address}/${length}`
  const [, protocol, first, last] = /^KUBE-SVC-NP-(\w+)-(\d+)-(\d+)$/.exec(chain) ?? []
  if (protocol !== undefined) return `node ports ${first} to ${last}/${protocol}`
  return 'addresses of one range'
}

/** The chain that the rules of a tree's chain belong to, whatever its shape. */
export function rootOf(chain: string): string {
  if (!isTreeChain('nat', chain)) return chain
  return chain.startsWith('KUBE-SVC-NP-') ? 'KUBE-NODEPORTS' : 'KUBE-SERVICES'
}
