// Whatever is wrong from outside gets one clear message that names the thing and says what to do, and the rest works.
import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { createNode, type TestNode } from '../../support/daemon/node.ts'
import { web } from '../../support/daemon/objects.ts'
import { type RunOnceOptions, runOnce } from '../../support/daemon/run-once.ts'
import { manifestsOf, putManifest, type Switchyard, startSwitchyard, switchyardFlags } from '../../support/daemon/switchyard.ts'

describe('a manifest that is wrong', () => {
  const resources = new AsyncDisposableStack()
  let node: TestNode
  let switchyard: Switchyard
  before(async () => {
    node = resources.use(await createNode('bad-input'))
    await putManifest(manifestsOf(node), 'good.yaml', web({ name: 'good', number: 1, endpoints: ['10.244.0.1'] }))
    switchyard = resources.use(await startSwitchyard({ node }))
    await switchyard.waitForSync()
  })
  after(() => resources.disposeAsync())

  const [service, slice] = web({ name: 'other', number: 2, endpoints: ['10.244.0.2'] })
  const withSpec = (spec: object) => JSON.stringify({ ...service, spec })
  const wrong: readonly {
    readonly title: string
    readonly text: string
    readonly level: string
    readonly says: readonly RegExp[]
  }[] = [
    {
      title: 'YAML that cannot be parsed',
      text: 'apiVersion: v1\nkind: Service\nmetadata: {name: x\nspec: {}\n',
      level: 'error',
      says: [
        /wrong\.yaml: is no valid YAML at line 4, column \d+/,
        /Correct the file at this line/,
        /Nothing of it is served until then/,
      ],
    },
    {
      title: 'a Service without ports',
      text: withSpec({ clusterIP: '10.96.0.2' }),
      level: 'error',
      says: [
        /wrong\.yaml: Service default\/other: spec\.ports is empty; expected at least one port/,
        /It is not served until then/,
      ],
    },
    {
      title: 'a cluster IP that is none',
      text: withSpec({ clusterIP: '10.96.0.300', ports: [{ port: 80 }] }),
      level: 'error',
      says: [/Service default\/other: spec\.clusterIP is "10\.96\.0\.300"; expected an IPv4 or IPv6 address/, /Set the address/],
    },
    {
      title: 'an endpoint that is a host name, which iptables-restore would resolve',
      text: JSON.stringify({ ...slice, endpoints: [{ addresses: ['example.com'], conditions: { ready: true } }] }),
      level: 'error',
      says: [/EndpointSlice default\/other-1: endpoints\[0\]\.addresses\[0\] is "example\.com"; expected/],
    },
    {
      title: 'a kind that is not followed',
      text: 'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n',
      level: 'info',
      says: [/Deployment \(apps\/v1\) is not followed/],
    },
    {
      title: 'a name that another file has',
      text: JSON.stringify(web({ name: 'good', number: 9, endpoints: [] })[0]),
      level: 'error',
      says: [/Service default\/good: is in good\.yaml and in wrong\.yaml; expected once/, /The one in good\.yaml counts/],
    },
  ]

  for (const { title, text, level, says } of wrong) {
    it(`is named once with what to do, and the rest works: ${title}`, async () => {
      const mark = switchyard.mark()
      await switchyard.put('wrong.yaml', text)
      const first = says[0] ?? /./
      const line = await switchyard.waitForLog(first, { since: mark })
      for (const wanted of says) assert.match(line.msg, wanted)
      assert.equal(line.level, level)
      const address = `10.244.7.${mark % 200}`
      await switchyard.put('good.yaml', web({ name: 'good', number: 1, endpoints: [address] }))
      await switchyard.waitForRules({ backend: 'nft' }, save => save.includes(`${address}:8080`), 'an edit of the other file')
      assert.equal(switchyard.linesSince(mark, first).length, 1, 'said once')
      await switchyard.remove('wrong.yaml')
      if (level !== 'info') await switchyard.waitForLog(/solved: .*Nothing to do/, { since: mark })
    })
  }

  it('keeps its last good objects where it was good before', async () => {
    await switchyard.put('wrong.yaml', web({ name: 'other', number: 2, endpoints: ['10.244.0.2'] }))
    await switchyard.waitForRules({ backend: 'nft' }, save => save.includes('10.244.0.2:8080'), 'the good version')
    const mark = switchyard.mark()
    const broken = withSpec({ clusterIP: '10.96.0.2', ports: [{ port: 'eighty' }] })
    await switchyard.put('wrong.yaml', `${broken}\n---\n${JSON.stringify(slice)}`)
    const { msg } = await switchyard.waitForLog(/wrong\.yaml: Service default\/other: spec\.ports\[0\]\.port is "eighty"/, {
      since: mark,
    })
    assert.match(msg, /Its last good version stays until then/)
    assert.match(await node.save({ backend: 'nft' }), /10\.244\.0\.2:8080/)
  })

  it('names Services that ask for one node port', async () => {
    const mark = switchyard.mark()
    const both = ['left', 'right'].map((name, index) => ({
      ...{ apiVersion: 'v1', kind: 'Service', metadata: { name } },
      spec: { type: 'NodePort', clusterIP: `10.96.0.${20 + index}`, ports: [{ port: 80, nodePort: 30_090 }] },
    }))
    await switchyard.put('wrong.yaml', both.map(each => JSON.stringify(each)).join('\n---\n'))
    await switchyard.waitForLog(/^node port 30090\/TCP is asked for by Services default\/left, default\/right: /, { since: mark })
    await node.run(['ip', 'link', 'set', 'lo', 'up'])
    const { said } = await runOnce({ node, arguments: ['status', 'services', 'left'] })
    assert.match(said.join(' '), /node port 30090\/TCP is asked for by default\/right too/)
  })
})

describe('a daemon that cannot start', { concurrency: true }, () => {
  const config = (fields: Readonly<Record<string, unknown>>) => (node: TestNode) => switchyardFlags({ node, config: fields })
  const flags =
    (...more: readonly string[]) =>
    (node: TestNode) =>
      switchyardFlags({ node, arguments: more })

  const refused: readonly {
    readonly title: string
    readonly arguments: (node: TestNode) => Promise<readonly string[]>
    readonly through?: RunOnceOptions['through']
    readonly exitStatus: number
    /** Each in a line of its own, and no other line is an error. */
    readonly says: readonly RegExp[]
  }[] = [
    {
      title: 'for values in its configuration, all of which it lists',
      arguments: config({ clusterCIDR: 'nonsense', mode: 'nftables', iptables: { masqueradeBit: 99, syncPeriod: 30 } }),
      exitStatus: 64,
      says: [
        /error: .*config\.yaml:\d+: clusterCIDR: "nonsense" is not allowed; allowed: a range such as 10\.244\.0\.0\/16/,
        /error: .*config\.yaml:\d+: mode: "nftables" is not allowed; allowed: iptables, ipvs/,
        /error: .*config\.yaml:\d+: iptables\.masqueradeBit: 99 is not allowed; allowed: a whole number from 0 to 31/,
        /error: .*config\.yaml:\d+: iptables\.syncPeriod: 30 is not allowed; allowed: a duration with a unit/,
        /not started; `switchyard run --help` lists the flags/,
      ],
    },
    {
      title: 'for a flag that does not exist',
      arguments: flags('--iptables-backnd=nft'),
      exitStatus: 64,
      says: [/error: --iptables-backnd: there is no such flag; did you mean --iptables-backend\?/, /not started/],
    },
    {
      title: 'for a folder that does not exist',
      arguments: async node => {
        const all = await switchyardFlags({ node })
        await rm(manifestsOf(node), { recursive: true })
        return all
      },
      exitStatus: 1,
      says: [/^manifests in .*\/manifests: there is no such folder\. Create the folder, or correct --manifests\.$/],
    },
    {
      title: 'for a configuration file that does not exist',
      arguments: async node => ['run', '--config', join(node.directory, 'nosuch.yaml')],
      exitStatus: 64,
      says: [/error: .*nosuch\.yaml: there is no such file; name a file that this process may read/, /not started/],
    },
    {
      title: 'because it is not root',
      arguments: flags(),
      through: ['setpriv', '--reuid', '65534', '--clear-groups'],
      exitStatus: 1,
      says: [/^not permitted to change the kernel: run as root, or give the process CAP_NET_ADMIN/],
    },
    {
      title: 'because root has no CAP_NET_ADMIN here',
      arguments: flags(),
      through: ['setpriv', '--bounding-set', '-net_admin', '--inh-caps', '-net_admin'],
      exitStatus: 1,
      says: [/^not permitted to change the kernel: run as root, or give the process CAP_NET_ADMIN/],
    },
    {
      title: 'because the legacy backend needs CAP_NET_RAW as well',
      arguments: flags('--iptables-backend', 'legacy'),
      through: ['setpriv', '--bounding-set', '-net_raw', '--inh-caps', '-net_raw'],
      exitStatus: 1,
      says: [/^not permitted to change the kernel by the legacy backend of iptables: give the process CAP_NET_RAW as well$/],
    },
  ]

  for (const { title, arguments: argumentsFor, through, exitStatus, says } of refused) {
    it(`ends with status ${exitStatus} and says why: ${title}`, async () => {
      await using node = await createNode('bad-input')
      // What another user runs, he must be able to read.
      await node.run(['chmod', '755', node.directory])
      const ended = await runOnce({ node, arguments: await argumentsFor(node), ...(through === undefined ? {} : { through }) })
      assert.equal(ended.exitStatus, exitStatus, ended.said.join('\n'))
      for (const wanted of says) {
        assert.equal(ended.said.filter(line => wanted.test(line)).length, 1, `${wanted} in:\n${ended.said.join('\n')}`)
      }
      const errors = ended.said.filter(line => line.includes('error:'))
      assert.ok(
        errors.every(line => says.some(wanted => wanted.test(line))),
        ended.said.join('\n'),
      )
    })
  }

  it('does start where a key of its configuration is unknown, and says which one', async () => {
    await using node = await createNode('bad-input')
    await using switchyard = await startSwitchyard({ node, config: { clusterCidr: '10.244.0.0/16' } })
    const { msg, level } = await switchyard.waitForLog(/clusterCidr/)
    assert.match(msg, /config\.yaml:\d+: clusterCidr: there is no such field/)
    assert.equal(level, 'warn')
    await switchyard.waitForSync()
  })
})
