// Which backend of iptables a daemon takes on which host, what it says about it, and that looking leaves no trace.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createExec } from '../../../src/kernel/exec.ts'
import type { Backend } from '../../../src/kernel/iptables.ts'
import { probeBackend } from '../../../src/kernel/probe.ts'
import { startBackground } from '../../support/daemon/background.ts'
import { createNode, type TestNode } from '../../support/daemon/node.ts'
import { web } from '../../support/daemon/objects.ts'
import { manifestsOf, putManifest, startSwitchyard } from '../../support/daemon/switchyard.ts'
import { createToolbox, type Toolbox } from '../../support/daemon/toolbox.ts'

interface Host {
  readonly title: string
  readonly prepare: (node: TestNode, toolbox: Toolbox) => Promise<void>
  /** `plain`: what iptables without a suffix is on this machine. */
  readonly takes: Backend | 'plain'
  readonly reason: RegExp
  readonly ambiguous?: boolean
}

const rules = '*filter\n-A INPUT -s 192.0.2.1/32 -j ACCEPT\n-A INPUT -s 192.0.2.2/32 -j ACCEPT\nCOMMIT\n'
const hint = '*mangle\n:KUBE-IPTABLES-HINT - [0:0]\n:KUBE-KUBELET-CANARY - [0:0]\nCOMMIT\n'
const proxy = '*nat\n:KUBE-SERVICES - [0:0]\n-A PREROUTING -j KUBE-SERVICES\nCOMMIT\n'
const toolsOf = (backend: Backend): readonly string[] => ['', '-save', '-restore'].map(suffix => `iptables-${backend}${suffix}`)

const hosts: readonly Host[] = [
  { title: 'an empty host', prepare: async () => {}, takes: 'plain', reason: /it is what plain iptables is/ },
  {
    title: 'a host with rules in nft',
    prepare: node => node.restore({ backend: 'nft' }, rules),
    takes: 'nft',
    reason: /most rules are there \(nft 2, legacy 0\)/,
  },
  {
    title: 'a host with rules in legacy',
    prepare: node => node.restore({ backend: 'legacy' }, rules),
    takes: 'legacy',
    reason: /most rules are there \(nft 0, legacy 2\)/,
  },
  {
    title: "a host with rules in nft where kubelet's chains are in legacy",
    prepare: async node => {
      await node.restore({ backend: 'nft' }, rules)
      await node.restore({ backend: 'legacy' }, hint)
    },
    takes: 'legacy',
    reason: /kubelet's hint chain is there/,
  },
  {
    title: "a host with rules in legacy where kubelet's chains are in nft: both hold rules, which is said",
    prepare: async node => {
      await node.restore({ backend: 'legacy' }, rules)
      await node.restore({ backend: 'nft' }, hint + proxy)
    },
    takes: 'nft',
    reason: /kubelet's hint chain is there/,
    ambiguous: true,
  },
  {
    title: 'a host with rules in both, and those of a service proxy in legacy',
    prepare: async node => {
      await node.restore({ backend: 'nft' }, rules)
      await node.restore({ backend: 'legacy' }, proxy)
    },
    takes: 'legacy',
    reason: /a service proxy's chains are there/,
    ambiguous: true,
  },
  {
    title: 'a host without the programs of nft',
    prepare: async (_, toolbox) => {
      for (const tool of toolsOf('nft')) await toolbox.remove(tool)
    },
    takes: 'legacy',
    reason: /the nft backend does not work here/,
  },
  {
    title: 'a host without the programs of legacy',
    prepare: async (_, toolbox) => {
      for (const tool of toolsOf('legacy')) await toolbox.remove(tool)
    },
    takes: 'nft',
    reason: /the legacy backend does not work here/,
  },
]

describe('the backend of iptables on', { concurrency: 2 }, () => {
  for (const host of hosts) it(host.title, () => probe(host))
})

describe('a daemon', { concurrency: true }, () => {
  it('programs the backend that it finds, and says so where both hold rules', () => bothHoldRules())
  it('takes the backend that the operator names, whatever the host has', () => named())
  it('says what to install on a host without iptables, and starts to work when it is there', () => nothingInstalled())
})

async function probe({ prepare, takes, reason, ambiguous = false }: Host): Promise<void> {
  await using node = await createNode('backend')
  const toolbox = await createToolbox(node.directory)
  await prepare(node, toolbox)
  await using inside = await startBackground(node, ['sleep', '1000'])
  const legacyBefore = await legacyTables(node)
  const exec = createExec({ prefix: ['ip', 'netns', 'exec', node.namespace, 'env', `PATH=${toolbox.path}`] })
  const choice = await probeBackend({ family: 'IPv4', exec, procNet: `/proc/${inside.pid}/net` })
  assert.equal(choice.backend, takes === 'plain' ? await plainBackend(node) : takes)
  assert.match(choice.reason, reason)
  assert.equal(choice.ambiguous, ambiguous)
  assert.equal(await legacyTables(node), legacyBefore, 'looking at legacy must not make its tables')
}

async function bothHoldRules(): Promise<void> {
  await using node = await preparedNode()
  await using switchyard = await startSwitchyard({ node })
  const { msg, backend } = await switchyard.waitForLog(/^iptables backend/)
  assert.equal(backend, 'nft')
  assert.match(msg, /^iptables backend nft: kubelet's hint chain is there/)
  const complaint = await switchyard.waitForLog(/^both iptables backends of this host hold rules/)
  assert.equal(complaint.level, 'error')
  assert.match(
    complaint.msg,
    /\(took nft: kubelet's hint chain is there\); packets pass both; .*--iptables-backend=nft or =legacy/,
  )
  await switchyard.waitForSync()
  assert.match(await node.save({ backend: 'nft' }), /10\.244\.0\.1:8080/)
  assert.doesNotMatch(await node.save({ backend: 'legacy' }), /KUBE-MARK-MASQ/)
}

async function named(): Promise<void> {
  await using node = await preparedNode()
  await using switchyard = await startSwitchyard({ node, arguments: ['--iptables-backend=legacy'] })
  const { msg } = await switchyard.waitForLog(/^iptables backend/)
  assert.equal(msg, 'iptables backend legacy, as configured')
  await switchyard.waitForSync()
  assert.match(await node.save({ backend: 'legacy' }), /10\.244\.0\.1:8080/)
  assert.deepEqual(
    switchyard.log.filter(({ level }) => level === 'error'),
    [],
  )
}

/** Rules of others in both backends, and kubelet's chains in nft. */
async function preparedNode(): Promise<TestNode> {
  const node = await createNode('backend')
  await node.restore({ backend: 'nft' }, rules + hint)
  await node.restore({ backend: 'legacy' }, rules)
  await putManifest(manifestsOf(node), 'web.yaml', web({ name: 'web', number: 1, endpoints: ['10.244.0.1'] }))
  return node
}

async function nothingInstalled(): Promise<void> {
  await using node = await createNode('backend')
  const toolbox = await createToolbox(node.directory)
  const families = ['iptables', 'ip6tables']
  const missing = families.flatMap(name =>
    ['', '-nft', '-legacy'].flatMap(backend => ['', '-save', '-restore'].map(end => name + backend + end)),
  )
  for (const tool of missing) await toolbox.remove(tool)
  await using switchyard = await startSwitchyard({ node, path: toolbox.path })
  const { msg } = await switchyard.waitForLog(/^iptables backend nft/)
  assert.match(msg, /no backend works here/)
  for (const name of families) {
    const failed = await switchyard.waitForLog(new RegExp(`failed: ${name}-nft-save: no such program`))
    assert.match(failed.msg, /install the package .*\(Debian: apt-get install iptables\)/)
  }
  for (const tool of missing) await toolbox.putBack(tool)
  await switchyard.waitForSync({ family: 'IPv4' })
}

async function plainBackend(node: TestNode): Promise<Backend> {
  return (await node.run(['iptables', '--version'])).includes('legacy') ? 'legacy' : 'nft'
}

async function legacyTables(node: TestNode): Promise<string> {
  return node.run(['sh', '-c', 'cat /proc/net/ip_tables_names 2>/dev/null || true'])
}
