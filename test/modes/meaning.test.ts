// What differences mean: the sentences that test/real/verify.test.ts does not see, and that every drift of an empty kernel has one.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ipFamilies } from '../../src/model/address.ts'
import type { Endpoint } from '../../src/model/endpoint.ts'
import type { ServiceKey } from '../../src/model/objects.ts'
import { endpointChain } from '../../src/modes/iptables/names.ts'
import type { Drift } from '../../src/modes/mode.ts'
import { endpoint, service, slice } from '../support/cluster.ts'
import { modeNamed, type ProxyMode, surveyOf } from '../support/golden-kernel.ts'
import { iptablesScenarioNames, ipvsScenarioNames, loadScenario } from '../support/scenario.ts'
import { decisionsOf } from './ipvs/support.ts'

const nothing = async () => ({ stdout: '', stderr: '', milliseconds: 0 })

for (const [mode, names] of [
  ['iptables', iptablesScenarioNames()],
  ['ipvs', ipvsScenarioNames()],
] as const satisfies readonly (readonly [ProxyMode, readonly string[]])[]) {
  it(`every difference from an empty kernel means something, ${mode} mode`, async () => {
    for (const name of names) {
      for (const family of ipFamilies) {
        const { drifts, meaning, decisions } = await surveyOf(loadScenario(name), nothing, { mode, family })
        assert.ok(drifts.length > 0)
        for (const drift of drifts) {
          assert.notEqual(meaning(drift), drift.what, 'words that say no more than the difference')
          const gone: Drift = { ...drift, kind: 'unexpected', service: undefined }
          assert.notEqual(modeNamed(mode, family).meaning(gone, decisions), drift.what)
        }
      }
    }
  })
}

interface Case {
  readonly scenario: string
  readonly mode?: ProxyMode
  readonly kind: Drift['kind']
  readonly what: RegExp
  readonly means: RegExp
}

const cases: readonly Case[] = [
  {
    scenario: 'no-endpoints',
    kind: 'missing',
    what: /chain KUBE-SERVICES: rule .* -j REJECT/,
    means: /at 10\.96\.\d+\.\d+:\d+ time out, or reach the node itself, instead of being refused: it has no endpoints$/,
  },
  {
    scenario: 'nodeport-local-none-here',
    kind: 'missing',
    what: /chain KUBE-EXTERNAL-SERVICES: rule .* -j DROP/,
    means:
      /^connections from outside to golden\/remote\S* at node port \d+ are not dropped, although no endpoint is on this node$/,
  },
  {
    scenario: 'loadbalancer-local',
    kind: 'missing',
    what: /filter chain KUBE-NODEPORTS: rule /,
    means: /^health checks of golden\/\S+ at port \d+ may be stopped/,
  },
  {
    scenario: 'external-ips',
    kind: 'missing',
    what: /nat chain KUBE-SERVICES: rule .* external IP/,
    means: /at 203\.0\.113\.\d+:\d+ stay untranslated/,
  },
  {
    scenario: 'nodeport',
    kind: 'missing',
    what: /nat chain KUBE-NODEPORTS: rule -d 127\.0\.0\.0\/8 /,
    means: /at 127\.0\.0\.1 are not counted; they go where they should$/,
  },
]

describe('the meaning of a difference', () => {
  for (const { scenario, mode = 'iptables', kind, what, means } of cases) {
    it(`${kind}: ${what.source}`, async () => {
      const { changes, meaning } = await surveyOf(loadScenario(scenario), nothing, { mode, family: 'IPv4' })
      const rules = changes.flatMap(change => {
        return change
          .lines()
          .will.map(rule => ({ service: change.service, what: `${change.what.replace('rules in ', '')}: rule ${rule}` }))
      })
      const found = rules.find(rule => what.test(rule.what))
      assert.ok(found !== undefined, JSON.stringify(rules, undefined, 1))
      assert.match(meaning({ kind, ...found }), means)
    })
  }

  it("of somebody else's rule says where it is and what it does", () => {
    const drift: Drift = {
      kind: 'unexpected',
      what: 'nat chain KUBE-SERVICES: rule -d 10.96.0.1/32 -p tcp -m tcp --dport 80 -j DROP',
      service: undefined,
    }
    assert.match(modeNamed('iptables', 'IPv4').meaning(drift, new Map()), /connections to 10\.96\.0\.1:80 may be dropped/)
  })

  it('of an endpoint that is gone from a list that may be divided says both ends that it may have', () => {
    const pods = Array.from({ length: 65 }, (_, index) => endpoint(`10.244.1.${index + 1}`))
    const decisions = decisionsOf([service(), slice({ endpoints: pods })])
    const decision = decisions.get('default/web' as ServiceKey)?.[0]
    assert.ok(decision !== undefined && decision.cluster.length === 65)
    const of = (index: number): string => {
      const what = `nat chain ${endpointChain(decision.servicePort, decision.cluster[index] as Endpoint)}`
      return modeNamed('iptables', 'IPv4').meaning({ kind: 'missing', what, service: 'default/web' as ServiceKey }, decisions)
    }
    for (const index of [0, 64])
      assert.match(of(index), /^one in 65 new .* goes to the endpoints whose rules follow, or, where none do, stays untranslated/)
  })

  it('of a Service that is not known any more is said all the same', () => {
    const drift: Drift = { kind: 'changed', what: 'nat chain KUBE-SVC-AAAAAAAAAAAAAAAA', service: 'default/gone' as ServiceKey }
    assert.match(modeNamed('iptables', 'IPv4').meaning(drift, new Map()), /default\/gone/)
  })
})
