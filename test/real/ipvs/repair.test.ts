// What someone else does to virtual servers, sets, addresses, rules and kernel parameters of ours is noticed, said and mended; what is somebody
// else's own is left alone; and where nothing is wrong nothing is written.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { eventually } from '../../support/daemon/eventually.ts'
import { createNode, type TestNode } from '../../support/daemon/node.ts'
import { web } from '../../support/daemon/objects.ts'
import { manifestsOf, putManifest, type Switchyard, startSwitchyard } from '../../support/daemon/switchyard.ts'
import { whileStopped } from '../../support/daemon/while-stopped.ts'
import { comparableRules, comparableServers, comparableSets } from '../../support/ipvs-compare.ts'
import { type IpvsKernel, ipvsKernelOf } from '../../support/ipvs-kernel.ts'
import { loadBalanced } from '../../support/ipvs-service.ts'

interface Vandalism {
  readonly title: string
  /** Shell lines. A rule among them is seen at the next look at the rules; the rest alone would wait for the next complete one. */
  readonly does: readonly string[]
  /** All that the one line of the log about it says. */
  readonly says: readonly string[]
}

const aRule = 'iptables -t nat -D KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODE-PORT'
const ofARule = 'changed: nat chain KUBE-SERVICES'

const vandalism: readonly Vandalism[] = [
  {
    title: 'a weight, a scheduler, a real server more, and one less',
    does: [
      'ipvsadm -e -t 10.96.0.1:80 -r 10.244.0.1:8080 -m -w 7',
      'ipvsadm -E -t 10.96.0.2:80 -s wlc -p 60',
      'ipvsadm -a -t 10.96.0.2:80 -r 10.244.9.9:8080 -m',
      'ipvsadm -d -t 192.168.100.1:80 -r 10.244.0.2:8080',
      aRule,
    ],
    says: [
      ofARule,
      'changed: virtual server -t 10.96.0.1:80: real server 10.244.0.1:8080, expected -m -w 1 (Service default/web)',
      'changed: virtual server -t 10.96.0.2:80: options, expected -s rr (Service default/other)',
      'unexpected: virtual server -t 10.96.0.2:80: real server 10.244.9.9:8080 (Service default/other)',
      'missing: virtual server -t 192.168.100.1:80: real server 10.244.0.2:8080 (Service default/web)',
    ],
  },
  {
    title: 'a virtual server that is gone, one that nobody asked for at an address of ours, and an address that is gone',
    does: [
      'ipvsadm -D -t 10.200.1.2:30001',
      'ipvsadm -A -t 10.96.0.1:81 -s rr',
      'ip addr del 10.96.0.1/32 dev kube-ipvs0',
      aRule,
    ],
    says: [
      ofARule,
      'missing: virtual server -t 10.200.1.2:30001 (Service default/web)',
      'unexpected: virtual server -t 10.96.0.1:81',
      'missing: kube-ipvs0: address 10.96.0.1 (Service default/web)',
    ],
  },
  {
    title: 'entries of sets, and a set that no rule uses',
    does: [
      'ipset del KUBE-LOOP-BACK 10.244.0.3,tcp:8080,10.244.0.3',
      'ipset add KUBE-CLUSTER-IP 10.96.0.99,tcp:80',
      'ipset flush KUBE-NODE-PORT-TCP',
      'ipset destroy KUBE-NODE-PORT-UDP',
      aRule,
    ],
    says: [
      ofARule,
      'missing: set KUBE-LOOP-BACK: 10.244.0.3,tcp:8080,10.244.0.3 (Service default/other)',
      'unexpected: set KUBE-CLUSTER-IP: 10.96.0.99,tcp:80',
      'missing: set KUBE-NODE-PORT-TCP: 30001 (Service default/web)',
      'missing: set KUBE-NODE-PORT-UDP',
    ],
  },
  {
    title: 'the link with all addresses',
    does: ['ip link del kube-ipvs0', aRule],
    says: [
      ofARule,
      'missing: link kube-ipvs0',
      ...['10.96.0.1', '192.168.100.1'].map(address => `missing: kube-ipvs0: address ${address} (Service default/web)`),
      'missing: kube-ipvs0: address 10.96.0.2 (Service default/other)',
    ],
  },
  {
    title: 'a jump, a chain that guards, and a chain of masquerading',
    does: [
      'iptables -t nat -D PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
      'iptables -F KUBE-IPVS-FILTER',
      'iptables -t nat -D KUBE-POSTROUTING 1',
    ],
    says: [
      'missing: nat chain PREROUTING: rule -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
      'missing: filter chain KUBE-IPVS-FILTER: all its rules',
      'changed: nat chain KUBE-POSTROUTING',
    ],
  },
]

/** What a keepalived has: at an address of its own, at the node's, in ipvs.excludeCIDRs, and by a firewall mark. */
const foreign = ['-t 192.0.2.1:80', '-t 10.200.1.2:9999', '-t 10.96.9.1:80', '-f 7']
const foreignLines = foreign.flatMap(name => [`ipvsadm -A ${name} -s wlc -p 60`, `ipvsadm -a ${name} -r 192.0.2.9 -g -w 3`])

const config = { mode: 'ipvs', ipvs: { syncPeriod: '1s', excludeCIDRs: ['10.96.9.0/24'] } }

describe('what ipvs mode has in the kernel, and someone else changes,', { concurrency: false }, () => {
  const resources = new AsyncDisposableStack()
  let node: TestNode
  let kernel: IpvsKernel
  let switchyard: Switchyard
  let wanted: unknown
  let foreignBefore: unknown

  before(async () => {
    node = resources.use(await createNode('repair'))
    kernel = ipvsKernelOf(node.namespace)
    await shell('ip link add eth0 type dummy', 'ip link set eth0 up', 'ip addr add 10.200.1.2/24 dev eth0', ...foreignLines)
    await putManifest(manifestsOf(node), 'cluster.yaml', [
      ...web({
        name: 'web',
        number: 1,
        endpoints: ['10.244.0.1', '10.244.0.2'],
        loadBalancer: '192.168.100.1',
        spec: loadBalanced(30_001),
      }),
      ...web({ name: 'other', number: 2, endpoints: ['10.244.0.3'] }),
    ])
    foreignBefore = await others()
    await start()
    await switchyard.waitForSync()
  })
  after(() => resources.disposeAsync())

  const start = async (): Promise<void> => {
    switchyard = resources.use(await startSwitchyard({ node, config, arguments: ['--iptables-backend', 'legacy'] }))
  }
  const shell = (...lines: readonly string[]): Promise<string> => kernel.run('sh', '-ec', lines.join('\n'))
  const everything = async (): Promise<unknown> => ({
    servers: comparableServers(await kernel.run('ipvsadm', '-Sn')),
    sets: comparableSets(await kernel.run('ipset', 'save')),
    addresses: await kernel.addresses(),
    rules: comparableRules(await kernel.run('iptables-legacy-save')),
  })
  /** Of others: all that they are. */
  const others = (): Promise<unknown> =>
    Promise.all(foreign.map(async name => [name, await kernel.options(name), await kernel.weights(name)]))
  const isAsWanted = (): Promise<void> =>
    eventually(switchyard.daemon, { read: everything, wanted, what: 'the kernel to be as it was' })

  // First, since the first complete look comes a second after the start, and each later one when it costs little: in user-mode Linux after a minute.
  it('is repaired where no rule is concerned', async () => {
    await shell('ipvsadm -e -t 10.96.0.1:80 -r 10.244.0.1:8080 -m -w 7')
    await switchyard.waitForLog(/^someone changed .*: changed: virtual server -t 10.96.0.1:80: real server 10.244.0.1:8080/)
    await switchyard.waitForLog(/^repaired 1 differences in IPv4/)
    assert.deepEqual(await kernel.weights('-t 10.96.0.1:80'), { '10.244.0.1:8080': 1, '10.244.0.2:8080': 1 })
    await switchyard.waitForSync({ family: 'IPv6' })
    wanted = await everything()
  })

  for (const { title, does, says } of vandalism) {
    it(`is repaired: ${title}`, async () => {
      const since = switchyard.mark()
      await whileStopped(switchyard, () => shell(...does))
      const { msg, drifts } = await switchyard.waitForLog(/^someone changed the kernel's IPv4 rules/, { since })
      for (const words of says) assert.ok(msg.includes(words), `the log does not say: ${words}\n${msg}`)
      assert.equal(drifts, says.length)
      await switchyard.waitForLog(/^repaired \d+ differences in IPv4/, { since })
      await isAsWanted()
    })
  }

  it('is repaired: a kernel parameter', async () => {
    const since = switchyard.mark()
    await shell('echo 0 > /proc/sys/net/ipv4/vs/conntrack')
    await switchyard.waitForLog(/^someone changed net.ipv4.vs.conntrack to 0: set back to 1 \(mode: ipvs\)/, { since })
    assert.equal(await shell('cat /proc/sys/net/ipv4/vs/conntrack'), '1\n')
  })

  it('cannot be taken away where a rule uses it', async () => {
    await assert.rejects(shell('ipset destroy KUBE-CLUSTER-IP'), /in use by a kernel component/)
  })

  it('is left alone by a restart, as virtual servers of others are all the time', async () => {
    assert.deepEqual(await others(), foreignBefore)
    assert.deepEqual(await everything(), wanted)
    await switchyard.stop()
    // By this alone it would be one of ours that is stale.
    await shell('ip addr add 10.96.9.1/32 dev kube-ipvs0')
    const before = await everything()
    await start()
    for (const family of ['IPv4', 'IPv6'] as const) await switchyard.waitForSync({ family })
    const first = switchyard.log.filter(({ msg }) => msg.startsWith('synced IPv'))
    assert.deepEqual(first.map(({ family, lines, sync }) => [family, sync, lines]).toSorted(), [
      ['IPv4', 'full', 0],
      ['IPv6', 'full', 0],
    ])
    assert.deepEqual(await everything(), before)
    assert.deepEqual(await others(), foreignBefore)
  })
})
