// However a daemon ends, in the middle of its work too, the next one finds its way from there.
import assert from 'node:assert/strict'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { Backend } from '../../../src/kernel/iptables.ts'
import { holdWhile, killHalfWay, refuseEverything } from '../../support/daemon/faults.ts'
import { createNode } from '../../support/daemon/node.ts'
import { manyWebs, podAddress, web } from '../../support/daemon/objects.ts'
import { chainsOf } from '../../support/daemon/rules.ts'
import { manifestsOf, putManifest, startSwitchyard } from '../../support/daemon/switchyard.ts'
import { createToolbox } from '../../support/daemon/toolbox.ts'
import { poll } from '../../support/lab/poll.ts'

const services = 100
const endpoints = 3

describe('a daemon', { concurrency: true }, () => {
  for (const backend of ['nft', 'legacy'] as const) {
    it(`that is killed while the tool has done half of the work leaves nothing that the next one does not mend (${backend})`, () =>
      killed(backend))
  }
  it('that is told to end while the tool works lets it finish', () => endsAfterItsPass())
  it('that is told to end while it waits to try again ends at once', () => endsWhileItWaits())
})

async function killed(backend: Backend): Promise<void> {
  await using node = await createNode('endings')
  const toolbox = await createToolbox(node.directory)
  const tool = `iptables-${backend}-restore`
  const options = { node, path: toolbox.path, arguments: ['--iptables-backend', backend] }
  await putManifest(manifestsOf(node), 'cluster.yaml', manyWebs(services, endpoints))
  await toolbox.break(tool, killHalfWay)
  {
    await using first = await startSwitchyard(options)
    assert.equal(await poll(() => first.daemon.ended, { what: 'the end of the daemon' }), 'SIGKILL')
  }
  assert.match(await node.save({ backend }), /KUBE-/, 'half of the work was done')
  await toolbox.mend(tool)
  await using second = await startSwitchyard(options)
  await second.waitForSync()
  const nat = chainsOf(await node.save({ backend }), 'nat')
  const count = (prefix: string) => [...nat.keys()].filter(name => name.startsWith(prefix)).length
  assert.deepEqual([count('KUBE-SVC-'), count('KUBE-SEP-')], [services, services * endpoints])
  assert.equal(nat.get('KUBE-SERVICES')?.length, services + 1)
  assert.equal(nat.get('PREROUTING')?.length, 1)
  for (const [name, rules] of nat)
    assert.equal(rules.length > 0 || /^(INPUT|KUBE-NODEPORTS)$/.test(name), true, `${name} is empty`)
}

async function endsAfterItsPass(): Promise<void> {
  await using node = await createNode('endings')
  const toolbox = await createToolbox(node.directory)
  const hold = join(node.directory, 'hold')
  await writeFile(hold, '')
  await toolbox.break('iptables-nft-restore', holdWhile(hold))
  await putManifest(manifestsOf(node), 'cluster.yaml', web({ name: 'web', number: 1, endpoints: [podAddress(1)] }))
  await using switchyard = await startSwitchyard({ node, path: toolbox.path, arguments: ['--iptables-backend', 'nft'] })
  const called = async () => ((await toolbox.calls()).some(({ tool }) => tool === 'iptables-nft-restore') ? true : undefined)
  await switchyard.waitFor(called, 'the tool to be started')
  const ended = switchyard.stop()
  await switchyard.waitForLog(/SIGTERM: ending; the rules stay as they are/)
  await rm(hold)
  assert.equal(await ended, 'code 0')
  assert.match(await node.save({ backend: 'nft' }), new RegExp(`${podAddress(1)}:8080`))
}

async function endsWhileItWaits(): Promise<void> {
  await using node = await createNode('endings')
  const toolbox = await createToolbox(node.directory)
  await toolbox.break('iptables-nft-restore', refuseEverything('no'))
  await putManifest(manifestsOf(node), 'cluster.yaml', web({ name: 'web', number: 1, endpoints: [podAddress(1)] }))
  await using switchyard = await startSwitchyard({
    node,
    path: toolbox.path,
    arguments: ['--iptables-backend', 'nft', '-v', '2'],
  })
  // After the fourth it waits for eight seconds at least: no other try comes by itself while it ends.
  await switchyard.waitForLog(/^sync of IPv4 failed 4 times in a row/)
  const mark = switchyard.mark()
  assert.equal(await switchyard.stop(), 'code 0')
  assert.deepEqual(switchyard.linesSince(mark, /^sync of IPv4 failed/), [], 'without another try')
}
