// What the daemon does where mode ipvs cannot work, whatever the reason: the same three expectations for a missing module and a missing program.
import assert from 'node:assert/strict'
import { createNode, type TestNode } from './daemon/node.ts'
import { type Manifest, web } from './daemon/objects.ts'
import { runOnce } from './daemon/run-once.ts'
import { manifestsOf, putManifest, type Switchyard, startSwitchyard, switchyardFlags } from './daemon/switchyard.ts'
import { getIn } from './lab/http-get.ts'

export interface Lack {
  readonly node: TestNode
  /** What the one message says: the thing that is missing, and what to do. */
  readonly says: readonly RegExp[]
  /** The PATH of the daemon. */
  readonly path?: string
  /** Fields of `ipvs` that are configured with the mode. */
  readonly ipvs?: Manifest
}

const advice = /; provide that, or set mode: iptables, or ipvs.unavailable: fallback in switchyard.conf$/

const withPath = (path: string | undefined) => (path === undefined ? {} : { path })

/** Says so once, ends with 1, and has changed nothing. */
export async function failsAtStart({ node, says, path, ipvs = {} }: Lack): Promise<void> {
  const flags = await switchyardFlags({ node, config: { mode: 'ipvs', ipvs }, settings: {} })
  const through = path === undefined ? [] : ['env', `PATH=${path}`]
  const { exitStatus, said } = await runOnce({ node, arguments: flags, through })
  assert.equal(exitStatus, 1, said.join('\n'))
  const about = said.filter(line => /cannot work/.test(line))
  assert.equal(about.length, 1, said.join('\n'))
  for (const words of [/^mode: ipvs cannot work on this host: /, ...says, advice]) assert.match(about[0] ?? '', words)
  assert.doesNotMatch(await node.run(['iptables-legacy-save']), /KUBE/)
  assert.equal(await node.run(['ip', '-o', 'link', 'show', 'type', 'dummy']), '')
}

/** With ipvs.unavailable: fallback it runs iptables mode, and says so wherever somebody may ask. */
export async function fallsBack({ node, says, path, ipvs = {} }: Lack): Promise<void> {
  await putManifest(manifestsOf(node), 'web.yaml', web({ name: 'web', number: 1, endpoints: ['10.244.0.1'] }))
  const settings = { ipvs: { unavailable: 'fallback' } }
  await using switchyard = await startSwitchyard({ node, config: { mode: 'ipvs', ipvs }, settings, ...withPath(path) })
  const { msg, level } = await switchyard.waitForLog(/^mode: ipvs cannot work on this host/)
  assert.equal(level, 'error')
  for (const words of [...says, /Running in iptables mode instead \(ipvs.unavailable: fallback\)/]) assert.match(msg, words)
  await runsIptables(node, switchyard)
}

/** Told while it runs, it stays with iptables mode and every rule of that. Gives the daemon as it is then. */
export async function refusesReload({ node, says, path, ipvs = {} }: Lack): Promise<Switchyard> {
  await putManifest(manifestsOf(node), 'web.yaml', web({ name: 'web', number: 1, endpoints: ['10.244.0.1'] }))
  const switchyard = await startSwitchyard({ node, config: { mode: 'iptables' }, settings: {}, ...withPath(path) })
  try {
    await runsIptables(node, switchyard)
    const before = await node.save({ backend: 'legacy' })
    await switchyard.configure({ config: { mode: 'ipvs', ipvs } })
    const { msg, level } = await switchyard.waitForLog(
      /^the change of mode from "iptables" to "ipvs".* is refused, what was in force stays: /,
    )
    assert.equal(level, 'error')
    for (const words of says) assert.match(msg, words)
    assert.equal(await node.save({ backend: 'legacy' }), before)
    await switchyard.put('other.yaml', web({ name: 'other', number: 2, endpoints: ['10.244.0.2'] }))
    await switchyard.waitForRules(
      { backend: 'legacy' },
      save => save.includes('default/other:http cluster IP'),
      'another Service',
    )
    assert.equal(await proxyMode(node), 'iptables')
    return switchyard
  } catch (error) {
    await switchyard[Symbol.asyncDispose]()
    throw error
  }
}

export async function proxyMode(node: TestNode): Promise<string | undefined> {
  return (await getIn(node.namespace, 'http://127.0.0.1:10249/proxyMode'))?.body
}

/** A node whose metrics port can be asked. */
export async function createAskableNode(purpose: string): Promise<TestNode> {
  const node = await createNode(purpose)
  await node.run(['ip', 'link', 'set', 'lo', 'up'])
  return node
}

async function runsIptables(node: TestNode, switchyard: Switchyard): Promise<void> {
  await switchyard.waitForSync()
  assert.match(await node.save({ backend: 'legacy' }), /-A KUBE-SERVICES -d 10.96.0.1\/32 .* -j KUBE-SVC-/)
  assert.equal(await proxyMode(node), 'iptables')
  assert.equal(await node.run(['ip', '-o', 'link', 'show', 'type', 'dummy']), '')
}
