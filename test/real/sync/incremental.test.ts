// A change costs what it touches: one endpoint among 1,000 Services with 5 endpoints each.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Backend } from '../../../src/kernel/iptables.ts'
import { createNode } from '../../support/daemon/node.ts'
import { manyWebs, podAddress, web } from '../../support/daemon/objects.ts'
import { chainFor, chainRules, differingChains, endpointChains } from '../../support/daemon/rules.ts'
import { manifestsOf, putManifest, startSwitchyard } from '../../support/daemon/switchyard.ts'
import { createToolbox } from '../../support/daemon/toolbox.ts'

describe('one endpoint that changes in a cluster of 1,000 Services', () => {
  for (const backend of ['nft', 'legacy'] as const) {
    it(`writes under 30 lines, all of them about its Service (${backend})`, () => changeOne(backend))
  }
})

const changed = { name: 'changed', number: 5 } as const
const endpoints = [50_000, 50_001, 50_002, 50_003, 50_004].map(podAddress)
const replacement = podAddress(50_005)

async function changeOne(backend: Backend): Promise<void> {
  await using node = await createNode('incremental')
  const toolbox = await createToolbox(node.directory)
  const folder = manifestsOf(node)
  await putManifest(folder, 'many.yaml', manyWebs(999, 5))
  await putManifest(folder, 'changed.yaml', web({ ...changed, endpoints }))
  await using switchyard = await startSwitchyard({
    node,
    path: toolbox.path,
    arguments: ['--iptables-backend', backend],
    config: { iptables: { syncPeriod: '1h' } },
  })
  assert.equal((await switchyard.waitForSync())['services'], 1000)
  await switchyard.waitForSync({ family: 'IPv6' })
  const before = await node.save({ backend })
  await toolbox.forget()

  const mark = switchyard.mark()
  await switchyard.put('changed.yaml', web({ ...changed, endpoints: [...endpoints.slice(1), replacement] }))
  const report = await switchyard.waitForSync({ since: mark })
  const after = await node.save({ backend })

  const calls = await toolbox.calls()
  const written = calls.flatMap(({ lines }) => lines)
  assert.ok(written.length > 0 && written.length < 30, `${written.length} lines:\n${written.join('\n')}`)
  assert.equal(report['lines'], written.length, 'the report counts what the tool was given')
  assert.equal(report['sync'], 'partial')
  assert.equal(report['touchedServices'], 1)

  const serviceChain = chainFor(after, 'default/changed:http cluster IP')
  const [had, has] = [endpointChains(before, serviceChain), endpointChains(after, serviceChain)]
  const [gone = ''] = had.filter(chain => !has.includes(chain))
  const [came = ''] = has.filter(chain => !had.includes(chain))
  assert.deepEqual(differingChains(before, after), [gone, came, serviceChain].sort())
  assert.equal(chainRules(after, 'nat', gone), undefined)
  assert.ok(chainRules(after, 'nat', came)?.some(rule => rule.includes(`--to-destination ${replacement}:8080`)))
}
