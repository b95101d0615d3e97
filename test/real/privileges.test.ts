// The privileges, tested and not claimed: the bundle in the image's own tree, as the DaemonSet starts it (read-only root, NET_ADMIN and
// NET_RAW only, the host paths that it names), does its whole work. The measure is an unrestricted run from the checkout.
import assert from 'node:assert/strict'
import { copyFile, mkdir, mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { parseAllDocuments } from 'yaml'
import { build as buildBundle } from '../../scripts/build.ts'
import { toolsOf } from '../../src/kernel/iptables.ts'
import { type Image, imageOf } from '../deploy/container.ts'
import { container, podSpec, present } from '../deploy/daemon-set.ts'
import { lockOf, startAgent, startApiServerOn } from '../deploy/restricted-agent.ts'
import type { ApiObject } from '../support/apiserver/index.ts'
import { createNode, type Rules, type TestNode } from '../support/daemon/node.ts'
import { startSwitchyard } from '../support/daemon/switchyard.ts'
import { comparable } from '../support/iptables-compare.ts'
import { poll } from '../support/lab/poll.ts'

type Backend = Rules['backend']

const golden = join(import.meta.dirname, '../golden')

/** Matches and targets of every extension that is ever used. */
const scenarios = ['clusterip', 'nodeport-local', 'affinity-default', 'loadbalancer-source-ranges', 'no-endpoints', 'dual-stack']
const objectFiles = [join(golden, 'cluster.yaml'), ...scenarios.map(name => join(golden, name, 'objects.yaml'))]
const clusterCidr = '10.244.0.0/16,fd00:10:244::/56'

describe('the privileges of the DaemonSet', () => {
  let folder: string
  let image: Image
  let manifests: string
  const unrestricted = new Map<Backend, KernelRules>()

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'switchyard-privileges-'))
    manifests = join(folder, 'manifests')
    await buildBundle(join(folder, 'bundle'))
    image = await imageOf(join(folder, 'bundle'))
    await mkdir(manifests)
    for (const [index, file] of objectFiles.entries()) await copyFile(file, join(manifests, `${index}.yaml`))
    for (const backend of ['nft', 'legacy'] as const) unrestricted.set(backend, await unrestrictedRun(backend, manifests))
  })
  after(() => rm(folder, { recursive: true, force: true }))

  const onManifests = (backend: Backend) => ({
    image,
    clusterCidr,
    extraMounts: [[manifests, '/manifests']] as const,
    extraArguments: ['--manifests=/manifests', `--iptables-backend=${backend}`],
  })

  for (const backend of ['nft', 'legacy'] as const) {
    test(`suffice for the whole work with the ${backend} backend`, async () => {
      await using node = await createNode('restricted')
      await using agent = await startAgent({ node, ...onManifests(backend) })
      await agent.waitForOutput(/synced IPv4/)
      await agent.waitForOutput(/synced IPv6/)
      const rules = await rulesOf(node, backend)
      assert.deepEqual(rules, unrestricted.get(backend))
      assert.ok(Object.keys(rules).some(chain => chain.startsWith('IPv6 nat KUBE-SVC-')))
      assert.equal(await agent.stop(), 0)
      assert.deepEqual(await rulesOf(node, backend), rules, 'the rules stay when it ends')
    })
  }

  test("suffice to follow an API server by the pod's service account, with the command line of the DaemonSet alone", async () => {
    await using node = await createNode('restricted')
    await node.run(['ip', 'link', 'set', 'lo', 'up'])
    await using server = await startApiServerOn(node, await apiObjects())
    await using agent = await startAgent({ node, image, clusterCidr, server: server.url, serviceAccount: server.folder })
    await agent.waitForOutput(/synced IPv4/)
    await agent.waitForOutput(/synced IPv6/)
    // The Node comes by a watch of its own, maybe after the first rules.
    const asWanted = async () => isDeepStrictEqual(await rulesOf(node, 'nft'), unrestricted.get('nft')) || undefined
    await poll(asWanted, { what: 'the rules of the unrestricted run', everyMs: 100, context: () => agent.lastLines() })
    for (const { path, port } of await probes()) {
      const ask = `fetch('http://127.0.0.1:${port}${path}').then(answer => console.log(answer.status))`
      const ready = async () => (await node.run([process.execPath, '-e', ask])).trim() === '200' || undefined
      await poll(ready, { what: `200 from ${path}, which a probe asks`, everyMs: 100 })
    }
    assert.equal(await agent.stop(), 0)
  })

  test('suffice for a log for people', async () => {
    await using node = await createNode('restricted')
    const { extraArguments, ...others } = onManifests('nft')
    await using agent = await startAgent({ node, ...others, extraArguments: [...extraArguments, '--logging-format=text'] })
    await agent.waitForOutput(/^\[[\d:.]+\] INFO: synced IPv4/)
  })

  test('suffice for parameters below /proc/sys/net, through the mount that the flags name', async () => {
    await using node = await createNode('restricted')
    await using agent = await startAgent({ node, ...onManifests('nft') })
    await agent.waitForOutput(/route_localnet: 0 -> 1/)
    assert.equal((await node.run(['cat', '/proc/sys/net/ipv4/conf/all/route_localnet'])).trim(), '1')
  })

  test('are what the kernel says that the process has', async () => {
    await using node = await createNode('restricted')
    const look =
      'grep -E "^(CapPrm|CapEff|CapBnd|CapAmb|NoNewPrivs)" /proc/self/status; touch /written /etc/written /tmp/written; stat -c "lock %i" /run/xtables.lock'
    await using agent = await startAgent({ node, image, command: ['sh', '-c', look] })
    await agent.end()
    const both = (1n << 12n) | (1n << 13n)
    const status = Object.fromEntries(agent.output.map(line => line.split(/[:\s]+/, 2)))
    for (const set of ['CapPrm', 'CapEff', 'CapBnd'])
      assert.equal(BigInt(`0x${status[set]}`), both, `${set}: NET_ADMIN and NET_RAW`)
    assert.deepEqual([status['CapAmb'], status['NoNewPrivs']], ['0000000000000000', '1'])
    assert.equal(agent.output.filter(line => /cannot touch .*: Read-only file system/.test(line)).length, 3)
    assert.equal(status['lock'], String((await stat(lockOf(node))).ino), "the lock file is the host's own")
  })

  test('are enough to find every tool on the PATH', async () => {
    await using node = await createNode('restricted')
    const iptables = (['IPv4', 'IPv6'] as const).flatMap(family =>
      (['nft', 'legacy'] as const).flatMap(backend => {
        const { tool, save, restore } = toolsOf(family, backend)
        return [tool, save, restore]
      }),
    )
    const tools = [...iptables, 'conntrack', 'ip', 'ipset', 'ipvsadm', 'modprobe', 'nft']
    await using agent = await startAgent({
      node,
      image,
      command: ['sh', '-c', `for tool in ${tools.join(' ')}; do command -v $tool || exit 1; done`],
    })
    assert.equal(await agent.end(), 0, `missing: ${tools[agent.output.length]}`)
    assert.equal(agent.output.length, tools.length)
  })

  test('the legacy backend needs NET_RAW, and says so', async () => {
    await using node = await createNode('restricted')
    await using agent = await startAgent({ node, ...onManifests('legacy'), capabilities: ['NET_ADMIN'] })
    await agent.waitForOutput(/not permitted to change the kernel by the legacy backend .*CAP_NET_RAW/)
    assert.equal(await agent.end(), 1)
  })

  test('the nft backend does without NET_RAW', async () => {
    await using node = await createNode('restricted')
    await using agent = await startAgent({ node, ...onManifests('nft'), capabilities: ['NET_ADMIN'] })
    await agent.waitForOutput(/synced IPv4/)
    await agent.waitForOutput(/synced IPv6/)
    assert.deepEqual(await rulesOf(node, 'nft'), unrestricted.get('nft'))
  })

  test('without NET_ADMIN nothing works, which is said at once', async () => {
    await using node = await createNode('restricted')
    await using agent = await startAgent({ node, ...onManifests('nft'), capabilities: ['NET_RAW'] })
    await agent.waitForOutput(/not permitted to change the kernel: .*CAP_NET_ADMIN/)
    assert.equal(await agent.end(), 1)
  })

  test('the init container is the same image with all privileges, and ends well', async () => {
    await using node = await createNode('restricted')
    await using init = await startAgent({ node, image, name: 'init' })
    assert.equal(await init.end(), 0, init.lastLines())
  })
})

/** `IPv4 nat KUBE-SVC-...` → rules, in the words of whichever iptables this machine has. */
type KernelRules = Readonly<Record<string, readonly string[]>>

async function rulesOf(node: TestNode, backend: Backend): Promise<KernelRules> {
  const families = await Promise.all(
    (['IPv4', 'IPv6'] as const).map(async family => {
      const tables = (await node.save({ backend, family })).split(/^\*/m).slice(1)
      return tables.flatMap(table => {
        const [name = ''] = table.split('\n', 1)
        return Object.entries(comparable(`*${table}`)).map(([chain, rules]) => [`${family} ${name} ${chain}`, rules] as const)
      })
    }),
  )
  return Object.fromEntries(families.flat())
}

async function unrestrictedRun(backend: Backend, manifests: string): Promise<KernelRules> {
  await using node = await createNode('unrestricted')
  await using switchyard = await startSwitchyard({ node, arguments: ['--iptables-backend', backend, '--manifests', manifests] })
  await switchyard.waitForSync({ family: 'IPv4' })
  await switchyard.waitForSync({ family: 'IPv6' })
  return rulesOf(node, backend)
}

/** What kubelet would ask. */
async function probes(): Promise<readonly { readonly path: string; readonly port: number }[]> {
  const { livenessProbe, readinessProbe, startupProbe, ports = [] } = container(await podSpec(), 'switchyard')
  return [livenessProbe, readinessProbe, startupProbe].map(probe => {
    const { path = '', port: name } = present(probe?.httpGet, 'httpGet of a probe')
    return { path, port: present(ports.find(port => port.name === name)?.containerPort, `port ${name}`) }
  })
}

async function apiObjects(): Promise<readonly ApiObject[]> {
  const texts = await Promise.all(objectFiles.map(file => readFile(file, 'utf8')))
  const documents = texts.flatMap(text => parseAllDocuments(text).map(document => document.toJS()))
  return documents.flatMap(document => document?.items ?? (document === null ? [] : [document]))
}
