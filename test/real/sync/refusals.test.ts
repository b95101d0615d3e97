// The kernel refuses the rules of one Service: that one is found, named, and keeps what it had; all others are programmed.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Backend } from '../../../src/kernel/iptables.ts'
import { type Complaint, refuseLines } from '../../support/daemon/faults.ts'
import { createNode, type TestNode } from '../../support/daemon/node.ts'
import { podAddress, web } from '../../support/daemon/objects.ts'
import { chainFor, chainRules, endpointChains } from '../../support/daemon/rules.ts'
import { frequentChecks, manifestsOf, putManifest, type Switchyard, startSwitchyard } from '../../support/daemon/switchyard.ts'
import { createToolbox, type Toolbox } from '../../support/daemon/toolbox.ts'

interface Scene {
  readonly backend: Backend
  readonly node: TestNode
  readonly toolbox: Toolbox
  readonly resources: AsyncDisposableStack
  switchyard: Switchyard
  /** Counts the changes of the cluster. */
  generation: number
}

/** How each backend words a refusal. */
const complaints: readonly (readonly [Backend, readonly Complaint[]])[] = [
  ['nft', ['rule', 'syntax', 'commit']],
  ['legacy', ['syntax', 'commit']],
]

describe('a Service whose rules are refused', { concurrency: true }, () => {
  for (const [backend, forms] of complaints) {
    describe(`${backend} backend`, { concurrency: false }, () => {
      const resources = new AsyncDisposableStack()
      let scene: Scene
      before(async () => {
        scene = await begin(backend, resources)
      })
      after(() => resources.disposeAsync())
      for (const form of forms)
        it(`is quarantined and named, complaint by ${form}, until its object changes`, () => refused(scene, form))
      it('is tried again by itself after a while', () => triedAgain(scene))
      it('keeps what the kernel holds over a restart as well', () => restarted(scene))
      it('can be deleted', () => deleted(scene))
      it('may be several, of many, at a start over an empty kernel', () => severalAtStart(backend))
    })
  }
})

async function begin(backend: Backend, resources: AsyncDisposableStack): Promise<Scene> {
  const node = resources.use(await createNode('refusals'))
  const toolbox = await createToolbox(node.directory)
  await putManifest(manifestsOf(node), 'cluster.yaml', cluster(0))
  const switchyard = resources.use(await startSwitchyard(optionsOf({ backend, node, toolbox })))
  await switchyard.waitForSync()
  return { backend, node, toolbox, resources, switchyard, generation: 0 }
}

function optionsOf({ backend, node, toolbox }: Pick<Scene, 'backend' | 'node' | 'toolbox'>) {
  return { node, path: toolbox.path, arguments: ['--iptables-backend', backend], config: frequentChecks }
}

/** Each generation has other endpoints than the one before. */
function cluster(generation: number, options: { readonly withVictim?: boolean } = {}) {
  const { withVictim = true } = options
  return [
    ...web({ name: 'before', number: 1, endpoints: [podAddress(generation)] }),
    ...(withVictim
      ? web({ name: 'victim', number: 2, endpoints: [podAddress(1000 + generation), podAddress(2000 + generation)] })
      : []),
    ...web({ name: 'zafter', number: 3, endpoints: [podAddress(3000 + generation)] }),
  ]
}

async function refused(scene: Scene, form: Complaint): Promise<void> {
  const { backend, node, switchyard } = scene
  const victim = await quarantineVictim(scene, form)
  const before = victim.rules
  const held = await node.save({ backend })
  for (const [chain, rules] of before) assert.deepEqual(chainRules(held, 'nat', chain), rules, `${chain} keeps what it had`)
  chainFor(held, 'default/victim:http cluster IP')
  // Where the tool names a line, so does the log, as text.
  if (form !== 'commit') assert.ok(victim.said.includes(` at \`-A ${victim.chain} `), victim.said)

  // While it is quarantined, others go on.
  const more = web({ name: 'more', number: 4, endpoints: [podAddress(4000 + scene.generation)] })
  await switchyard.put('cluster.yaml', [...cluster(scene.generation), ...more])
  await switchyard.waitForRules({ backend }, save => save.includes('default/more:http cluster IP'), 'a new Service')
  const still = await node.save({ backend })
  for (const [chain, rules] of before) assert.deepEqual(chainRules(still, 'nat', chain), rules)

  const mark = switchyard.mark()
  await scene.toolbox.mend(toolOf(backend))
  const now = ++scene.generation
  await switchyard.put('cluster.yaml', cluster(now))
  await switchyard.waitForRules({ backend }, save => save.includes(`${podAddress(1000 + now)}:8080`), 'the changed Service')
  await switchyard.waitForLog(/^Service default\/victim is programmed again/, { since: mark })
}

async function triedAgain(scene: Scene): Promise<void> {
  const { backend, switchyard, toolbox } = scene
  await quarantineVictim(scene, 'syntax')
  const mark = switchyard.mark()
  await toolbox.mend(toolOf(backend))
  await switchyard.waitForLog(/^Service default\/victim is programmed again/, { since: mark })
  await switchyard.waitForRules(
    { backend },
    save => save.includes(`${podAddress(1000 + scene.generation)}:8080`),
    'its new endpoint',
  )
}

async function restarted(scene: Scene): Promise<void> {
  const { backend, node, toolbox } = scene
  const victim = await quarantineVictim(scene, 'commit')
  await scene.switchyard.stop()
  await using switchyard = await startSwitchyard(optionsOf(scene))
  const { service } = await switchyard.waitForLog(/quarantined/)
  assert.equal(service, 'default/victim')
  await switchyard.waitForSync()
  const save = await node.save({ backend })
  for (const [chain, rules] of victim.rules) assert.deepEqual(chainRules(save, 'nat', chain), rules, chain)
  chainFor(save, 'default/victim:http cluster IP')
  await toolbox.mend(toolOf(backend))
  await switchyard.stop()
  // A new daemon knows of no quarantine.
  scene.switchyard = scene.resources.use(await startSwitchyard(optionsOf(scene)))
  await scene.switchyard.waitForSync()
  assert.ok((await node.save({ backend })).includes(`${podAddress(1000 + scene.generation)}:8080`))
}

async function deleted(scene: Scene): Promise<void> {
  const { backend, switchyard } = scene
  await quarantineVictim(scene, 'commit')
  await switchyard.put('cluster.yaml', cluster(scene.generation, { withVictim: false }))
  await switchyard.waitForRules({ backend }, save => !save.includes('default/victim'), 'its end')
}

/** A change of all Services, of which the tool refuses one. */
async function quarantineVictim(scene: Scene, form: Complaint) {
  const { backend, node, toolbox, switchyard } = scene
  const save = await node.save({ backend })
  const chain = chainFor(save, 'default/victim:http cluster IP')
  const chains = [chain, ...endpointChains(save, chain)]
  const mark = switchyard.mark()
  await toolbox.break(toolOf(backend), refuseLines(`^-A ${chain} `, form))
  const now = ++scene.generation
  await switchyard.put('cluster.yaml', cluster(now))
  const line = await switchyard.waitForLog(/quarantined/, { since: mark })
  assert.match(line.msg, /^Service default\/victim is quarantined, the kernel refuses its rules: .*keeps the rules that it had/)
  assert.equal(line.level, 'error')
  assert.equal(line['service'], 'default/victim')
  await switchyard.waitForSync({ since: mark })
  const after = await node.save({ backend })
  for (const number of [now, 3000 + now]) assert.ok(after.includes(`${podAddress(number)}:8080`), 'the others are programmed')
  assert.deepEqual(switchyard.linesSince(mark, /^sync of IPv4 failed/), [])
  for (const other of switchyard.linesSince(mark, /quarantined/)) assert.equal(other['service'], 'default/victim')
  return { chain, said: line.msg, rules: new Map(chains.map(name => [name, chainRules(save, 'nat', name)])) }
}

async function severalAtStart(backend: Backend): Promise<void> {
  await using node = await createNode('refusals')
  const toolbox = await createToolbox(node.directory)
  const services = Array.from({ length: 40 }, (_, index) => ({
    name: `web-${index}`,
    number: index + 1,
    endpoints: [podAddress(index)],
  }))
  const bad = new Set(['web-3', 'web-4', 'web-31'])
  await putManifest(manifestsOf(node), 'cluster.yaml', services.flatMap(web))
  await toolbox.break(toolOf(backend), refuseLines(`^-A KUBE-SVC-.*"default/(${[...bad].join('|')}):http cluster IP"`, 'commit'))

  await using switchyard = await startSwitchyard({ node, path: toolbox.path, arguments: ['--iptables-backend', backend] })
  const report = await switchyard.waitForSync()
  assert.equal(report['quarantined'], bad.size)
  assert.deepEqual(
    new Set(switchyard.linesSince(0, /quarantined/).map(line => line['service'])),
    new Set([...bad].map(name => `default/${name}`)),
  )
  const save = await node.save({ backend })
  for (const { name, endpoints } of services) {
    assert.equal(save.includes(`default/${name}:http`), !bad.has(name), name)
    assert.equal(save.includes(`${endpoints[0]}:8080`), !bad.has(name), name)
  }
}

function toolOf(backend: Backend): string {
  return `iptables-${backend}-restore`
}
