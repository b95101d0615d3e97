// Each field by itself: default, an allowed value, a value that is not allowed, null and zero.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { stringify } from 'yaml'
import type { Fields } from '../../src/config/field.ts'
import { isMapping, type Json } from '../../src/config/field-type.ts'
import { kubeProxyFields } from '../../src/config/kube-proxy-fields.ts'
import type { LoadedConfig } from '../../src/config/load.ts'
import { show } from '../../src/config/problem.ts'
import { kubeProxyObject, switchyardObject } from '../../src/config/render.ts'
import { switchyardFields } from '../../src/config/switchyard-fields.ts'
import { kubeProxySamples, switchyardSamples } from './sample-values.ts'
import { header, lines, load, loadFile, nest, switchyardHeader } from './support.ts'

const kinds = [
  {
    name: 'KubeProxyConfiguration',
    fields: kubeProxyFields as Fields,
    samples: kubeProxySamples,
    loadYaml: (yaml: string) => loadFile(yaml),
    object: (loaded: LoadedConfig) => kubeProxyObject(loaded.effective),
    file: '/etc/config.conf',
  },
  {
    name: 'SwitchyardConfiguration',
    fields: switchyardFields as Fields,
    samples: switchyardSamples,
    loadYaml: (yaml: string) => load(['--switchyard-config=/etc/s.conf'], { '/etc/s.conf': switchyardHeader + yaml }),
    object: (loaded: LoadedConfig) => switchyardObject(loaded.switchyard),
    file: '/etc/s.conf',
  },
]

for (const { name, fields, samples, loadYaml, object, file } of kinds) {
  suite(name, () => {
    const needs = (path: string): unknown =>
      path.startsWith('ipvs.') && name === 'KubeProxyConfiguration' ? { mode: 'ipvs' } : {}

    for (const [path, { good, bad }] of Object.entries(samples)) {
      test(`${path} takes ${show(good)}`, () => {
        const loaded = loadYaml(stringify(nest(path, good)))
        assert.deepEqual(lines(loaded.errors), [])
        assert.deepEqual(at(object(loaded), path), good)
        assert.notDeepEqual(at(object(loadYaml('')), path), good, 'the sample should differ from the default')
        assert.equal(loaded.origins.get(path), 'file')
      })

      test(`${path} does not take ${show(bad)}`, () => {
        const loaded = loadYaml(stringify(Object.assign(nest(path, bad) as object, needs(path))))
        const tolerated = /^(nftables|winkernel)\./.test(path)
        const problems = tolerated ? loaded.warnings : loaded.errors
        assert.deepEqual(
          problems.map(problem => [problem.path, problem.where, problem.problem]),
          [[path, `${file}:${2 + path.split('.').length}: ${path}`, `${show(bad)} is not allowed`]],
        )
        assert.match(problems[0]?.advice ?? '', /allowed: ./)
        assert.equal(loaded.config === undefined, !tolerated)
      })

      test(`${path}: null is the default`, () => {
        const loaded = loadYaml(stringify(nest(path, null)))
        assert.deepEqual(lines([...loaded.errors, ...loaded.warnings]), [])
        assert.deepEqual(object(loaded), object(loadYaml('')))
        assert.equal(loaded.origins.has(path), false)
      })
    }

    test('every field at once, each with another value than the default', () => {
      const everything = Object.entries(samples).reduce<unknown>((all, [path, { good }]) => merge(all, nest(path, good)), {})
      const loaded = loadYaml(stringify(everything))
      assert.deepEqual(lines(loaded.errors), [])
      assert.deepEqual(Object.fromEntries(Object.entries(object(loaded) as object).slice(2)), everything)
      assert.deepEqual([...loaded.origins.keys()].sort(), Object.keys(fields).sort())
    })
  })
}

test('the defaults are those of kube-proxy 1.36', () => {
  const loaded = loadFile('')
  assert.deepEqual(lines([...loaded.errors, ...loaded.warnings]), [])
  assert.deepEqual([...loaded.origins], [])
  assert.deepEqual(kubeProxyObject(loaded.effective), {
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    featureGates: {},
    clientConnection: {
      kubeconfig: '',
      acceptContentTypes: '',
      contentType: 'application/vnd.kubernetes.protobuf',
      qps: 5,
      burst: 10,
    },
    logging: {
      format: 'text',
      flushFrequency: '5s',
      verbosity: 0,
      vmodule: [],
      options: { text: { splitStream: false, infoBufferSize: '0' }, json: { splitStream: false, infoBufferSize: '0' } },
    },
    hostnameOverride: '',
    bindAddress: '0.0.0.0',
    healthzBindAddress: '0.0.0.0:10256',
    metricsBindAddress: '127.0.0.1:10249',
    bindAddressHardFail: false,
    enableProfiling: false,
    showHiddenMetricsForVersion: '',
    mode: 'iptables',
    iptables: { masqueradeBit: 14, masqueradeAll: false, localhostNodePorts: true, syncPeriod: '30s', minSyncPeriod: '1s' },
    ipvs: {
      syncPeriod: '30s',
      minSyncPeriod: '0s',
      scheduler: 'rr',
      excludeCIDRs: [],
      strictARP: false,
      tcpTimeout: '0s',
      tcpFinTimeout: '0s',
      udpTimeout: '0s',
    },
    nftables: { masqueradeBit: 14, masqueradeAll: false, syncPeriod: '30s', minSyncPeriod: '1s' },
    winkernel: { networkName: '', sourceVip: '', enableDSR: false, rootHnsEndpointName: '', forwardHealthCheckVip: false },
    detectLocalMode: 'ClusterCIDR',
    detectLocal: { bridgeInterface: '', interfaceNamePrefix: '' },
    clusterCIDR: '',
    nodePortAddresses: [],
    oomScoreAdj: -999,
    conntrack: {
      maxPerCore: 32768,
      min: 131072,
      tcpEstablishedTimeout: '24h0m0s',
      tcpCloseWaitTimeout: '1h0m0s',
      tcpBeLiberal: false,
      udpTimeout: '0s',
      udpStreamTimeout: '0s',
    },
    configSyncPeriod: '15m0s',
    windowsRunAsService: false,
    portRange: '',
  })
})

test('the defaults of switchyard.conf', () => {
  assert.deepEqual(switchyardObject(load([]).switchyard), {
    apiVersion: 'switchyard/v1alpha1',
    kind: 'SwitchyardConfiguration',
    backend: 'auto',
    dispatch: 'auto',
    drain: { deadline: '15m0s', goneDeadline: '2m0s', modeChangeDeadline: '24h0m0s' },
    ipvs: { unavailable: 'fail' },
    sync: { minSyncPeriod: 'switchyard' },
    page: { bind: 'loopback', hosts: [] },
  })
})

/** Go's zero values, and what kube-proxy's defaulting makes of each. */
const zeros: readonly (readonly [path: string, zero: Json, meaning: Json])[] = [
  ['bindAddress', '', '0.0.0.0'],
  ['healthzBindAddress', '', '0.0.0.0:10256'],
  ['metricsBindAddress', '', '127.0.0.1:10249'],
  ['mode', '', 'iptables'],
  ['detectLocalMode', '', 'ClusterCIDR'],
  ['logging.format', '', 'text'],
  ['logging.flushFrequency', 0, '5s'],
  ['clientConnection.contentType', '', 'application/vnd.kubernetes.protobuf'],
  ['clientConnection.qps', 0, 5],
  ['clientConnection.burst', 0, 10],
  ['iptables.syncPeriod', '0s', '30s'],
  ['iptables.syncPeriod', 0, '30s'],
  ['iptables.minSyncPeriod', '0s', '1s'],
  ['iptables.minSyncPeriod', '0', '1s'],
  ['ipvs.syncPeriod', '0s', '30s'],
  ['ipvs.minSyncPeriod', '0s', '0s'],
  ['ipvs.scheduler', '', 'rr'],
  ['configSyncPeriod', '0s', '15m0s'],
  ['iptables.masqueradeBit', 0, 0],
  ['oomScoreAdj', 0, 0],
  ['conntrack.maxPerCore', 0, 0],
  ['conntrack.min', 0, 0],
  ['conntrack.tcpEstablishedTimeout', '0s', '0s'],
  ['conntrack.tcpCloseWaitTimeout', '0s', '0s'],
]

test('a zero means the default where kube-proxy says so, and itself elsewhere', () => {
  for (const [path, zero, meaning] of zeros) {
    const loaded = loadFile(stringify(nest(path, zero)))
    assert.deepEqual(lines(loaded.errors), [], path)
    assert.deepEqual(at(kubeProxyObject(loaded.effective), path), meaning, path)
  }
})

test('a section may be null or empty', () => {
  for (const section of ['iptables', 'ipvs', 'conntrack', 'clientConnection', 'logging', 'detectLocal', 'winkernel']) {
    for (const value of [null, {}]) {
      const loaded = loadFile(stringify({ [section]: value }))
      assert.deepEqual(lines([...loaded.errors, ...loaded.warnings]), [], section)
    }
  }
})

test('a section that is no mapping is an error', () => {
  const { errors } = loadFile('iptables: 5\nlogging: {options: [text]}\n')
  assert.deepEqual(lines(errors), [
    '/etc/config.conf:3: iptables: 5 is not allowed; allowed: a section with fields of its own',
    '/etc/config.conf:4: logging.options: ["text"] is not allowed; allowed: a section with fields of its own',
  ])
})

test('booleans of YAML 1.1 count, as they do for kube-proxy', () => {
  for (const [word, value] of [
    ['yes', true],
    ['On', true],
    ['no', false],
    ['OFF', false],
  ] as const) {
    assert.equal(loadFile(`iptables: {localhostNodePorts: ${word}}`).effective['iptables.localhostNodePorts'], value, word)
  }
})

test('JSON is read as well', () => {
  const { errors, config } = load(['--config=/c.json'], {
    '/c.json':
      '{\n\t"apiVersion": "kubeproxy.config.k8s.io/v1alpha1",\n\t"kind": "KubeProxyConfiguration",\n\t"mode": "ipvs"\n}\n',
  })
  assert.deepEqual(lines(errors), [])
  assert.equal(config?.mode, 'ipvs')
})

test('the header alone is a configuration', () => {
  assert.notEqual(load(['--config=/c'], { '/c': header }).config, undefined)
})

function at(object: unknown, path: string): unknown {
  return path.split('.').reduce((value, key) => (isMapping(value) ? value[key] : undefined), object)
}

function merge(left: unknown, right: unknown): unknown {
  if (!isMapping(left) || !isMapping(right)) return right
  return { ...left, ...Object.fromEntries(Object.entries(right).map(([key, value]) => [key, merge(left[key], value)])) }
}
