// Manifests are followed while the daemon runs; stopping it leaves the rules; starting it again over them writes nothing.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Backend } from '../../../src/kernel/iptables.ts'
import { createNode, type TestNode } from '../../support/daemon/node.ts'
import { web, web6 } from '../../support/daemon/objects.ts'
import { manifestsOf, putManifest, startSwitchyard } from '../../support/daemon/switchyard.ts'
import { createToolbox } from '../../support/daemon/toolbox.ts'

describe('a daemon over a folder of manifests', { concurrency: true }, () => {
  for (const backend of ['nft', 'legacy'] as const) {
    it(`follows edits, leaves the rules when it ends, and writes nothing when it comes back (${backend})`, () => live(backend))
  }
})

async function live(backend: Backend): Promise<void> {
  await using node = await createNode('live')
  const toolbox = await createToolbox(node.directory)
  const options = { node, path: toolbox.path, arguments: ['--iptables-backend', backend] }
  await putManifest(manifestsOf(node), 'a.yaml', web({ name: 'first', number: 1, endpoints: ['10.244.0.1'] }))
  await putManifest(manifestsOf(node), 'six.yaml', web6({ name: 'six', number: 1, endpoints: ['fd00:10:244::1'] }))
  {
    await using switchyard = await startSwitchyard(options)
    const waitForRules = (holds: (save: string) => boolean, what: string) => switchyard.waitForRules({ backend }, holds, what)
    const list = (endpoints: readonly string[]) =>
      JSON.stringify({ apiVersion: 'v1', kind: 'List', items: web({ name: 'second', number: 2, endpoints }) })
    await waitForRules(save => save.includes('--to-destination 10.244.0.1:8080'), 'what was there at the start')

    await switchyard.put('a.yaml', web({ name: 'first', number: 1, endpoints: ['10.244.0.2', '10.244.0.3'] }))
    const edited = await waitForRules(save => save.includes('--to-destination 10.244.0.2:8080'), 'an edit')
    assert.ok(edited.includes('--to-destination 10.244.0.3:8080'))
    await waitForRules(save => !save.includes('10.244.0.1:8080'), 'the end of the endpoint that was edited away')

    await switchyard.put('b.json', list([]))
    await waitForRules(save => /--comment "default\/second:http has no endpoints".* -j REJECT/.test(save), 'a new file')
    await switchyard.put('b.json', list(['10.244.0.9']))
    await waitForRules(save => save.includes('10.244.0.9:8080') && !save.includes('has no endpoints'), 'its first endpoint')

    await switchyard.remove('a.yaml')
    await waitForRules(save => !save.includes('default/first') && save.includes('default/second'), 'a deletion')

    await switchyard.waitForSync({ family: 'IPv6' })
    const before = await bothFamilies(node, backend)
    assert.match(before, /default\/six:http/)
    assert.equal(await switchyard.stop(), 'code 0')
    assert.equal(await bothFamilies(node, backend), before, 'SIGTERM leaves the rules byte for byte')
    assert.deepEqual(switchyard.linesSince(0, /failed|quarantined|someone changed/), [])
  }
  const before = await bothFamilies(node, backend)
  await toolbox.forget()
  await using again = await startSwitchyard(options)
  assert.equal((await again.waitForSync({ family: 'IPv4' }))['lines'], 0)
  assert.equal((await again.waitForSync({ family: 'IPv6' }))['lines'], 0)
  assert.deepEqual(await toolbox.calls(), [], 'a restart over an unchanged kernel gives iptables-restore nothing')
  assert.equal(await bothFamilies(node, backend), before)
}

async function bothFamilies(node: TestNode, backend: Backend): Promise<string> {
  return `${await node.save({ backend })}\n${await node.save({ backend, family: 'IPv6' })}`
}
