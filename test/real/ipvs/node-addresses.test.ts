// Node ports of ipvs mode are at the addresses that the kernel has, as they come and go: the Node object does not tell of all of them.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { readCaseFile } from '../../support/flows/cases.ts'
import { ipvsKernelOf } from '../../support/ipvs-kernel.ts'
import { startLab } from '../../support/lab/lab.ts'
import { startProxy } from '../../support/lab/proxy.ts'

it('an address that comes to the node gets its virtual server without a pass of the clock, and one that goes loses it', async () => {
  await using lab = await startLab()
  // An hour: what happens before is not the periodic look.
  await using proxy = await startProxy({ lab, config: { mode: 'ipvs', ipvs: { syncPeriod: '1h' } } })
  await proxy.program(`${readCaseFile('.', 'cluster.yaml')}\n---\n${readCaseFile('node-port', 'objects.yaml')}`)
  const kernel = ipvsKernelOf(lab.node.namespace)
  const server = '-t 10.200.1.77:30031'
  assert.ok((await kernel.serverNames()).includes('-t 10.200.1.2:30031'))
  assert.ok(!(await kernel.serverNames()).includes(server))

  const eventually = (what: string, isThere: boolean) =>
    proxy.daemon.waitFor(async () => ((await kernel.serverNames()).includes(server) === isThere ? true : undefined), { what })
  await kernel.run('ip', 'addr', 'add', '10.200.1.77/24', 'dev', 'eth0')
  await eventually('a virtual server at the new address', true)
  await kernel.run('ip', 'addr', 'del', '10.200.1.77/24', 'dev', 'eth0')
  await eventually('the virtual server to go with the address', false)
  assert.ok((await kernel.serverNames()).includes('-t 10.200.1.2:30031'))
})
