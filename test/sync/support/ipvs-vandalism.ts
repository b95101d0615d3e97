// What others do to what ipvs mode has made, at a shell: each act is one that a real kernel allows.
import type { IpFamily } from '../../../src/model/address.ts'
import type { FakeIpvsKernel } from './fake-ipvs-kernel.ts'

export const vandalisms = [
  ...['delete entry', 'add entry', 'retype set', 'shrink set', 'spare set'],
  ...['delete server', 'edit server', 'delete real server', 'weigh real server', 'add real server', 'clear servers'],
  ...['delete address', 'add address', 'delete link', 'flush chain'],
] as const

export interface Vandalism {
  readonly family: IpFamily
  readonly way: (typeof vandalisms)[number]
  /** Which set, server, chain; and which of its parts. */
  readonly which: number
  readonly what: number
}

const pick = <T>(values: Iterable<T>, number: number): T | undefined => {
  const all = [...values]
  return all[number % Math.max(1, all.length)]
}

const isOfOthers = (name: string): boolean => name.includes('192.0.2.250') || name.startsWith('-f ')

export function vandalise(kernel: FakeIpvsKernel, act: Vandalism): void {
  const { way } = act
  if (way.endsWith('set') || way.endsWith('entry')) vandaliseSets(kernel, act)
  else if (way.includes('server')) vandaliseServers(kernel, act)
  else if (way === 'flush chain') flushChain(kernel, act)
  else vandaliseLink(kernel, act)
}

function vandaliseSets(kernel: FakeIpvsKernel, { family, way, which, what }: Vandalism): void {
  const isOurs = (name: string): boolean => name !== 'KUBE-ROUTER' && !name.includes('SPARE')
  const sets = [...kernel.sets].filter(([name]) => isOurs(name) && name.includes('-6-') === (family === 'IPv6'))
  const [name, set] = pick(sets, which) ?? []
  if (name === undefined || set === undefined) return
  const entry = pick(set.entries, what)
  const address = family === 'IPv6' ? 'fd00::66' : '192.0.2.66'
  if (way === 'delete entry' && entry !== undefined) set.entries.delete(entry)
  if (way === 'add entry') set.entries.add(alien(set.shape, address))
  // While a rule uses it the kernel does not let it go.
  if (way === 'retype set' && !kernel.isInUse(name))
    kernel.sets.set(name, { shape: 'hash:mac family inet', maxEntries: 65_536, entries: new Set() })
  if (way === 'shrink set' && Number.isFinite(set.maxEntries)) kernel.sets.set(name, { ...set, maxEntries: 8 })
  if (way === 'spare set') {
    const spare = family === 'IPv6' ? 'SWITCHYARD-6-SPARE' : 'SWITCHYARD-SPARE'
    kernel.sets.set(spare, { shape: 'hash:ip family inet', maxEntries: 8, entries: new Set(['192.0.2.66']) })
  }
}

function alien(shape: string, address: string): string {
  if (shape.startsWith('bitmap')) return '65000'
  if (shape.startsWith('hash:ip,port,')) return `${address},tcp:6,${address}`
  return shape.startsWith('hash:ip,port') ? `${address},tcp:6` : address
}

function vandaliseServers(kernel: FakeIpvsKernel, { family, way, which, what }: Vandalism): void {
  const ours = [...kernel.servers].filter(([name]) => !isOfOthers(name) && name.includes('[') === (family === 'IPv6'))
  if (way === 'clear servers') for (const [name] of ours) kernel.servers.delete(name)
  const [name, server] = pick(ours, which) ?? []
  if (name === undefined || server === undefined) return
  const realServer = pick(server.realServers.keys(), what)
  if (way === 'delete server') kernel.servers.delete(name)
  if (way === 'edit server') server.options = '-s wrr -p 7'
  if (way === 'add real server') server.realServers.set(name.includes('[') ? '[fd00::67]:80' : '192.0.2.67:80', '-m -w 1')
  if (realServer === undefined) return
  if (way === 'delete real server') server.realServers.delete(realServer)
  if (way === 'weigh real server') server.realServers.set(realServer, what % 2 === 0 ? '-m -w 0' : '-g -w 9')
}

function vandaliseLink(kernel: FakeIpvsKernel, { family, way, what }: Vandalism): void {
  const addresses = kernel.links.get('kube-ipvs0')
  const address = pick(addresses ?? [], what)
  if (way === 'delete link') kernel.links.delete('kube-ipvs0')
  if (way === 'add address') addresses?.add(family === 'IPv6' ? 'fd00::68/128' : '192.0.2.68/32')
  if (way === 'delete address' && address !== undefined) addresses?.delete(address)
}

function flushChain(kernel: FakeIpvsKernel, { family, which, what }: Vandalism): void {
  const table = what % 2 === 0 ? 'nat' : 'filter'
  const rules = kernel.iptables[family]
  const chain = pick(
    rules.chains(table).filter(name => name.startsWith('KUBE-') || name.startsWith('SWITCHYARD')),
    which,
  )
  if (chain !== undefined) rules.edit(table, `:${chain} - [0:0]`)
}
