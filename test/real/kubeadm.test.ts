// The ConfigMap kube-proxy of a cluster made by kubeadm, mounted as kubelet mounts it: the daemon starts with it as it stands, and
// a new version of it, which comes by a symlink swap, takes effect in the running daemon or is refused whole.
import assert from 'node:assert/strict'
import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { stringify } from 'yaml'
import type { ApiObject } from '../support/apiserver/index.ts'
import { createNode } from '../support/daemon/node.ts'
import { web } from '../support/daemon/objects.ts'
import { chainRules } from '../support/daemon/rules.ts'
import { type NamespacedApiServer, startApiServerIn } from '../support/lab/api-server.ts'
import { ownNode, startWith, waitForReadiness } from '../support/lab/api-switchyard.ts'

const nft = { backend: 'nft' } as const

test("kubeadm's ConfigMap starts the daemon, and its changes reach the running daemon", async t => {
  await using node = await createNode('kubeadm')
  await node.run(['ip', 'link', 'set', 'lo', 'up'])
  await node.run(['ip', 'address', 'add', '192.0.2.7/32', 'dev', 'lo'])
  const spec = { type: 'NodePort', ports: [{ name: 'http', port: 80, targetPort: 8080, protocol: 'TCP', nodePort: 30_080 }] }
  const shop = web({ name: 'shop', number: 10, endpoints: ['10.244.0.1'], spec }) as readonly ApiObject[]
  await using server = await startApiServerIn(node.namespace, { tokens: ['secret'], objects: [ownNode, ...shop] })
  const mount = await createConfigMapMount(join(node.directory, 'kube-proxy'))
  const files = (config: string) => ({ 'config.conf': config, 'kubeconfig.conf': kubeconfigOf(server) })
  const kubeconfig = join(mount.folder, 'kubeconfig.conf')
  const asMade = kubeadmConfig(kubeconfig)
  await mount.write(files(asMade))
  // No more than what the DaemonSet of kubeadm has: the configuration is that of the file alone.
  await using switchyard = startWith(node, ['--config', join(mount.folder, 'config.conf'), '--hostname-override', 'node1'])
  const pid = switchyard.daemon.pid

  await t.test('all its zero values and nulls are defaults, and what the cluster has is programmed', async () => {
    await waitForReadiness({ node, switchyard, holds: ({ ready }) => ready, what: 'ready' })
    const save = await node.save(nft)
    assert.match(save, /--comment "default\/shop:http cluster IP" -m tcp --dport 80 -j KUBE-SVC-/)
    assert.match(save, /--to-destination 10\.244\.0\.1:8080/)
    assert(save.includes('! -s 10.244.0.0/16'), 'clusterCIDR tells the pods from others')
    assert.deepEqual(
      switchyard.linesSince(0, /config\.conf|kubeadm|no effect|unknown field|deprecated/).filter(({ level }) => level !== 'info'),
      [],
    )
  })

  await t.test('iptables.masqueradeAll takes effect at once', async () => {
    const since = switchyard.mark()
    await mount.write(files(asMade.replace('masqueradeAll: false', 'masqueradeAll: true')))
    await switchyard.waitForLog(/iptables\.masqueradeAll changed from false to true: applied/, { since })
    await switchyard.waitForRules(nft, masqueradesAll, 'masquerading of everything that goes to the cluster IP')
  })

  const atOneAddress = asMade.replace('nodePortAddresses: null', 'nodePortAddresses:\n- 192.0.2.0/24')
  await t.test('nodePortAddresses take effect at once, and masqueradeAll is back to false', async () => {
    const since = switchyard.mark()
    await mount.write(files(atOneAddress))
    await switchyard.waitForLog(/nodePortAddresses changed from .* to .*192\.0\.2\.0\/24.*: applied/, { since })
    const leads = (save: string) => {
      const [jump = '', ...others] = nodePortJumps(save)
      return jump.startsWith('-d 192.0.2.7/32 ') && others.length === 0 && !masqueradesAll(save)
    }
    await switchyard.waitForRules(nft, leads, 'node ports at 192.0.2.7 alone')
  })

  await t.test('an invalid version is refused with its reason, and the old one stays', async () => {
    const since = switchyard.mark()
    const before = await node.save(nft)
    const invalid = atOneAddress
      .replace('masqueradeAll: false', 'masqueradeAll: true')
      .replace('- 192.0.2.0/24', '- 192.0.2.0/33')
    await mount.write(files(invalid))
    const line = await switchyard.waitForLog(/refused, the old one stays in force/, { since })
    assert.match(line.msg, /nodePortAddresses.*192\.0\.2\.0\/33/)
    assert.deepEqual(switchyard.linesSince(since, /: applied/), [])
    // What comes next is programmed with the old configuration.
    const late = web({ name: 'late', number: 11, endpoints: ['10.244.0.2'] }) as readonly ApiObject[]
    await server.ask({ do: 'put', objects: late })
    const save = await switchyard.waitForRules(nft, text => text.includes('10.244.0.2:8080'), 'a Service that came afterwards')
    for (const rule of before.split('\n').filter(each => each.includes('default/shop'))) assert(save.includes(rule), rule)
    assert.equal(masqueradesAll(save), false)
  })

  await t.test('all of that in one and the same process, which ends in order', async () => {
    assert.equal(switchyard.daemon.pid, pid)
    assert.equal(await switchyard.stop(), 'code 0')
  })
})

/** Not only for what comes from elsewhere than the pods. */
function masqueradesAll(save: string): boolean {
  return /^-A KUBE-SVC-\S+ -d \S+ .* -j KUBE-MARK-MASQ$/m.test(save)
}

/** What leads to node ports: by default one rule for all addresses of the node, otherwise one an address. */
function nodePortJumps(save: string): readonly string[] {
  return (chainRules(save, 'nat', 'KUBE-SERVICES') ?? []).filter(rule => rule.endsWith('-j KUBE-NODEPORTS'))
}

interface ConfigMapMount {
  readonly folder: string
  /** Makes the folder hold these files, all at once: a new folder beside, then ..data leads there, then the one before goes. */
  write(files: Readonly<Record<string, string>>): Promise<void>
}

/** A volume as kubelet writes it: each file is a link through the link `..data`, and only that one changes. */
async function createConfigMapMount(folder: string): Promise<ConfigMapMount> {
  let versions = 0
  await mkdir(folder)
  return {
    folder,
    async write(files) {
      const [version, before] = [`..version-${++versions}`, `..version-${versions - 1}`]
      await mkdir(join(folder, version))
      for (const [name, text] of Object.entries(files)) await writeFile(join(folder, version, name), text)
      await symlink(version, join(folder, '..data_tmp'))
      await rename(join(folder, '..data_tmp'), join(folder, '..data'))
      if (versions === 1) for (const name of Object.keys(files)) await symlink(join('..data', name), join(folder, name))
      await rm(join(folder, before), { recursive: true, force: true })
    },
  }
}

/** data."kubeconfig.conf", as kubeadm writes it. */
function kubeconfigOf({ url, folder }: NamespacedApiServer): string {
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ cluster: { 'certificate-authority': join(folder, 'ca.crt'), server: url }, name: 'default' }],
    contexts: [{ context: { cluster: 'default', namespace: 'default', user: 'default' }, name: 'default' }],
    'current-context': 'default',
    users: [{ name: 'default', user: { tokenFile: join(folder, 'token') } }],
  })
}

/** data."config.conf" as kubeadm writes it, with all its zero values and nulls. */
function kubeadmConfig(kubeconfig: string): string {
  return `apiVersion: kubeproxy.config.k8s.io/v1alpha1
bindAddress: 0.0.0.0
bindAddressHardFail: false
clientConnection:
  acceptContentTypes: ""
  burst: 0
  contentType: ""
  kubeconfig: ${kubeconfig}
  qps: 0
clusterCIDR: 10.244.0.0/16
configSyncPeriod: 0s
conntrack:
  maxPerCore: null
  min: null
  tcpBeLiberal: false
  tcpCloseWaitTimeout: null
  tcpEstablishedTimeout: null
  udpStreamTimeout: 0s
  udpTimeout: 0s
detectLocal:
  bridgeInterface: ""
  interfaceNamePrefix: ""
detectLocalMode: ""
enableProfiling: false
healthzBindAddress: ""
hostnameOverride: ""
iptables:
  localhostNodePorts: null
  masqueradeAll: false
  masqueradeBit: null
  minSyncPeriod: 0s
  syncPeriod: 0s
ipvs:
  excludeCIDRs: null
  minSyncPeriod: 0s
  scheduler: ""
  strictARP: false
  syncPeriod: 0s
  tcpFinTimeout: 0s
  tcpTimeout: 0s
  udpTimeout: 0s
kind: KubeProxyConfiguration
logging:
  flushFrequency: 0
  options:
    json:
      infoBufferSize: "0"
    text:
      infoBufferSize: "0"
  verbosity: 0
metricsBindAddress: ""
mode: ""
nftables:
  masqueradeAll: false
  masqueradeBit: null
  minSyncPeriod: 0s
  syncPeriod: 0s
nodePortAddresses: null
oomScoreAdj: null
portRange: ""
showHiddenMetricsForVersion: ""
winkernel:
  enableDSR: false
  forwardHealthCheckVip: false
  networkName: ""
  rootHnsEndpointName: ""
  sourceVip: ""
`
}
