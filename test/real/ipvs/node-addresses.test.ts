// Node ports follow the kernel's addresses: there is a virtual server at each one that the node has, as soon as it has it, and none where it has none.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { eventually } from '../../support/daemon/eventually.ts'
import { createNode, type TestNode } from '../../support/daemon/node.ts'
import { web } from '../../support/daemon/objects.ts'
import { manifestsOf, putManifest, type Switchyard, startSwitchyard } from '../../support/daemon/switchyard.ts'
import { type IpvsKernel, ipvsKernelOf } from '../../support/ipvs-kernel.ts'
import { loadBalanced } from '../../support/ipvs-service.ts'

const nodePort = 30_001

/** Nothing is found out by looking now and then: the kernel has to tell. */
const config = { mode: 'ipvs', ipvs: { syncPeriod: '1h' } }

describe('node ports in ipvs mode', { concurrency: false }, () => {
  const resources = new AsyncDisposableStack()
  let node: TestNode
  let kernel: IpvsKernel
  let switchyard: Switchyard

  before(async () => {
    node = resources.use(await createNode('addresses'))
    kernel = ipvsKernelOf(node.namespace)
    await ip('link add eth0 type dummy', 'link set eth0 up', 'addr add 10.200.1.2/24 dev eth0')
    await putManifest(manifestsOf(node), 'web.yaml', [
      ...web({ name: 'web', number: 1, endpoints: ['10.244.0.1'], loadBalancer: '192.168.100.1', spec: loadBalanced(nodePort) }),
    ])
    switchyard = resources.use(await startSwitchyard({ node, config }))
    await switchyard.waitForSync()
  })
  after(() => resources.disposeAsync())

  const ip = async (...commands: readonly string[]): Promise<void> => {
    for (const command of commands) await kernel.run('ip', ...command.split(' '))
  }
  /** Addresses with a virtual server at the node port. */
  const places = async (): Promise<readonly string[]> => {
    const found = (await kernel.serverNames()).map(name => /^-t (\S+):30001$/.exec(name)?.[1])
    return found.filter(address => address !== undefined)
  }
  const become = (wanted: readonly string[]): Promise<void> =>
    eventually(switchyard.daemon, { read: places, wanted, what: 'the virtual servers' })

  it('stand at every address of the node, but for loopback', () => become(['10.200.1.2']))

  it('come to an address that the node gets, and go with it', async () => {
    const since = switchyard.mark()
    await ip('addr add 10.200.7.7/24 dev eth0')
    await become(['10.200.1.2', '10.200.7.7'])
    assert.deepEqual(await kernel.weights('-t 10.200.7.7:30001'), { '10.244.0.1:8080': 1 })
    await ip('addr del 10.200.7.7/24 dev eth0')
    await become(['10.200.1.2'])
    assert.deepEqual(switchyard.linesSince(since, /^someone changed/), [])
  })

  it('come with a link and go with it', async () => {
    await ip('link add eth1 type dummy', 'link set eth1 up', 'addr add 10.200.8.8/24 dev eth1')
    await become(['10.200.1.2', '10.200.8.8'])
    await ip('link del eth1')
    await become(['10.200.1.2'])
  })

  it('do not stand at service addresses, which the node has by kube-ipvs0', async () => {
    assert.deepEqual(await kernel.addresses(), ['10.96.0.1', '192.168.100.1'])
    await become(['10.200.1.2'])
  })

  it('stand only where nodePortAddresses says, as it says it', async () => {
    await ip('addr add 10.200.7.7/24 dev eth0')
    await become(['10.200.1.2', '10.200.7.7'])
    await switchyard.configure({ config: { ...config, nodePortAddresses: ['10.200.7.0/24'] } })
    await become(['10.200.7.7'])
    await ip('addr add 10.200.7.8/24 dev eth0')
    await become(['10.200.7.7', '10.200.7.8'])
    await switchyard.configure({ config })
    await become(['10.200.1.2', '10.200.7.7', '10.200.7.8'])
  })
})
