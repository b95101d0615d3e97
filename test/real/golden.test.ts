// Every recorded scenario, applied to a real kernel and read back, equals what kube-proxy programmed; applied again, it writes nothing.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createExec, type Exec } from '../../src/kernel/exec.ts'
import { type Backend, tables, toolsOf } from '../../src/kernel/iptables.ts'
import { type IpFamily, ipFamilies } from '../../src/model/address.ts'
import { iptablesMode } from '../../src/modes/iptables/index.ts'
import { createSyncEmitter } from '../../src/sync/events.ts'
import { FamilySync } from '../../src/sync/family-sync.ts'
import { comparable } from '../support/iptables-compare.ts'
import { createNamespace, type Namespace } from '../support/namespace.ts'
import { iptablesScenarioNames, loadScenario, type Scenario } from '../support/scenario.ts'

const names = iptablesScenarioNames()

it('has all 41 scenarios of iptables mode', () => assert.equal(names.length, 41))

for (const backend of ['nft', 'legacy'] as const) {
  for (const family of ipFamilies) {
    describe(`${family}, ${backend} backend`, () => {
      for (const name of names)
        it(`programs ${name} as kube-proxy does, and nothing the second time`, () => check({ name, backend, family }))
    })
  }
}

async function check({ name, backend, family }: { name: string; backend: Backend; family: IpFamily }): Promise<void> {
  await using namespace: Namespace = await createNamespace('golden')
  const exec = createExec({ prefix: namespace.prefix })
  const scenario = loadScenario(name)
  const first = await sync({ scenario, backend, family, exec })
  assert.ok(first.lines > 0)
  for (const table of tables) {
    const { stdout } = await exec({ argv: [toolsOf(family, backend).save, '-t', table] })
    const golden = scenario.golden(`iptables.${family.toLowerCase()}.${table}`)
    assert.ok(golden !== undefined)
    assert.deepEqual(comparable(stdout), comparable(golden), `${table} table`)
  }
  const second = await sync({ scenario, backend, family, exec })
  assert.equal(second.lines, 0, 'a restart over an unchanged kernel writes nothing')
}

/** As a daemon that has just been started does it. */
async function sync(options: { scenario: Scenario; backend: Backend; family: IpFamily; exec: Exec }) {
  const { scenario, backend, family, exec } = options
  const mode = iptablesMode(family, toolsOf(family, backend))
  const { cluster, node, settings } = scenario
  const familySync = new FamilySync({ mode, exec, cluster, events: createSyncEmitter(), now: () => performance.now() })
  return familySync.pass({ node, settings, sweep: true })
}
