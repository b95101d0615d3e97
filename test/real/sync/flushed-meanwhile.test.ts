// A Service changes while the kernel is not as we left it and no check has noticed yet: the change takes effect, all is repaired,
// and the log says what was missing.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Backend } from '../../../src/kernel/iptables.ts'
import { createNode, type TestNode } from '../../support/daemon/node.ts'
import { web } from '../../support/daemon/objects.ts'
import { manifestsOf, putManifest, type Switchyard, startSwitchyard } from '../../support/daemon/switchyard.ts'

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

describe('a change that meets a kernel which someone changed', { concurrency: true }, () => {
  for (const backend of ['nft', 'legacy'] as const) {
    describe(`${backend} backend`, { concurrency: false }, () => {
      const resources = new AsyncDisposableStack()
      let scene: Scene
      before(async () => {
        scene = await begin(backend, resources)
      })
      after(() => resources.disposeAsync())
      for (const one of cases) it(`is programmed with all that was lost: ${one.title}`, () => check(scene, one))
    })
  }
})

interface Scene {
  readonly backend: Backend
  readonly node: TestNode
  readonly switchyard: Switchyard
}

const cluster = (endpoints: readonly string[]) => [
  ...web({ name: 'steady', number: 1, endpoints: ['10.244.0.1'] }),
  ...web({ name: 'changing', number: 2, endpoints }),
]

async function begin(backend: Backend, resources: AsyncDisposableStack): Promise<Scene> {
  const node = resources.use(await createNode('meanwhile'))
  await putManifest(manifestsOf(node), 'cluster.yaml', cluster(['10.244.0.2']))
  const config = { iptables: { syncPeriod: '1h' } }
  const options = { node, arguments: ['--iptables-backend', backend, '-v', '2'], config }
  const switchyard = resources.use(await startSwitchyard(options))
  // The first check comes soon after the start, and no other one in this hour.
  await switchyard.waitForLog(/^compared the IPv4 rules/)
  return { backend, node, switchyard }
}

async function check({ backend, node, switchyard }: Scene, { happens, says }: Meanwhile): Promise<void> {
  const mark = switchyard.mark()
  await happens(node, backend)
  // The Service's dispatch rule is deleted by its text, which fails where there is no such rule.
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
  await switchyard.put('cluster.yaml', cluster(['10.244.0.2']))
  await switchyard.waitForRules(
    { backend },
    save => save.includes('10.244.0.2:8080') && !save.includes('no endpoints'),
    'the end',
  )
}
