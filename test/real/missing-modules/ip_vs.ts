// In a kernel without IPVS; see ../missing-modules.test.ts.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { runOnce } from '../../support/daemon/run-once.ts'
import { switchyardFlags } from '../../support/daemon/switchyard.ts'
import { createAskableNode, failsAtStart, fallsBack, type Lack, refusesReload } from '../../support/ipvs-preflight.ts'

describe('without IPVS', { concurrency: false }, () => {
  let lack: Lack
  before(async () => {
    const says = [/it needs the kernel module ip_vs, which this kernel does not have \(.+\)/]
    lack = { node: await createAskableNode('no-ipvs'), says }
  })
  after(() => lack?.node[Symbol.asyncDispose]())

  it('ipvs mode does not start, and says why', () => failsAtStart(lack))

  it('plan says the same, since it is what would happen', async () => {
    const [, ...flags] = await switchyardFlags({ node: lack.node, config: { mode: 'ipvs' }, settings: {} })
    const { exitStatus, said } = await runOnce({ node: lack.node, arguments: ['plan', ...flags] })
    assert.equal(exitStatus, 1, said.join('\n'))
    for (const words of [/'switchyard run' would not start here: mode: ipvs cannot work/, ...lack.says])
      assert.match(said.join('\n'), words)
  })

  it('iptables mode runs instead where that is wished', () => fallsBack(lack))

  it('a running daemon refuses to change to ipvs mode', async () => {
    await using _ = await refusesReload(lack)
  })
})
