// Traffic is spread evenly, in numbers that are already what the kernel makes of them: else every chain would look changed when it is read back.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { decide } from '../../../src/model/traffic-policy.ts'
import { leafChains, ruleContext } from '../../../src/modes/iptables/service-chains.ts'
import type { LeafChain } from '../../../src/modes/rules/state.ts'
import { endpoint, node, service, settings, slice } from '../../support/cluster.ts'

/** The KUBE-SVC chain of a Service with so many endpoints. */
function balancing(endpoints: number, affinityTimeoutSeconds?: number): readonly string[] {
  const pods = Array.from({ length: endpoints }, (_, pod) => endpoint(`10.244.${pod >> 8}.${pod & 255}`))
  const decisions = decide({
    service: service({ affinityTimeoutSeconds }),
    slices: [slice({ endpoints: pods })],
    family: 'IPv4',
    node,
  })
  const context = {
    ...ruleContext({ ...settings, detectLocal: { mode: 'ClusterCIDR', cidrs: [] } }, node, 'IPv4'),
    comments: false,
    longestList: Number.POSITIVE_INFINITY,
  }
  const chains: readonly LeafChain[] = decisions.flatMap(decision => leafChains(decision, context))
  return chains.find(({ name }) => name.startsWith('KUBE-SVC-'))?.rules ?? []
}

const probabilitiesOf = (rules: readonly string[]): readonly (string | undefined)[] =>
  rules.map(rule => / --probability (\S+)/.exec(rule)?.[1])

describe('probabilities', () => {
  // As iptables-save of a real kernel prints them.
  const recorded: readonly (readonly [n: number, text: string])[] = [
    [2, '0.50000000000'],
    [3, '0.33333333349'],
    [4, '0.25000000000'],
    [5, '0.20000000019'],
    [6, '0.16666666651'],
    [7, '0.14285714272'],
    [10, '0.10000000009'],
  ]
  const most = 5000
  const rules = balancing(most)
  const probabilities = probabilitiesOf(rules)
  const ofOneIn = (n: number): string | undefined => probabilities[most - n]

  for (const [n, text] of recorded) it(`print one in ${n} as ${text}`, () => assert.equal(ofOneIn(n), text))

  it(`are what the kernel keeps and prints for one in 1 to ${most}`, () => {
    assert.equal(probabilities.length, most)
    for (let n = 2; n <= most; n++) assert.equal(ofOneIn(n), kernelText(n), `one in ${n}`)
  })

  it('leave the last rule to take all that is left', () => {
    assert.equal(probabilities.at(-1), undefined)
    for (const [index, rule] of rules.entries()) assert.equal(rule.includes('-m statistic'), index < most - 1)
    assert.deepEqual(probabilitiesOf(balancing(1)), [undefined])
  })

  it('give each endpoint the same share, to a millionth', () => {
    for (const count of [1, 2, 3, 7, 100, 1000]) {
      let left = 1
      for (const text of probabilitiesOf(balancing(count))) {
        const share = left * Number(text ?? '1')
        assert.ok(Math.abs(share - 1 / count) < 1e-6, `${share} is not one in ${count}`)
        left -= share
      }
    }
  })

  it('come after all rules that know the client again', () => {
    const sticky = balancing(3, 3600)
    assert.deepEqual(
      sticky.map(rule => rule.includes('--rcheck --seconds 3600 --reap')),
      [true, true, true, false, false, false],
    )
    assert.deepEqual(probabilitiesOf(sticky), [undefined, undefined, undefined, '0.33333333349', '0.50000000000', undefined])
  })
})

/**
 * 1/n with ten digits, as a multiple of 2^-31, with eleven digits: kube-proxy writes, iptables rounds, iptables-save prints. Whole numbers
 * all the way; halves go to the even neighbour when printed (C, Go), away from zero in lround(3).
 */
function kernelText(n: number): string {
  const written = divide(10n ** 10n, BigInt(n), 'even')
  const kept = divide(written * 2n ** 31n, 10n ** 10n, 'up')
  const printed = divide(kept * 10n ** 11n, 2n ** 31n, 'even')
  return `0.${printed.toString().padStart(11, '0')}`
}

function divide(a: bigint, b: bigint, halves: 'even' | 'up'): bigint {
  const quotient = a / b
  const twice = 2n * (a % b)
  if (twice === b) return halves === 'up' ? quotient + 1n : quotient + (quotient % 2n)
  return twice > b ? quotient + 1n : quotient
}
