// In a kernel without IPVS; see ../missing-modules.test.ts.
import { after, before, describe, it } from 'node:test'
import { createAskableNode, failsAtStart, fallsBack, type Lack, refusesReload } from '../../support/ipvs-preflight.ts'

describe('without IPVS', { concurrency: false }, () => {
  let lack: Lack
  before(async () => {
    const says = [/it needs the kernel module ip_vs, which this kernel does not have \(.+\)/]
    lack = { node: await createAskableNode('no-ipvs'), says }
  })
  after(() => lack?.node[Symbol.asyncDispose]())

  it('ipvs mode does not start, and says why', () => failsAtStart(lack))

  it('iptables mode runs instead where that is wished', () => fallsBack(lack))

  it('a running daemon refuses to change to ipvs mode', async () => {
    await using _ = await refusesReload(lack)
  })
})
