// A Service changes while the kernel is not as we left it and no check has noticed yet: the change takes effect, all is repaired,
// and the log says what was missing.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Backend } from '../../../src/kernel/iptables.ts'
import { createNode, type TestNode } from '../../support/daemon/node.ts'
import { web } from '../../support/daemon/objects.ts'
import { manifestsOf, putManifest, startSwitchyard } from '../../support/daemon/switchyard.ts'

interface Meanwhile {
  readonly title: string
  readonly happens: (node: TestNode, backend: Backend) => Promise<void>
  readonly says: RegExp
}

const cases: readonly Meanwhile[] = [
  {
    title: 'the nat table was emptied',
    happens: (node, backend) => node.replaceTables({ backend }, '*nat\nCOMMIT\n'),
    says: /missing: nat chain PREROUTING: rule/,
  },
  {
    title: 'KUBE-SERVICES was flushed',
    happens: (node, backend) => node.edit({ backend }, ['-t nat -F KUBE-SERVICES']),
    says: /missing: nat chain KUBE-SERVICES: all its rules/,
  },
]

describe('a change that meets', { concurrency: true }, () => {
  for (const backend of ['nft', 'legacy'] as const) {
    for (const one of cases) it(`${one.title}, is programmed with all that was lost (${backend})`, () => check(one, backend))
  }
})

async function check({ happens, says }: Meanwhile, backend: Backend): Promise<void> {
  await using node = await createNode('meanwhile')
  const cluster = (endpoints: readonly string[]) => [
    ...web({ name: 'steady', number: 1, endpoints: ['10.244.0.1'] }),
    ...web({ name: 'changing', number: 2, endpoints }),
  ]
  await putManifest(manifestsOf(node), 'cluster.yaml', cluster(['10.244.0.2']))
  const config = { iptables: { syncPeriod: '1h' } }
  await using switchyard = await startSwitchyard({ node, arguments: ['--iptables-backend', backend, '-v', '2'], config })
  // The first check comes soon after the start, and no other one in this hour.
  await switchyard.waitForLog(/^compared the IPv4 rules/)
  await happens(node, backend)
  const mark = switchyard.mark()
  // One rule of the Service goes: its dispatch rule is deleted by its text.
  await switchyard.put('cluster.yaml', cluster([]))
  const wanted = [
    /default\/changing:http has no endpoints/,
    /^-A PREROUTING .*-j KUBE-SERVICES$/m,
    /^-A KUBE-SERVICES .*default\/steady:http cluster IP/m,
    /10\.244\.0\.1:8080/,
  ]
  await switchyard.waitForRules({ backend }, save => wanted.every(rule => rule.test(save)), 'the change and what was lost')
  await switchyard.waitForLog(says, { since: mark })
  assert.deepEqual(switchyard.linesSince(mark, /quarantined|failed/), [])
}
