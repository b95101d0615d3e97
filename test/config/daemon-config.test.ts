import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { Config } from '../../src/config/config.ts'
import type { Address } from '../../src/model/address.ts'
import { lines, load, loadFile, switchyardHeader } from './support.ts'

const address = (text: string) => text as Address
const addresses = (...texts: string[]) => texts.map(address)
const socket = (text: string, port: number) => ({ address: address(text), port })

function configOf(yaml: string, switchyard = '', argv: readonly string[] = []): Config {
  const files = {
    '/s': switchyardHeader + switchyard,
    '/c': `apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n${yaml}`,
  }
  const { config, errors } = load(['--config=/c', '--switchyard-config=/s', ...argv], files)
  assert.deepEqual(lines(errors), [])
  assert.ok(config)
  return config
}

const ipvsDefaults = {
  scheduler: 'rr' as const,
  excludeCidrs: [],
  strictArp: false,
  tcpTimeoutSeconds: undefined,
  tcpFinTimeoutSeconds: undefined,
  udpTimeoutSeconds: undefined,
  whenUnavailable: 'fail' as const,
  drainDeadlineMs: 900_000,
  drainGoneDeadlineMs: 120_000,
  modeChangeDeadlineMs: 86_400_000,
}

test('the defaults', () => {
  assert.deepEqual(configOf(''), {
    nodeName: 'host1',
    mode: 'iptables',
    traffic: {
      masqueradeAll: false,
      masqueradeMark: 0x4000,
      localhostNodePorts: true,
      nodePortAddresses: 'all',
      detectLocal: { mode: 'ClusterCIDR', cidrs: [] },
      tcpBeLiberal: false,
      dispatch: 'auto',
      ipvs: ipvsDefaults,
    },
    syncPeriodMs: 30_000,
    minSyncPeriodMs: 1_000,
    minSyncPeriodMeaning: 'at most',
    iptablesBackend: 'auto',
    source: { kind: 'api server', kubeconfig: undefined, master: undefined },
    ipvs: ipvsDefaults,
    conntrack: {
      maxPerCore: 32_768,
      min: 131_072,
      tcpEstablishedTimeoutSeconds: 86_400,
      tcpCloseWaitTimeoutSeconds: 3_600,
      udpTimeoutSeconds: undefined,
      udpStreamTimeoutSeconds: undefined,
      tcpBeLiberal: false,
    },
    nodeAddressOverride: [],
    healthBind: socket('0.0.0.0', 10_256),
    metricsBind: socket('127.0.0.1', 10_249),
    bindHardFail: false,
    pageBind: 'loopback',
    pageHosts: [],
    logging: { format: 'auto', verbosity: 0 },
    oomScoreAdj: -999,
    stateDirectory: '/run/switchyard',
    sysctlRoot: '/proc/sys',
  } satisfies Config)
})

suite('KubeProxyConfiguration', () => {
  const rows: readonly (readonly [yaml: string, expected: Partial<Config>])[] = [
    ['mode: ipvs\nipvs: {syncPeriod: 20s, minSyncPeriod: 2s}', { mode: 'ipvs', syncPeriodMs: 20_000, minSyncPeriodMs: 2_000 }],
    ['mode: ipvs\niptables: {syncPeriod: 20s}', { mode: 'ipvs', syncPeriodMs: 30_000, minSyncPeriodMs: 0 }],
    ['iptables: {syncPeriod: 10000h, minSyncPeriod: 10000h}', { syncPeriodMs: 2 ** 31 - 1, minSyncPeriodMs: 2 ** 31 - 1 }],
    ['bindAddress: 10.0.0.7', { nodeAddressOverride: addresses('10.0.0.7') }],
    ['bindAddress: "10.0.0.7, fd00::7"', { nodeAddressOverride: addresses('10.0.0.7', 'fd00::7') }],
    [
      'bindAddress: "::"',
      {
        nodeAddressOverride: [],
        healthBind: socket('::', 10_256),
        metricsBind: socket('::1', 10_249),
      },
    ],
    ['metricsBindAddress: 0.0.0.0', { metricsBind: socket('0.0.0.0', 10_249) }],
    ['healthzBindAddress: "[::1]:99"', { healthBind: socket('::1', 99) }],
    ['logging: {format: text, verbosity: 4}', { logging: { format: 'text', verbosity: 4 } }],
    ['oomScoreAdj: 0\nbindAddressHardFail: true', { oomScoreAdj: 0, bindHardFail: true }],
  ]
  for (const [yaml, expected] of rows) {
    test(yaml.replaceAll('\n', ' '), () => assert.deepEqual(configOf(yaml), { ...configOf(''), ...expected }))
  }

  const traffic: readonly (readonly [yaml: string, expected: object])[] = [
    [
      'iptables: {masqueradeAll: true, masqueradeBit: 31, localhostNodePorts: false}',
      { masqueradeAll: true, masqueradeMark: 0x8000_0000, localhostNodePorts: false },
    ],
    ['iptables: {masqueradeBit: 0}', { masqueradeMark: 1 }],
    ['clusterCIDR: "10.244.1.5/16, fd00::1/56"', { detectLocal: { mode: 'ClusterCIDR', cidrs: ['10.244.0.0/16', 'fd00::/56'] } }],
    ['detectLocalMode: NodeCIDR', { detectLocal: { mode: 'NodeCIDR' } }],
    [
      'detectLocalMode: BridgeInterface\ndetectLocal: {bridgeInterface: cni0}',
      { detectLocal: { mode: 'BridgeInterface', interfaceName: 'cni0' } },
    ],
    [
      'detectLocalMode: InterfaceNamePrefix\ndetectLocal: {interfaceNamePrefix: cali}',
      { detectLocal: { mode: 'InterfaceNamePrefix', prefix: 'cali' } },
    ],
    ['nodePortAddresses: [primary]', { nodePortAddresses: 'primary' }],
    ['nodePortAddresses: []', { nodePortAddresses: 'all' }],
    ['nodePortAddresses: [127.0.0.1/8, "fd00::1/64"]', { nodePortAddresses: ['127.0.0.0/8', 'fd00::/64'] }],
    ['conntrack: {tcpBeLiberal: true}', { tcpBeLiberal: true }],
  ]
  for (const [yaml, expected] of traffic) {
    test(yaml.replaceAll('\n', ' '), () => assert.deepEqual(configOf(yaml).traffic, { ...configOf('').traffic, ...expected }))
  }

  test('conntrack: 0 leaves the kernel as it is, parts of a second count as a whole one', () => {
    const yaml =
      '{maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 90s, udpTimeout: 500ms, udpStreamTimeout: 1m, tcpBeLiberal: true}'
    assert.deepEqual(configOf(`conntrack: ${yaml}`).conntrack, {
      maxPerCore: undefined,
      min: 0,
      tcpEstablishedTimeoutSeconds: undefined,
      tcpCloseWaitTimeoutSeconds: 90,
      udpTimeoutSeconds: 1,
      udpStreamTimeoutSeconds: 60,
      tcpBeLiberal: true,
    })
  })

  test('ipvs', () => {
    const yaml =
      '{scheduler: mh, excludeCIDRs: [172.30.0.1/16], strictARP: true, tcpTimeout: 900s, tcpFinTimeout: 120s, udpTimeout: 300s}'
    assert.deepEqual(
      configOf(`ipvs: ${yaml}`, 'ipvs: {unavailable: fallback}\ndrain: {deadline: 1000h, goneDeadline: 0s}\n').ipvs,
      {
        scheduler: 'mh',
        excludeCidrs: ['172.30.0.0/16'],
        strictArp: true,
        tcpTimeoutSeconds: 900,
        tcpFinTimeoutSeconds: 120,
        udpTimeoutSeconds: 300,
        whenUnavailable: 'fallback',
        drainDeadlineMs: 2 ** 31 - 1,
        drainGoneDeadlineMs: 0,
        modeChangeDeadlineMs: 86_400_000,
      },
    )
  })
})

suite('switchyard.conf', () => {
  const rows: readonly (readonly [yaml: string, expected: Partial<Config>])[] = [
    ['backend: nft', { iptablesBackend: 'nft' }],
    ['dispatch: bucketed', { traffic: { ...configOf('').traffic, dispatch: 'bucketed' } }],
    ['sync: {minSyncPeriod: kube-proxy}', { minSyncPeriodMeaning: 'at least' }],
    ['page: {bind: any}', { pageBind: 'any' }],
    ['page: {hosts: [Proxy.Example.org]}', { pageHosts: ['proxy.example.org'] }],
    ['page: {bind: "FD00::7"}', { pageBind: address('fd00::7') }],
  ]
  for (const [yaml, expected] of rows) test(yaml, () => assert.deepEqual(configOf('', yaml), { ...configOf(''), ...expected }))
})

suite('flags', () => {
  const rows: readonly (readonly [argv: string, expected: Partial<Config>])[] = [
    ['--manifests=/m --kubeconfig=/k', { source: { kind: 'manifests', directory: '/m' } }],
    [
      '--kubeconfig=/k --master=http://127.0.0.1:8080',
      { source: { kind: 'api server', kubeconfig: '/k', master: 'http://127.0.0.1:8080' } },
    ],
    ['--metrics-bind-address= --healthz-bind-address=', { metricsBind: undefined, healthBind: undefined }],
    ['--metrics-port=0 --healthz-port=0', { metricsBind: undefined, healthBind: undefined }],
    ['--metrics-port=99 --healthz-port=98', { metricsBind: socket('127.0.0.1', 99), healthBind: socket('0.0.0.0', 98) }],
    ['--metrics-port=99 --metrics-bind-address=0.0.0.0:98', { metricsBind: socket('0.0.0.0', 98) }],
    [
      '--bind-address=fd00::7 --healthz-port=98',
      {
        nodeAddressOverride: addresses('fd00::7'),
        metricsBind: socket('::1', 10_249),
        healthBind: socket('::', 98),
      },
    ],
    ['--state-dir=/s --sysctl-root=/host/proc/sys', { stateDirectory: '/s', sysctlRoot: '/host/proc/sys' }],
    ['--logging-format=json -v=6', { logging: { format: 'json', verbosity: 6 } }],
  ]
  for (const [argv, expected] of rows) {
    test(argv, () => {
      const { config, errors } = load(argv.split(' '))
      assert.deepEqual(lines(errors), [])
      assert.deepEqual(config, { ...load([]).config, ...expected })
    })
  }

  test('a server without a port is shown as an empty address, set by a flag', () => {
    const { effective, origins } = load(['--metrics-port=0'])
    assert.equal(effective.metricsBindAddress, '')
    assert.equal(origins.get('metricsBindAddress'), 'flag')
  })

  test('--metrics-port does not count beside --config', () => {
    assert.equal(loadFile('', ['--metrics-port=0']).config?.metricsBind?.port, 10_249)
  })
})
