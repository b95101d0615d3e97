// Nothing that a real kube-proxy programmed is called a wrong target: every address of every Service of the recorded scenarios, from everywhere, in both modes.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { addressesOf } from '../../src/explain/addresses.ts'
import { traceObject } from '../../src/explain/trace.ts'
import { hostPort, ipFamilies } from '../../src/model/address.ts'
import { goldenKernel, type ProxyMode, surveyOf } from '../support/golden-kernel.ts'
import { iptablesScenarioNames, ipvsScenarioNames, loadScenario } from '../support/scenario.ts'

for (const [mode, names] of [
  ['iptables', iptablesScenarioNames()],
  ['ipvs', ipvsScenarioNames()],
] as const satisfies readonly (readonly [ProxyMode, readonly string[]])[]) {
  it(`no target of kube-proxy's is wrong, ${mode} mode`, async () => {
    let answered = 0
    const wrong = new Set<string>()
    for (const name of names.filter(each => each !== 'large-cluster')) {
      const scenario = loadScenario(name)
      for (const family of ipFamilies) {
        const inspection = await surveyOf(scenario, goldenKernel(scenario, mode, family), { mode, family })
        const pods = family === 'IPv4' ? ['10.244.1.99', '10.244.9.99'] : ['fd00:10:244:1::99', 'fd00:10:244:9::99']
        for (const { servicePort } of [...inspection.decisions.values()].flat()) {
          for (const { address, port } of addressesOf(servicePort, inspection)) {
            for (const from of ['outside', 'node', ...pods]) {
              const to = `${hostPort(address, port)}/${servicePort.protocol}`
              const facts = { inspections: [inspection], cluster: scenario.cluster }
              const found = traceObject({ from, to, family }, facts, 0)
              if ('problem' in found) continue
              if (found.outcome?.includes('wrong') === true) wrong.add(`${name}, from ${from}`)
              if (found.outcome === 'answered') answered++
            }
          }
        }
      }
    }
    // There kube-proxy sends clients outside to other nodes' endpoints, whose answers get lost (docs/differences.md).
    assert.deepEqual([...wrong], mode === 'ipvs' ? ['nodeport-local-none-here, from outside'] : [])
    assert.ok(answered > 100, `${answered}`)
  })
}
