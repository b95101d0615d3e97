// ipvs.strictARP, asked by ARP from the network outside: load balancer addresses are on kube-ipvs0, and a node that answers for them takes what
// MetalLB means for another one.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type IpvsLab, startIpvsLab } from '../../support/ipvs-lab.ts'
import { loadBalanced, startService } from '../../support/ipvs-service.ts'
import { whoHas } from '../../support/lab/arp.ts'

const loadBalancer = '192.168.100.1'

describe('ipvs.strictARP', { concurrency: false }, () => {
  let stage: IpvsLab
  let linkOfNode: string

  before(async () => {
    stage = await startIpvsLab({ pods: ['a'] })
    await startService(stage, { number: 1, pods: 'a' }, { loadBalancer, spec: loadBalanced(30_001) })
    linkOfNode = await contentOf('/sys/class/net/eth0/address')
  })
  after(() => stage?.[Symbol.asyncDispose]())

  const contentOf = async (path: string): Promise<string> => (await stage.node.run(['cat', path])).trim()
  const parameters = (): Promise<readonly string[]> =>
    Promise.all(['arp_ignore', 'arp_announce'].map(name => contentOf(`/proc/sys/net/ipv4/conf/all/${name}`)))
  const answers = (address: string): Promise<string | undefined> => whoHas(stage.lab, { address, from: 'client' })
  /** All that strictARP must not touch. */
  const works = async (): Promise<void> => {
    assert.equal(await answers(stage.lab.node.ipv4), linkOfNode, 'the node answers for its own address')
    assert.ok((await stage.kernel.addresses()).includes(loadBalancer), 'the address is on kube-ipvs0')
    assert.deepEqual(await stage.connect({ address: loadBalancer, port: 80 }), ['a'])
  }
  const configure = async (strictARP: boolean): Promise<void> => {
    const since = stage.switchyard.mark()
    await stage.configure({ config: { ipvs: { strictARP } } })
    await stage.switchyard.waitForLog(new RegExp(`ipvs.strictARP changed from .* to ${strictARP}: applied`), { since })
  }

  it('off: the node answers for a load balancer address', async () => {
    assert.deepEqual(await parameters(), ['0', '0'])
    assert.equal(await answers(loadBalancer), linkOfNode)
    await works()
  })

  it('switched on while the daemon runs: it does not', async () => {
    await configure(true)
    await stage.eventually(parameters, ['1', '2'], 'arp_ignore and arp_announce')
    assert.equal(await answers(loadBalancer), undefined)
    await works()
  })

  it('on from the start, and after somebody else switched it off: it does not', async () => {
    await stage.restart({ config: { ipvs: { strictARP: true, syncPeriod: '1s' } } })
    assert.equal(await answers(loadBalancer), undefined)
    await stage.node.run(['sh', '-c', 'echo 0 > /proc/sys/net/ipv4/conf/all/arp_ignore'])
    await stage.switchyard.waitForLog(/^someone changed net.ipv4.conf.all.arp_ignore to 0: set back to 1 \(ipvs.strictARP\)/)
    assert.equal(await answers(loadBalancer), undefined)
  })

  it('switched off again: it answers', async () => {
    await configure(false)
    await stage.eventually(parameters, ['0', '0'], 'arp_ignore and arp_announce')
    assert.equal(await answers(loadBalancer), linkOfNode)
    await works()
  })
})
