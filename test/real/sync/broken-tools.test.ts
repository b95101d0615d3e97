// The tools themselves fail, or are not there: nothing that is programmed is lost, nobody is blamed, one family does not wait for
// the other, it is said once, and it is over when the tool works again.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { lockHeld, refuseEverything } from '../../support/daemon/faults.ts'
import { createNode, type TestNode } from '../../support/daemon/node.ts'
import { type Manifest, web, web6 } from '../../support/daemon/objects.ts'
import { frequentChecks, manifestsOf, putManifest, type Switchyard, startSwitchyard } from '../../support/daemon/switchyard.ts'
import { createToolbox, type Toolbox } from '../../support/daemon/toolbox.ts'

interface Trouble {
  readonly title: string
  readonly begin: (toolbox: Toolbox) => Promise<void>
  readonly end: (toolbox: Toolbox) => Promise<void>
  /** What the log says of it. */
  readonly says: RegExp
}

const restore = 'iptables-nft-restore'
const mend = (toolbox: Toolbox): Promise<void> => toolbox.mend(restore)

const troubles: readonly Trouble[] = [
  {
    title: 'that refuses everything and names no line',
    begin: toolbox => toolbox.break(restore, refuseEverything('something is wrong with this machine')),
    end: mend,
    says: /iptables-nft-restore --noflush: iptables-nft-restore: something is wrong with this machine; what is programmed stays/,
  },
  {
    title: 'that refuses everything and always names a line',
    begin: toolbox => toolbox.break(restore, refuseEverything('line 3 failed')),
    end: mend,
    says: /iptables-nft-restore: line 3 failed/,
  },
  {
    title: 'that does not get its lock',
    begin: toolbox => toolbox.break(restore, lockHeld),
    end: mend,
    says: /another program holds the xtables lock/,
  },
  {
    title: 'that is gone',
    begin: toolbox => toolbox.remove(restore),
    end: toolbox => toolbox.putBack(restore),
    says: /no such program; install the package that has iptables-nft-restore \(Debian: apt-get install iptables\)/,
  },
]

const both = (endpoint: number): readonly Manifest[] => [
  ...web({ name: 'four', number: 1, endpoints: [`10.244.0.${endpoint}`] }),
  ...web6({ name: 'six', number: 1, endpoints: [`fd00:10:244::${endpoint}`] }),
]

describe('an iptables-restore', () => {
  const resources = new AsyncDisposableStack()
  let scene: Scene
  before(async () => {
    scene = await begin(resources)
  })
  after(() => resources.disposeAsync())
  for (const trouble of troubles)
    it(`${trouble.title} does no harm, and is used again when it works`, () => passes(scene, trouble))
})

describe('tools of one family that do not work from the start', { concurrency: true }, () => {
  for (const family of ['IPv4', 'IPv6'] as const) it(`do not stop the other: ${family}`, () => otherFamily({ fails: family }))
  it('are named once with their package where they are not installed', () => withoutIp6tables())
})

interface Scene {
  readonly node: TestNode
  readonly toolbox: Toolbox
  readonly switchyard: Switchyard
  /** Counts the changes of the cluster. */
  generation: number
}

async function begin(resources: AsyncDisposableStack): Promise<Scene> {
  const node = resources.use(await createNode('broken'))
  const toolbox = await createToolbox(node.directory)
  await putManifest(manifestsOf(node), 'cluster.yaml', both(1))
  const switchyard = resources.use(await startSwitchyard(options(node, toolbox)))
  await switchyard.waitForSync({ family: 'IPv4' })
  await switchyard.waitForSync({ family: 'IPv6' })
  return { node, toolbox, switchyard, generation: 1 }
}

async function passes(scene: Scene, { begin, end, says }: Trouble): Promise<void> {
  const { node, toolbox, switchyard } = scene
  const generation = ++scene.generation
  const programmed = await node.save({ backend: 'nft' })
  const mark = switchyard.mark()
  await begin(toolbox)
  await switchyard.put('cluster.yaml', both(generation))
  const { msg, level } = await switchyard.waitForLog(/^sync of IPv4 failed/, { since: mark })
  assert.match(msg, says)
  assert.equal(level, 'error')
  // The second try comes, and is not said aloud.
  await switchyard.waitForLog(/^sync of IPv4 failed 2 times in a row/, { since: mark })
  assert.equal(switchyard.linesSince(mark, /^sync of IPv4 failed/).filter(line => line.level === 'error').length, 1)
  assert.deepEqual(switchyard.linesSince(mark, /quarantined/), [], 'no Service is to blame')
  assert.equal(await node.save({ backend: 'nft' }), programmed, 'what is programmed stays')
  const other = { backend: 'nft', family: 'IPv6' } as const
  await switchyard.waitForRules(other, save => save.includes(`fd00:10:244::${generation}]:8080`), 'the change')

  await end(toolbox)
  await switchyard.waitForRules({ backend: 'nft' }, save => save.includes(`10.244.0.${generation}:8080`), 'the change')
  await switchyard.waitForLog(/^sync of IPv4 works again after \d+ failed tries/, { since: mark })
}

async function otherFamily({ fails }: { fails: 'IPv4' | 'IPv6' }): Promise<void> {
  const [broken, works] = fails === 'IPv4' ? (['IPv4', 'IPv6'] as const) : (['IPv6', 'IPv4'] as const)
  const tool = fails === 'IPv4' ? 'iptables-nft-restore' : 'ip6tables-nft-restore'
  await using node = await createNode('broken')
  const toolbox = await createToolbox(node.directory)
  await putManifest(manifestsOf(node), 'cluster.yaml', both(1))
  await toolbox.break(tool, refuseEverything('no'))
  await using switchyard = await startSwitchyard(options(node, toolbox))
  await switchyard.waitForSync({ family: works })
  await switchyard.waitForLog(new RegExp(`^sync of ${broken} failed`))
  await switchyard.put('cluster.yaml', both(2))
  await switchyard.waitForRules(
    { backend: 'nft', family: works },
    save => /(10\.244\.0\.2|fd00:10:244::2\]):8080/.test(save),
    'a change',
  )
  await node.edit({ backend: 'nft', family: works }, ['-t nat -F KUBE-SERVICES'])
  await switchyard.waitForLog(new RegExp(`^repaired \\d+ differences in ${works}`))
  assert.doesNotMatch(await node.save({ backend: 'nft', family: broken }), /KUBE-SERVICES/)
  await toolbox.mend(tool)
  await switchyard.waitForSync({ family: broken })
}

async function withoutIp6tables(): Promise<void> {
  await using node = await createNode('broken')
  const toolbox = await createToolbox(node.directory)
  const tools = ['ip6tables-nft', 'ip6tables-nft-save', 'ip6tables-nft-restore']
  for (const tool of tools) await toolbox.remove(tool)
  await putManifest(manifestsOf(node), 'cluster.yaml', both(1))
  await using switchyard = await startSwitchyard(options(node, toolbox))
  const { msg } = await switchyard.waitForLog(/^sync of IPv6 failed/)
  assert.match(
    msg,
    /ip6tables-nft-save: no such program; install the package that has ip6tables-nft-save \(Debian: apt-get install iptables\)/,
  )
  await switchyard.waitForLog(/^sync of IPv6 failed 2 times in a row/)
  assert.equal(switchyard.linesSince(0, /^sync of IPv6 failed/).filter(({ level }) => level === 'error').length, 1)
  await switchyard.put('cluster.yaml', both(2))
  await switchyard.waitForRules({ backend: 'nft' }, save => save.includes('10.244.0.2:8080'), 'a change')
  for (const tool of tools) await toolbox.putBack(tool)
  await switchyard.waitForSync({ family: 'IPv6' })
}

/** At -v 2 the log has what is not said again aloud. */
function options(node: TestNode, toolbox: Toolbox) {
  return { node, path: toolbox.path, arguments: ['--iptables-backend', 'nft', '-v', '2'], config: frequentChecks }
}
