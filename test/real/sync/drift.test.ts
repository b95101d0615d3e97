// Whatever someone else does to our rules is noticed, said and mended; nothing is written where nothing is wrong.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type Backend, type Table, tables } from '../../../src/kernel/iptables.ts'
import { createNode, type TestNode } from '../../support/daemon/node.ts'
import { web } from '../../support/daemon/objects.ts'
import { chainFor, chainsOf, endpointChains } from '../../support/daemon/rules.ts'
import { frequentChecks, manifestsOf, putManifest, type Switchyard, startSwitchyard } from '../../support/daemon/switchyard.ts'
import { createToolbox, type Toolbox } from '../../support/daemon/toolbox.ts'
import { whileStopped } from '../../support/daemon/while-stopped.ts'

/** Chains of the Services default/web and default/other. */
interface Names {
  readonly service: string
  readonly endpoint: string
  readonly otherService: string
  readonly otherEndpoint: string
}

interface Vandalism {
  readonly title: string
  /** What iptables-restore does to the table, by lines. */
  readonly nat?: (names: Names) => readonly string[]
  readonly filter?: (names: Names) => readonly string[]
  /** These tables are replaced by empty ones. */
  readonly loses?: readonly Table[]
  /** All of this stands in the one line that the log has about it. */
  readonly says: (names: Names) => readonly string[]
}

const ruleOfWeb = ({ service }: Names): string =>
  `KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m comment --comment "default/web:http cluster IP" -m tcp --dport 80 -j ${service}`

const vandalism: readonly Vandalism[] = [
  {
    title: 'chains of Services: a rule less, a rule more, an emptied chain, one that is gone, and one that nobody asked for',
    nat: ({ service, endpoint, otherService, otherEndpoint }) => [
      ...[`-D ${service} 2`, `-I ${service} -s 192.0.2.1/32 -j RETURN`, `-D ${endpoint} 1`],
      ...[`:${otherService} - [0:0]`, `:${otherEndpoint} - [0:0]`, `-X ${otherEndpoint}`],
      ...[':KUBE-SEP-AAAAAAAAAAAAAAAA - [0:0]', '-A KUBE-SEP-AAAAAAAAAAAAAAAA -j RETURN'],
    ],
    says: ({ service, endpoint, otherService, otherEndpoint }) => [
      `changed: nat chain ${service} (Service default/web)`,
      `changed: nat chain ${endpoint} (Service default/web)`,
      `missing: nat chain ${otherService}: all its rules (Service default/other)`,
      `missing: nat chain ${otherEndpoint} (Service default/other)`,
      'unexpected: nat chain KUBE-SEP-AAAAAAAAAAAAAAAA',
    ],
  },
  {
    title: 'a flushed KUBE-SERVICES',
    nat: () => [':KUBE-SERVICES - [0:0]'],
    says: () => ['missing: nat chain KUBE-SERVICES: all its rules'],
  },
  {
    title: 'one rule of KUBE-SERVICES replaced by one of somebody else',
    nat: names => [`-D ${ruleOfWeb(names)}`, '-I KUBE-SERVICES -s 192.0.2.1/32 -j ACCEPT'],
    says: names => [
      `missing: nat chain KUBE-SERVICES: rule ${ruleOfWeb(names).replace('KUBE-SERVICES ', '')} (Service default/web)`,
      'unexpected: nat chain KUBE-SERVICES: rule -s 192.0.2.1/32 -j ACCEPT',
    ],
  },
  {
    title: 'a rule that stands twice',
    nat: names => [`-I ${ruleOfWeb(names)}`],
    says: () => ['changed: nat chain KUBE-SERVICES: order of its rules, or one that stands twice'],
  },
  {
    title: 'a rule after the one that must be last',
    nat: () => ['-A KUBE-SERVICES -s 192.0.2.1/32 -j ACCEPT'],
    says: () => ['unexpected: nat chain KUBE-SERVICES: rule -s 192.0.2.1/32 -j ACCEPT'],
  },
  {
    title: 'jumps from the built-in chains that are gone',
    nat: () => ['-D PREROUTING 1', '-D POSTROUTING 1'],
    filter: () => ['-D FORWARD 1', '-D INPUT 1'],
    says: () => [
      'missing: nat chain PREROUTING: rule -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
      'missing: nat chain POSTROUTING: rule',
      'missing: filter chain FORWARD: rule',
      'missing: filter chain INPUT: rule',
    ],
  },
  {
    title: 'a broken and an emptied chain of masquerading',
    nat: () => ['-D KUBE-POSTROUTING 1', ':KUBE-MARK-MASQ - [0:0]'],
    says: () => ['changed: nat chain KUBE-POSTROUTING', 'missing: nat chain KUBE-MARK-MASQ: all its rules'],
  },
  {
    title: 'the guard of 127.0.0.0/8 and a refusal that are gone',
    filter: () => [':KUBE-FIREWALL - [0:0]', ':KUBE-SERVICES - [0:0]'],
    says: () => [
      'missing: filter chain KUBE-FIREWALL: rule ! -s 127.0.0.0/8',
      'missing: filter chain KUBE-SERVICES: all its rules',
    ],
  },
  {
    title: 'a filter table that is empty',
    loses: ['filter'],
    says: () => ['missing: filter chain KUBE-FIREWALL', 'missing: filter chain INPUT: rule', 'more'],
  },
  {
    title: 'a nat table that is empty',
    loses: ['nat'],
    says: () => ['missing: nat chain PREROUTING: rule', 'missing: nat chain KUBE-MARK-MASQ', 'more'],
  },
  {
    title: 'tables that are both empty',
    loses: ['nat', 'filter'],
    says: () => ['missing: filter chain INPUT: rule', 'more'],
  },
]

interface Scene extends Names {
  readonly backend: Backend
  readonly node: TestNode
  readonly toolbox: Toolbox
  readonly switchyard: Switchyard
  /** The rules as they should be. */
  readonly wanted: Readonly<Record<string, readonly string[]>>
}

describe('rules that someone else changes', { concurrency: true }, () => {
  for (const backend of ['nft', 'legacy'] as const) {
    describe(`${backend} backend`, { concurrency: false }, () => {
      const resources = new AsyncDisposableStack()
      let scene: Scene
      before(async () => {
        scene = await begin(backend, resources)
      })
      after(() => resources.disposeAsync())
      it('are left alone as long as nothing is wrong', () => writesNothing(scene, {}))
      for (const one of vandalism) it(`are repaired: ${one.title}`, () => repairs(scene, one))
      it('are left alone where they are not ours: policies, rules beside ours', () => leavesOthers(scene))
    })
  }
})

async function begin(backend: Backend, resources: AsyncDisposableStack): Promise<Scene> {
  const node = resources.use(await createNode('drift'))
  const toolbox = await createToolbox(node.directory)
  await putManifest(manifestsOf(node), 'cluster.yaml', [
    ...web({ name: 'web', number: 1, endpoints: ['10.244.0.1', '10.244.0.2'] }),
    ...web({ name: 'other', number: 2, endpoints: ['10.244.0.3'] }),
    ...web({ name: 'empty', number: 3, endpoints: [] }),
  ])
  const options = { node, path: toolbox.path, arguments: ['--iptables-backend', backend, '-v', '2'], config: frequentChecks }
  const switchyard = resources.use(await startSwitchyard(options))
  await switchyard.waitForSync()
  await switchyard.waitForSync({ family: 'IPv6' })
  const save = await node.save({ backend })
  const [service, otherService] = ['web', 'other'].map(name => chainFor(save, `default/${name}:http cluster IP`))
  const [endpoint, otherEndpoint] = [service, otherService].map(chain => endpointChains(save, chain ?? '')[0])
  assert.ok(service && otherService && endpoint && otherEndpoint)
  const names = { service, otherService, endpoint, otherEndpoint }
  return { backend, node, toolbox, switchyard, ...names, wanted: comparableRules(save) }
}

async function repairs(scene: Scene, { nat, filter, loses, says }: Vandalism): Promise<void> {
  const { backend, node, switchyard } = scene
  const mark = switchyard.mark()
  const table = (name: Table, lines: readonly string[] = []) => [`*${name}`, ...lines, 'COMMIT', ''].join('\n')
  // One table is changed after the other: a look in between would see half of it.
  await whileStopped(switchyard, () =>
    loses === undefined
      ? node.restore({ backend }, table('nat', nat?.(scene)) + table('filter', filter?.(scene)))
      : node.replaceTables({ backend }, loses.map(name => table(name)).join('')),
  )
  const { msg, level } = await switchyard.waitForLog(/^someone changed the kernel's IPv4 rules/, { since: mark })
  for (const words of says(scene)) assert.ok(msg.includes(words), `the log does not say: ${words}\n${msg}`)
  assert.equal(level, 'warn')
  await switchyard.waitForLog(/^repaired \d+ differences in IPv4/, { since: mark })
  assert.deepEqual(comparableRules(await node.save({ backend })), scene.wanted)
}

async function leavesOthers(scene: Scene): Promise<void> {
  const { backend, node } = scene
  const rules = ['INPUT -s 192.0.2.9', 'OUTPUT -d 192.0.2.9', 'KUBE-FIREWALL -s 192.0.2.9'].map(rule => `-I ${rule} -j ACCEPT`)
  await node.edit({ backend }, [
    '-P INPUT DROP',
    '-P FORWARD DROP',
    '-N MY-CHAIN',
    ...rules,
    '-t nat -A PREROUTING -s 192.0.2.9 -j ACCEPT',
  ])
  const before = await node.save({ backend })
  await writesNothing(scene, { full: true })
  assert.equal(await node.save({ backend }), before)
}

async function writesNothing({ toolbox, switchyard }: Scene, { full = false }: { readonly full?: boolean }): Promise<void> {
  const mark = switchyard.mark()
  await toolbox.forget()
  await Promise.all([switchyard.waitForChecks({ full }), switchyard.waitForChecks({ family: 'IPv6' })])
  assert.deepEqual(await toolbox.calls(), [])
  assert.deepEqual(
    switchyard.log.slice(mark).filter(({ level }) => level !== 'debug'),
    [],
  )
}

/** Chain → rules; of those chains whose rules are a set, and of those that all share, sorted; the last rule of KUBE-SERVICES last. */
function comparableRules(save: string): Readonly<Record<string, readonly string[]>> {
  const inOrder = /^KUBE-(SVC|SEP|POSTROUTING|MARK-MASQ|FORWARD)/
  const entries = tables.flatMap(table =>
    [...chainsOf(save, table)].map(([chain, rules]) => {
      const last = rules.at(-1) ?? ''
      return [`${table} ${chain}`, inOrder.test(chain) ? rules : [...rules.slice(0, -1).sort(), last]] as const
    }),
  )
  return Object.fromEntries(entries)
}
