// spec.loadBalancerSourceRanges: who may reach the load balancer's addresses. No ranges means everybody, therefore a bad
// range may be left out only where another one of its family stays: a typing error never opens what was closed.
import { type Cidr, familyOf, type IpFamily, ipFamilies, parseCidr } from '../../model/address.ts'
import { copyText } from '../../model/text.ts'
import { listAt } from './fields.ts'
import { refuse, show, type Warnings } from './problem.ts'

const path = 'spec.loadBalancerSourceRanges'
export const rangeRule = 'a range in CIDR form, like 192.0.2.0/24 or 2001:db8::/32'

export interface SourceRangesContext {
  /** The families in which the Service has, or may get, addresses. */
  readonly families: readonly IpFamily[]
  readonly warnings: Warnings
}

interface BadRange {
  readonly path: string
  readonly value: unknown
}

/** The valid ranges, each once. Refuses the object where a bad range was the last one of a family that the Service has. */
export function decodeSourceRanges(value: unknown, { families, warnings }: SourceRangesContext): readonly Cidr[] {
  const ranges = new Set<Cidr>()
  const bad: BadRange[] = []
  for (const [index, item] of listAt(value, path).entries()) {
    const range = typeof item === 'string' ? parseCidr(item) : undefined
    if (range === undefined) bad.push({ path: `${path}[${index}]`, value: item })
    else ranges.add(copyText(range))
  }
  const guarded = new Set([...ranges].map(familyOf))
  for (const range of bad) refuseOpening(range, families, guarded)
  for (const range of bad) {
    const advice = 'This range is left out, so its clients are refused. Correct it.'
    warnings.add({ path: range.path, seen: show(range.value), expected: rangeRule, advice })
  }
  return [...ranges]
}

function refuseOpening(range: BadRange, families: readonly IpFamily[], guarded: ReadonlySet<IpFamily>): void {
  const opened = meantFamilies(range.value).filter(family => families.includes(family) && !guarded.has(family))
  if (opened.length === 0 && guarded.size > 0) return
  const advice = `Without it ${opened.length > 0 ? opened.join(' and ') : 'the load balancer'} would be open to all, so the Service is refused. Correct it.`
  refuse({ path: range.path, seen: show(range.value), expected: rangeRule, advice })
}

/** Which families a range that does not parse may have been meant for. */
function meantFamilies(value: unknown): readonly IpFamily[] {
  if (typeof value !== 'string') return ipFamilies
  if (value.includes(':')) return ['IPv6']
  return /^[\d./\s]+$/.test(value) ? ['IPv4'] : ipFamilies
}
