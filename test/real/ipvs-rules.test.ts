// The rules and sets of ipvs mode on this machine's kernel, with the nf_tables backend too: read back they are as written, and a restart writes nothing. IPVS
// itself is not needed for that; where a rule looks into it (source ranges that shut the node out) the scenario is left to test/real/ipvs.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createExec, type Exec } from '../../src/kernel/exec.ts'
import { type Backend, tableSection, tables, toolsOf } from '../../src/kernel/iptables.ts'
import { type IpFamily, ipFamilies } from '../../src/model/address.ts'
import { ipvsMode } from '../../src/modes/ipvs/index.ts'
import { createSyncEmitter } from '../../src/sync/events.ts'
import { FamilySync } from '../../src/sync/family-sync.ts'
import { comparableRules } from '../support/ipvs-compare.ts'
import { createNamespace } from '../support/namespace.ts'
import { ipvsScenarioNames, loadScenario, type Scenario } from '../support/scenario.ts'
import { createFakeIpvsKernel } from '../sync/support/fake-ipvs-kernel.ts'

const names = ipvsScenarioNames().filter(name => !looksIntoIpvs(loadScenario(name)))

function looksIntoIpvs({ golden }: Scenario): boolean {
  return ipFamilies.some(family => golden(`ipvs.${family.toLowerCase()}.filter`)?.includes('-m ipvs '))
}

it('leaves out few of the 40 scenarios', () => assert.equal(names.length, 37))

for (const backend of ['nft', 'legacy'] as const) {
  for (const family of ipFamilies) {
    describe(`rules and sets of ipvs mode, ${family}, ${backend} backend`, () => {
      it('are kube-proxy’s in every recorded scenario, and nothing is written the second time', async () => {
        await using namespace = await createNamespace('ipvs-rules')
        const exec = withoutIpvs(createExec({ prefix: namespace.prefix }))
        for (const name of names) await check({ name, family, backend, exec })
      })
    })
  }
}

async function check(options: { name: string; family: IpFamily; backend: Backend; exec: Exec }): Promise<void> {
  const { name, family, backend, exec } = options
  const scenario = loadScenario(name)
  const tools = toolsOf(family, backend)
  const sync = () => {
    const mode = ipvsMode({ family, tools, abilities: { hasScheduler: () => true } })
    const { cluster, node } = scenario
    const settings = { ...scenario.settings, ipvs: { ...scenario.settings.ipvs, drainDeadlineMs: 0 } }
    const familySync = new FamilySync({ mode, exec, cluster, events: createSyncEmitter(), now: () => performance.now() })
    return familySync.pass({ node, settings, sweep: true })
  }
  await sync()
  const { stdout } = await exec({ argv: [tools.save] })
  for (const table of tables) {
    const expected = comparableRules(scenario.golden(`ipvs.${family.toLowerCase()}.${table}`) ?? '')
    assert.deepEqual(comparableRules(tableSection(stdout, table)), expected, `${name}: ${table} table`)
  }
  assert.equal((await sync()).lines, 0, `${name}: a restart over an unchanged kernel writes nothing`)
}

/** iptables and ipset are the real ones, ipvsadm and ip remember what they are told. */
function withoutIpvs(real: Exec): Exec {
  const fake = createFakeIpvsKernel()
  return command => (/^(ipvsadm|ip)$/.test(command.argv[0] ?? '') ? fake.exec(command) : real(command))
}
