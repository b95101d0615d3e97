// Every recorded scenario without a kernel: what is fed to an empty one makes the virtual servers, sets, addresses and rules that kube-proxy makes.
// test/real/ipvs shows the same with a real kernel.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { tableSection, tables } from '../../../src/kernel/iptables.ts'
import { type IpFamily, ipFamilies } from '../../../src/model/address.ts'
import { createSyncEmitter } from '../../../src/sync/events.ts'
import { FamilySync } from '../../../src/sync/family-sync.ts'
import { comparableRules, comparableServers, comparableSets } from '../../support/ipvs-compare.ts'
import { ipvsScenarioNames, loadScenario, type Scenario } from '../../support/scenario.ts'
import { createFakeIpvsKernel, type FakeIpvsKernel } from '../../sync/support/fake-ipvs-kernel.ts'
import { testIpvsMode } from '../../sync/support/ipvs-harness.ts'

const names = ipvsScenarioNames()

it('has all 40 scenarios of ipvs mode', () => assert.equal(names.length, 40))

describe('a recorded scenario', () => {
  for (const name of names) {
    it(`becomes what kube-proxy programmed, in one run of each tool: ${name}`, async () => {
      const scenario = loadScenario(name)
      const kernel = createFakeIpvsKernel()
      for (const family of ipFamilies) {
        const before = kernel.fed.length
        await sync(family, { scenario, kernel })
        const tools = kernel.fed.slice(before).map(({ argv: [tool = ''] }) => tool)
        assert.equal(new Set(tools).size, tools.length, `one run of each tool: ${tools}`)
      }
      await assertGolden(scenario, kernel)
      for (const family of ipFamilies)
        assert.equal((await sync(family, { scenario, kernel })).lines, 0, 'a restart writes nothing')
    })
  }

  it('gives way to any other', async () => {
    const kernel = createFakeIpvsKernel()
    for (const name of names) {
      const scenario = loadScenario(name)
      for (const family of ipFamilies) await sync(family, { scenario, kernel })
      await assertGolden(scenario, kernel)
    }
  })
})

async function sync(family: IpFamily, { scenario, kernel }: { scenario: Scenario; kernel: FakeIpvsKernel }) {
  const { cluster, node } = scenario
  // Nothing drains here.
  const settings = { ...scenario.settings, ipvs: { ...scenario.settings.ipvs, drainDeadlineMs: 0 } }
  const events = createSyncEmitter()
  const familySync = new FamilySync({ mode: testIpvsMode(family), exec: kernel.exec, cluster, events, now: () => 0 })
  return familySync.pass({ node, settings, sweep: true })
}

async function assertGolden(scenario: Scenario, kernel: FakeIpvsKernel): Promise<void> {
  const golden = (file: string): string => {
    const text = scenario.golden(`ipvs.${file}`)
    assert.ok(text !== undefined, `no golden ${file}`)
    return text
  }
  const servers = await kernel.shell(['ipvsadm', '-Sn'])
  assert.deepEqual(comparableServers(servers), comparableServers(golden('services')), 'virtual servers')
  assert.deepEqual(comparableSets(await kernel.shell(['ipset', 'save'])), comparableSets(golden('ipset')), 'sets')
  const addresses = [...(kernel.links.get('kube-ipvs0') ?? [])].map(each => `${each.includes(':') ? 'inet6' : 'inet'} ${each}`)
  assert.deepEqual(addresses.toSorted(), golden('addresses').trim().split('\n').toSorted(), 'addresses')
  for (const family of ipFamilies) {
    for (const table of tables) {
      const rules = tableSection(kernel.iptables[family].save(), table)
      const expected = golden(`${family.toLowerCase()}.${table}`)
      assert.deepEqual(comparableRules(rules), comparableRules(expected), `${family} ${table}`)
    }
  }
}
