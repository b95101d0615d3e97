// Which backend of iptables a daemon takes on which host, what it says about it, and that looking leaves no trace.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Backend } from '../../../src/kernel/iptables.ts'
import { createNode, type TestNode } from '../../support/daemon/node.ts'
import { web } from '../../support/daemon/objects.ts'
import { manifestsOf, putManifest, startSwitchyard } from '../../support/daemon/switchyard.ts'
import { createToolbox, type Toolbox } from '../../support/daemon/toolbox.ts'

interface Host {
  readonly title: string
  readonly prepare: (node: TestNode, toolbox: Toolbox) => Promise<void>
  readonly arguments?: readonly string[]
  /** `plain`: what iptables without a suffix is on this machine. */
  readonly takes: Backend | 'plain'
  readonly says: RegExp
  /** What is said at level error; nothing otherwise. */
  readonly complains?: RegExp
}

const rules = '*filter\n-A INPUT -s 192.0.2.1/32 -j ACCEPT\n-A INPUT -s 192.0.2.2/32 -j ACCEPT\nCOMMIT\n'
const hint = '*mangle\n:KUBE-IPTABLES-HINT - [0:0]\n:KUBE-KUBELET-CANARY - [0:0]\nCOMMIT\n'
const proxy = '*nat\n:KUBE-SERVICES - [0:0]\n-A PREROUTING -j KUBE-SERVICES\nCOMMIT\n'
const toolsOf = (backend: Backend): readonly string[] => ['', '-save', '-restore'].map(suffix => `iptables-${backend}${suffix}`)

const hosts: readonly Host[] = [
  { title: 'an empty host', prepare: async () => {}, takes: 'plain', says: /it is what plain iptables is/ },
  {
    title: 'a host with rules in nft',
    prepare: node => node.restore({ backend: 'nft' }, rules),
    takes: 'nft',
    says: /most rules are there \(nft 2, legacy 0\)/,
  },
  {
    title: 'a host with rules in legacy',
    prepare: node => node.restore({ backend: 'legacy' }, rules),
    takes: 'legacy',
    says: /most rules are there \(nft 0, legacy 2\)/,
  },
  {
    title: "a host with rules in nft where kubelet's chains are in legacy",
    prepare: async node => {
      await node.restore({ backend: 'nft' }, rules)
      await node.restore({ backend: 'legacy' }, hint)
    },
    takes: 'legacy',
    says: /kubelet's hint chain is there/,
  },
  {
    title: "a host with rules in legacy where kubelet's chains are in nft: both hold rules, which is said",
    prepare: async node => {
      await node.restore({ backend: 'legacy' }, rules)
      await node.restore({ backend: 'nft' }, hint + proxy)
    },
    takes: 'nft',
    says: /kubelet's hint chain is there/,
    complains:
      /^both iptables backends of this host hold rules \(took nft: kubelet's hint chain is there\); packets pass both; .*--iptables-backend=nft or =legacy/,
  },
  {
    title: 'a host with rules in both, and those of a service proxy in legacy',
    prepare: async node => {
      await node.restore({ backend: 'nft' }, rules)
      await node.restore({ backend: 'legacy' }, proxy)
    },
    takes: 'legacy',
    says: /a service proxy's chains are there/,
    complains: /^both iptables backends of this host hold rules \(took legacy: /,
  },
  {
    title: 'whatever the host has, the one that the operator names',
    prepare: async node => {
      await node.restore({ backend: 'nft' }, rules + hint)
      await node.restore({ backend: 'legacy' }, proxy)
    },
    arguments: ['--iptables-backend=nft'],
    takes: 'nft',
    says: /as configured/,
  },
  {
    title: 'a host without the programs of nft',
    prepare: async (_, toolbox) => {
      for (const tool of toolsOf('nft')) await toolbox.remove(tool)
    },
    takes: 'legacy',
    says: /the nft backend does not work here/,
  },
  {
    title: 'a host without the programs of legacy',
    prepare: async (_, toolbox) => {
      for (const tool of toolsOf('legacy')) await toolbox.remove(tool)
    },
    takes: 'nft',
    says: /the legacy backend does not work here/,
  },
]

describe('the backend of iptables on', { concurrency: 3 }, () => {
  for (const host of hosts) it(host.title, () => check(host))
  it('a host without any: what to install is said', () => nothingInstalled())
})

async function check({ prepare, arguments: more = [], takes, says, complains }: Host): Promise<void> {
  await using node = await createNode('backend')
  const toolbox = await createToolbox(node.directory)
  await prepare(node, toolbox)
  const legacyBefore = await legacyTables(node)
  await putManifest(manifestsOf(node), 'web.yaml', web({ name: 'web', number: 1, endpoints: ['10.244.0.1'] }))
  await using switchyard = await startSwitchyard({ node, path: toolbox.path, arguments: more })
  const { msg, backend } = await switchyard.waitForLog(/^iptables backend/)
  assert.equal(backend, takes === 'plain' ? await plainBackend(node) : takes)
  assert.match(msg, says)
  await switchyard.waitForSync()
  assert.match(await node.save({ backend: backend === 'legacy' ? 'legacy' : 'nft' }), /10\.244\.0\.1:8080/)
  if (backend === 'nft') assert.equal(await legacyTables(node), legacyBefore, 'looking at legacy must not make its tables')
  const errors = switchyard.log.filter(({ level }) => level === 'error')
  if (complains === undefined) assert.deepEqual(errors, [])
  else assert.match(errors.map(line => line.msg).join('\n'), complains)
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
