// mode: ipvs on a host without ipvsadm or ipset. Kernels without IPVS: ../missing-modules.test.ts.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { TestNode } from '../../support/daemon/node.ts'
import { createToolbox, type Toolbox } from '../../support/daemon/toolbox.ts'
import { createAskableNode, failsAtStart, fallsBack, type Lack, proxyMode, refusesReload } from '../../support/ipvs-preflight.ts'

describe('on a host that lacks a program', { concurrency: false }, () => {
  let node: TestNode
  let toolbox: Toolbox
  before(async () => {
    node = await createAskableNode('preflight')
    toolbox = await createToolbox(node.directory)
  })
  after(() => node?.[Symbol.asyncDispose]())

  const lackOf = (tool: string): Lack => {
    const says = [new RegExp(`it needs the program ${tool}, which is not on the PATH \\(Debian: apt-get install ${tool}\\)`)]
    return { node, path: toolbox.path, says }
  }

  for (const tool of ['ipset', 'ipvsadm'] as const) {
    it(`ipvs mode does not start without ${tool}, and says so`, async () => {
      await toolbox.remove(tool)
      await failsAtStart(lackOf(tool))
      await toolbox.putBack(tool)
    })
  }

  it('iptables mode runs instead where that is wished', async () => {
    await toolbox.remove('ipvsadm')
    await fallsBack(lackOf('ipvsadm'))
    await toolbox.putBack('ipvsadm')
  })

  it('a running daemon refuses to change to ipvs mode, until the program is there', async () => {
    await toolbox.remove('ipset')
    await using switchyard = await refusesReload(lackOf('ipset'))
    await toolbox.putBack('ipset')
    await switchyard.configure({ config: { mode: 'iptables' } })
    await switchyard.waitForLog(/^mode changed from "ipvs" to "iptables": applied/)
    await switchyard.configure({ config: { mode: 'ipvs' } })
    await switchyard.waitForLog(/^mode iptables gives way to mode ipvs/)
    assert.equal(await proxyMode(node), 'ipvs')
  })
})
