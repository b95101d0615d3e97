// Kernel parameters and IPVS timeouts after ipvs mode made the node ready are those of the recorded scenarios.
import assert from 'node:assert/strict'
import { release } from 'node:os'
import { it } from 'node:test'
import pino from 'pino'
import { createIpvsParameters } from '../../../src/cli/ipvs-parameters.ts'
import { createExec, type Exec } from '../../../src/kernel/exec.ts'
import type { Sysctl } from '../../../src/kernel/sysctl.ts'
import { createNamespace } from '../../support/namespace.ts'
import { ipvsScenarioNames, loadScenario } from '../../support/scenario.ts'

/** In another network namespace, which a file of our own process does not show. */
function sysctlOf(exec: Exec): Sysctl {
  const pathOf = (name: string): string => `/proc/sys/${name.replaceAll('.', '/')}`
  return {
    read: async name => (await exec({ argv: ['cat', pathOf(name)] }).catch(() => undefined))?.stdout.trim(),
    write: async (name, value) => void (await exec({ argv: ['sh', '-c', `echo ${value} > ${pathOf(name)}`] })),
  }
}

it('parameters and timeouts are those of all recorded scenarios', async () => {
  const scenarios = ipvsScenarioNames().map(loadScenario)
  const byWish = Map.groupBy(scenarios, ({ config, golden }) =>
    JSON.stringify([config.ipvs, golden('ipvs.sysctls'), golden('ipvs.timeouts')]),
  )
  assert.equal(scenarios.length, 40)
  for (const [first] of byWish.values()) {
    assert.ok(first !== undefined)
    await using namespace = await createNamespace('parameters')
    const exec = createExec({ prefix: namespace.prefix })
    const warnings: string[] = []
    const log = pino({ level: 'warn' }, { write: (line: string) => void warnings.push(line) })
    const originals = { names: () => [], of: () => undefined, record: async () => {}, forget: async () => {} }
    const parameters = createIpvsParameters({ exec, sysctl: sysctlOf(exec), originals, kernelRelease: release(), log })
    await parameters.ensure(first.config.ipvs)
    assert.deepEqual(warnings, [])
    for (const line of (first.golden('ipvs.sysctls') ?? '').trim().split('\n')) {
      const [name = '', value] = line.split(' = ')
      assert.equal(await sysctlOf(exec).read(name), value, `${first.name}: ${name}`)
    }
    const { stdout } = await exec({ argv: ['ipvsadm', '-l', '--timeout'] })
    assert.equal(stdout.trim(), first.golden('ipvs.timeouts')?.trim(), first.name)
  }
})
