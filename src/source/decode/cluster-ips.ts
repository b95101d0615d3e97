// spec.clusterIP, clusterIPs and ipFamilies of a Service: the addresses that the cluster gave it.
// Refuses what contradicts itself, since a rule for the wrong address takes traffic that belongs to another.
import { type Address, familyOf, type IpFamily, ipFamilies } from '../../model/address.ts'
import { neverVirtual, usableAddress } from './addresses.ts'
import { type Fields, listAt, oneOf, textAt } from './fields.ts'
import { refuse, show } from './problem.ts'

export interface ClusterIPs {
  /** spec.clusterIP is `None`. */
  readonly headless: boolean
  readonly clusterIPs: readonly Address[]
}

/** spec.clusterIPs, or spec.clusterIP where only that is set; where both are, they must agree as the API server demands. */
export function decodeClusterIPs(spec: Fields): ClusterIPs {
  const single = textAt(spec['clusterIP'], 'spec.clusterIP') || undefined
  const several = listAt(spec['clusterIPs'], 'spec.clusterIPs')
  refuseDisagreement(single, several)
  const values: readonly unknown[] = several.length > 0 ? several : single === undefined ? [] : [single]
  const path = (index: number) => (several.length > 0 ? `spec.clusterIPs[${index}]` : 'spec.clusterIP')
  if (values.length === 1 && values[0] === 'None') return { headless: true, clusterIPs: [] }
  const clusterIPs = values.map((value, index) => clusterIPAt(value, path(index)))
  const [first, ...others] = clusterIPs
  const index = others.findIndex(address => first !== undefined && familyOf(address) === familyOf(first))
  if (index >= 0 || others.length > 1) {
    const expected = 'at most one address of each family'
    refuse({ path: 'spec.clusterIPs', seen: clusterIPs.join(', '), expected, advice: 'Keep one IPv4 and one IPv6 address.' })
  }
  return { headless: false, clusterIPs }
}

function clusterIPAt(value: unknown, path: string): Address {
  const result = usableAddress(value, neverVirtual)
  if ('address' in result) return result.address
  return refuse({
    path,
    seen: show(value),
    expected: result.expected,
    advice: 'Set the address, or None alone for a headless Service.',
  })
}

function refuseDisagreement(single: string | undefined, several: readonly unknown[]): void {
  if (single === undefined || several.length === 0 || several[0] === single) return
  const advice = 'Change both together, or remove spec.clusterIPs.'
  refuse({ path: 'spec.clusterIP', seen: show(single), expected: `the same as spec.clusterIPs[0], ${show(several[0])}`, advice })
}

/** spec.ipFamilies, checked against the cluster addresses; empty where it is absent. */
export function decodeIpFamilies(spec: Fields, clusterIPs: readonly Address[]): readonly IpFamily[] {
  const path = 'spec.ipFamilies'
  const families = listAt(spec['ipFamilies'], path).map((value, index) => familyAt(value, `${path}[${index}]`))
  if (new Set(families).size < families.length) {
    refuse({ path, seen: families.join(', '), expected: 'each family once', advice: 'Remove the repeated one.' })
  }
  const stranger = families.length === 0 ? undefined : clusterIPs.find(address => !families.includes(familyOf(address)))
  if (stranger !== undefined) {
    const advice = `Add ${familyOf(stranger)} to spec.ipFamilies, or correct the address.`
    refuse({ path, seen: families.join(', '), expected: `the family of the cluster IP ${stranger} among them`, advice })
  }
  return families
}

function familyAt(value: unknown, path: string): IpFamily {
  const family = ipFamilies.find(candidate => candidate === value)
  return (
    family ??
    refuse({ path, seen: show(value), expected: oneOf(ipFamilies), advice: 'Correct it, or leave out spec.ipFamilies.' })
  )
}
