import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { lines, load, loadFile } from './support.ts'

suite('settings that need or contradict each other', () => {
  const range = 'allowed: a range such as 10.0.0.0/8 or fd00::/8'
  const name = (most: number) => `allowed: 1 to ${most} letters, digits and _ . @ -, not starting with . @ -`
  const pair = 'allowed: a range such as 10.244.0.0/16, or an IPv4 and an IPv6 range with a comma between'
  const rows: readonly (readonly [yaml: string, where: string, problem: string, advice: string])[] = [
    [
      'iptables: {syncPeriod: 10s, minSyncPeriod: 11s}',
      ':3: iptables.minSyncPeriod',
      '"11s"',
      'allowed: up to iptables.syncPeriod, which is 10s',
    ],
    ['iptables: {syncPeriod: 500ms}', ': iptables.minSyncPeriod', '"1s"', 'allowed: up to iptables.syncPeriod, which is 500ms'],
    ['mode: ipvs\nipvs: {minSyncPeriod: 1m}', ':4: ipvs.minSyncPeriod', '"1m0s"', 'allowed: up to ipvs.syncPeriod, which is 30s'],
    ['mode: ipvs\nipvs: {excludeCIDRs: [10.0.0.0/8, 10.0.0.1]}', ':4: ipvs.excludeCIDRs[1]', '"10.0.0.1"', range],
    ['clusterCIDR: 10.0.0.0/8,10.1.0.0/16', ':3: clusterCIDR', '"10.0.0.0/8,10.1.0.0/16"', pair],
    ['clusterCIDR: 10.0.0.0/8,fd00::/56,fd01::/56', ':3: clusterCIDR', '"10.0.0.0/8,fd00::/56,fd01::/56"', pair],
    ['clusterCIDR: "10.0.0.0/8,"', ':3: clusterCIDR', '"10.0.0.0/8,"', pair],
    ['clusterCIDR: 10.0.0.0/33', ':3: clusterCIDR', '"10.0.0.0/33"', pair],
    [
      'bindAddress: node1',
      ':3: bindAddress',
      '"node1"',
      'allowed: an IP address, or an IPv4 and an IPv6 address with a comma between',
    ],
    [
      'detectLocalMode: BridgeInterface',
      ': detectLocal.bridgeInterface',
      '""',
      `detectLocalMode BridgeInterface needs it; ${name(15)}`,
    ],
    [
      'detectLocalMode: InterfaceNamePrefix',
      ': detectLocal.interfaceNamePrefix',
      '""',
      `detectLocalMode InterfaceNamePrefix needs it; ${name(14)}`,
    ],
    ...['a b', 'a/b', 'sixteen-letters-', '-i', '!cni0', 'cni+', 'cni"0', 'cni0\n-j ACCEPT', '..', 'cni:0'].map(
      bridge =>
        [
          `detectLocalMode: BridgeInterface\ndetectLocal: {bridgeInterface: ${JSON.stringify(bridge)}}`,
          ':4: detectLocal.bridgeInterface',
          JSON.stringify(bridge),
          `detectLocalMode BridgeInterface needs it; ${name(15)}`,
        ] as const,
    ),
    [
      'detectLocalMode: InterfaceNamePrefix\ndetectLocal: {interfaceNamePrefix: fifteen-letters}',
      ':4: detectLocal.interfaceNamePrefix',
      '"fifteen-letters"',
      `detectLocalMode InterfaceNamePrefix needs it; ${name(14)}`,
    ],
    ['nodePortAddresses:\n- 10.0.0.0/8\n- primary', ':5: nodePortAddresses[1]', '"primary"', `${range}, or primary alone`],
    ['nodePortAddresses: [10.0.0.1]', ':3: nodePortAddresses[0]', '"10.0.0.1"', `${range}, or primary alone`],
  ]
  for (const [yaml, where, value, advice] of rows) {
    test(yaml.replaceAll('\n', ' '), () => {
      const loaded = loadFile(`${yaml}\n`)
      assert.deepEqual(lines(loaded.errors), [`/etc/config.conf${where}: ${value} is not allowed; ${advice}`])
      assert.equal(loaded.config, undefined)
    })
  }

  test('a value of the wrong type is one error, not also a missing name', () => {
    const { errors } = loadFile('detectLocalMode: BridgeInterface\ndetectLocal: {bridgeInterface: 5}\n')
    assert.deepEqual(
      errors.map(({ path, problem }) => [path, problem]),
      [['detectLocal.bridgeInterface', '5 is not allowed']],
    )
  })

  test('the same by flags names the flags', () => {
    assert.deepEqual(lines(load(['--detect-local-mode=BridgeInterface', '--nodeport-addresses=primary,10.0.0.0/8']).errors), [
      `--pod-bridge-interface: "" is not allowed; detectLocalMode BridgeInterface needs it; ${name(15)}`,
      `--nodeport-addresses: "primary" is not allowed; ${range}, or primary alone`,
    ])
  })

  test('an empty clusterCIDR is remarked where it would be used', () => {
    assert.deepEqual(loadFile('detectLocalMode: NodeCIDR').notices, [])
    assert.deepEqual(lines(loadFile('').notices), [
      '/etc/config.conf: clusterCIDR: is empty: connections from outside the cluster to cluster IPs keep their source and may get no answer; ' +
        'set it to the range of the pods, or choose another detectLocalMode',
    ])
  })
})
