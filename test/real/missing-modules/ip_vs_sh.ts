// In a kernel whose IPVS lacks the scheduler sh; see ../missing-modules.test.ts.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { TestNode } from '../../support/daemon/node.ts'
import { web } from '../../support/daemon/objects.ts'
import { manifestsOf, putManifest, startSwitchyard } from '../../support/daemon/switchyard.ts'
import { ipvsKernelOf } from '../../support/ipvs-kernel.ts'
import { createAskableNode, failsAtStart } from '../../support/ipvs-preflight.ts'

const missing = /ipvs.scheduler sh needs the kernel module ip_vs_sh, which this kernel does not have \(.+\); it has rr, wrr, lc/

describe('without a scheduler', { concurrency: false }, () => {
  let node: TestNode
  before(async () => {
    node = await createAskableNode('no-sh')
  })
  after(() => node?.[Symbol.asyncDispose]())

  it('ipvs mode does not start where that is the usual one, and says why', async () => {
    await failsAtStart({ node, ipvs: { scheduler: 'sh' }, says: [missing] })
  })

  it('a Service that asks for it gets the usual one, and the running daemon refuses it as the usual one', async () => {
    const annotations = { 'switchyard/ipvs-scheduler': 'sh' }
    await putManifest(manifestsOf(node), 'web.yaml', web({ name: 'web', number: 1, endpoints: ['10.244.0.1'], annotations }))
    await using switchyard = await startSwitchyard({ node, config: { mode: 'ipvs' }, settings: {} })
    await switchyard.waitForLog(/^Service default\/web asks for the IPVS scheduler "sh", .*; it gets rr$/)
    const kernel = ipvsKernelOf(node.namespace)
    const isThere = async () => (await kernel.options('-t 10.96.0.1:80')) ?? undefined
    assert.equal(await switchyard.waitFor(isThere, 'the virtual server'), '-s rr')
    await switchyard.configure({ config: { mode: 'ipvs', ipvs: { scheduler: 'sh' } } })
    const { msg } = await switchyard.waitForLog(/^the change of ipvs.scheduler from .* is refused, what was in force stays: /)
    assert.match(msg, missing)
    assert.equal(await kernel.options('-t 10.96.0.1:80'), '-s rr')
    assert.equal(switchyard.daemon.ended, undefined)
  })
})
