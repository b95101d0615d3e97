// `switchyard status` on a node where a daemon runs, and where none does.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { Status } from '../../src/server/status-object.ts'
import { createNode, type TestNode } from '../support/daemon/node.ts'
import { web } from '../support/daemon/objects.ts'
import { type Ended, runOnce } from '../support/daemon/run-once.ts'
import { manifestsOf, putManifest, startSwitchyard } from '../support/daemon/switchyard.ts'

function ask(node: TestNode, ...flags: readonly string[]): Promise<Ended> {
  return runOnce({ node, arguments: ['status', ...flags] })
}

it('status asks the daemon of this node, and says where there is none', async () => {
  await using node = await createNode('status')
  await node.run(['ip', 'link', 'set', 'lo', 'up'])
  const nobody = await ask(node)
  assert.equal(nobody.exitStatus, 1)
  assert.match(nobody.said.join(), /^switchyard: nothing answers at 127\.0\.0\.1:10249 .*is switchyard running on this node/)

  await putManifest(manifestsOf(node), 'web.yaml', web({ name: 'web', number: 10, endpoints: ['10.244.1.1'] }))
  await using switchyard = await startSwitchyard({ node, config: { metricsBindAddress: '0.0.0.0:20249' } })
  const said = await switchyard.waitFor(async () => {
    const { said } = await ask(node, '--metrics-bind-address', '127.0.0.1:20249')
    return said[0]?.endsWith(': ready') ? said : undefined
  }, 'a daemon that is ready')
  assert.match(said[0] ?? '', /^Switchyard \d\S* on node node1: ready$/)
  assert.match(said[1] ?? '', /^mode iptables, up \d+ s, manifests in \S+: 1 Service, 1 EndpointSlice with 1 endpoint$/)
  assert.ok(
    said.some(line => /^IPv4 {4}yes {4}\d+ s ago/.test(line)),
    said.join('\n'),
  )
  assert.doesNotMatch(said.join('\n'), /\p{Cc}\[/u, 'no colour where no terminal is')

  await switchyard.put('web.yaml', web({ name: 'web', number: 10, endpoints: ['10.244.1.1', '10.244.1.2'] }))
  const config = `${node.directory}/config.yaml`
  const { mode, families, source } = await switchyard.waitFor(async () => {
    const { exitStatus, said: json } = await ask(node, '-o', 'json', '--config', config)
    assert.equal(exitStatus, 0)
    const status = JSON.parse(json.join('\n')) as Status
    return status.families[0]?.lastPartialSync === null ? undefined : status
  }, 'a pass over what changed')
  assert.equal(mode, 'iptables')
  assert.deepEqual(
    families.map(({ family, services, ready, drains }) => [family, services, ready, drains]),
    [
      ['IPv4', 1, true, []],
      ['IPv6', 0, true, []],
    ],
  )
  assert.equal(source.objects.endpoints, 2)

  const list = await ask(node, 'services', '--config', config)
  assert.match(list.said[1] ?? '', /^default\/web +ClusterIP +yes +2\/2 +\d +80\/TCP +10\.96\.0\.10$/)
  const one = await ask(node, 'services', 'web', '--config', config)
  assert.equal(one.exitStatus, 0)
  assert.match(one.said.join('\n'), /^10\.244\.1\.2:\d+ +50\.0 %/m)
  const none = await ask(node, 'services', 'wbe', '--config', config)
  assert.deepEqual([none.exitStatus, none.said.length], [1, 1])
  assert.match(none.said[0] ?? '', /^switchyard: there is no Service "default\/wbe"; did you mean default\/web\?$/)

  const watching = await runOnce({
    node,
    arguments: ['status', '--watch=1', '--config', config],
    through: ['timeout', '--signal=INT', '4'],
  })
  assert.ok(watching.said.filter(line => line.endsWith(': ready')).length >= 2, watching.said.join('\n'))
  assert.equal(await switchyard.stop(), 'code 0')
})
