import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { suite, test } from 'node:test'
import { loadConfig } from '../../src/config/load.ts'
import { header, lines, load, loadFile, switchyardHeader } from './support.ts'

suite('unknown fields are warned about and have no effect', () => {
  const rows: readonly (readonly [yaml: string, warning: string])[] = [
    [
      'masqueradeAll: true',
      '/etc/config.conf:3: masqueradeAll: there is no such field, it has no effect; did you mean iptables.masqueradeAll?',
    ],
    [
      'iptables: {masqueradeall: true}',
      '/etc/config.conf:3: iptables.masqueradeall: there is no such field, it has no effect; did you mean iptables.masqueradeAll?',
    ],
    ['Mode: ipvs', '/etc/config.conf:3: Mode: there is no such field, it has no effect; did you mean mode?'],
    [
      'iptables.masqueradeAll: true',
      '/etc/config.conf:3: iptables.masqueradeAll: there is no such field, it has no effect; write it as sections: iptables: {masqueradeAll: ...}',
    ],
    [
      'ipvs:\n  strictArp: true',
      '/etc/config.conf:4: ipvs.strictArp: there is no such field, it has no effect; did you mean ipvs.strictARP?',
    ],
    [
      'resourceContainer: /kube-proxy',
      '/etc/config.conf:3: resourceContainer: there is no such field, it has no effect; remove it',
    ],
    ['conntrak: {min: 5}', '/etc/config.conf:3: conntrak: there is no such field, it has no effect; did you mean conntrack?'],
    ['__proto__: {mode: ipvs}', '/etc/config.conf:3: __proto__: there is no such field, it has no effect; remove it'],
    ['constructor: 1', '/etc/config.conf:3: constructor: there is no such field, it has no effect; remove it'],
    [
      'dispatch: linear',
      '/etc/config.conf:3: dispatch: there is no such field, it has no effect; it is a field of switchyard.conf',
    ],
    [
      'drain: {deadline: 5m}',
      '/etc/config.conf:3: drain: there is no such field, it has no effect; it is a field of switchyard.conf',
    ],
    [
      'ipvs: {unavailable: fallback}',
      '/etc/config.conf:3: ipvs.unavailable: there is no such field, it has no effect; it is a field of switchyard.conf',
    ],
    ['a.b: 1', '/etc/config.conf:3: a.b: there is no such field, it has no effect; remove it'],
  ]
  for (const [yaml, warning] of rows) {
    test(yaml.replaceAll('\n', ' '), () => {
      const loaded = loadFile(`${yaml}\n`)
      assert.deepEqual(lines(loaded.errors), [])
      assert.deepEqual(lines(loaded.warnings), [warning])
      assert.deepEqual(loaded.effective, loadFile('').effective)
    })
  }
})

test('a field of the KubeProxyConfiguration in switchyard.conf is warned about', () => {
  const loaded = load(['--switchyard-config=/etc/s.conf'], { '/etc/s.conf': `${switchyardHeader}mode: ipvs\n` })
  assert.deepEqual(lines([...loaded.errors, ...loaded.warnings]), [
    '/etc/s.conf:3: mode: there is no such field, it has no effect; it is a field of the KubeProxyConfiguration',
  ])
})

suite('fields without meaning here', () => {
  test('are named where they are set to something else than the default', () => {
    const yaml =
      'clusterCIDR: 10.0.0.0/8\nwinkernel: {enableDSR: true, networkName: ""}\nwindowsRunAsService: false\nportRange: 1-2\nnftables: {masqueradeBit: 14}\n'
    const loaded = loadFile(`${yaml}clientConnection: {contentType: application/json, burst: 10}\n`)
    assert.deepEqual(lines([...loaded.errors, ...loaded.warnings]), [])
    assert.deepEqual(lines(loaded.notices), [
      '/etc/config.conf:8: clientConnection.contentType: has no effect; Switchyard always talks JSON.',
      '/etc/config.conf:4: winkernel.enableDSR: has no effect; Windows only.',
      '/etc/config.conf:6: portRange: has no effect; kube-proxy does not use it either.',
    ])
  })

  test('may be wrong where kube-proxy does not look: in the section of another mode', () => {
    assert.deepEqual(lines(loadFile('mode: ipvs\niptables: {minSyncPeriod: 1m}\n').warnings), [
      '/etc/config.conf:4: iptables.minSyncPeriod: "1m0s" is not allowed; allowed: up to iptables.syncPeriod, which is 30s; not used: mode is ipvs',
    ])
    const loaded = loadFile('ipvs: {scheduler: random}\nclusterCIDR: none\ndetectLocalMode: NodeCIDR\n')
    assert.notEqual(loaded.config, undefined)
    assert.deepEqual(
      loaded.warnings.map(({ where, advice }) => [where, advice.replace(/.*; /, '')]),
      [
        ['/etc/config.conf:3: ipvs.scheduler', 'not used: mode is iptables'],
        ['/etc/config.conf:4: clusterCIDR', 'not used: detectLocalMode is NodeCIDR'],
      ],
    )
  })
})

suite('a file that is no configuration at all is one error', () => {
  const rows: readonly (readonly [text: string, error: string])[] = [
    ['', '/c: the file is empty; needs apiVersion: kubeproxy.config.k8s.io/v1alpha1 and kind: KubeProxyConfiguration'],
    ['# nothing\n', '/c: the file is empty; needs apiVersion: kubeproxy.config.k8s.io/v1alpha1 and kind: KubeProxyConfiguration'],
    [
      'just text\n',
      '/c: the file holds no fields; needs apiVersion: kubeproxy.config.k8s.io/v1alpha1 and kind: KubeProxyConfiguration',
    ],
    [
      'mode: ipvs\n',
      '/c: its kind is undefined and its apiVersion undefined; needs apiVersion: kubeproxy.config.k8s.io/v1alpha1 and kind: KubeProxyConfiguration',
    ],
    [
      header.replace('v1alpha1', 'v1beta1'),
      '/c: its kind is "KubeProxyConfiguration" and its apiVersion "kubeproxy.config.k8s.io/v1beta1"; needs apiVersion: kubeproxy.config.k8s.io/v1alpha1 and kind: KubeProxyConfiguration',
    ],
    [
      'apiVersion: v1\nkind: ConfigMap\n',
      '/c: its kind is "ConfigMap" and its apiVersion "v1"; give the text under its data.config.conf, which needs apiVersion: kubeproxy.config.k8s.io/v1alpha1 and kind: KubeProxyConfiguration',
    ],
    [
      `${header}mode: [ipvs\nclusterCIDR: 10.0.0.0/8\n`,
      '/c:4: not YAML at column 1: Flow sequence in block collection must be sufficiently indented and end with a ]; correct the line or the one before',
    ],
    [
      `${header}iptables:\n\tmasqueradeAll: true\n`,
      '/c:4: not YAML at column 1: Tabs are not allowed as indentation; correct the line or the one before',
    ],
    [
      `${header}mode: *nothing\n`,
      '/c: not YAML: Unresolved alias (the anchor must be set before the alias): nothing; correct the file',
    ],
  ]
  for (const [text, error] of rows) {
    test(JSON.stringify(text.slice(0, 60)), () => {
      const loaded = load(['--config=/c'], { '/c': text })
      assert.deepEqual(lines(loaded.errors), [error])
      assert.equal(loaded.config, undefined)
    })
  }
})

test('a --config file that is not there, or cannot be read, is named', () => {
  const missing = load(['--config=/nowhere'])
  assert.deepEqual(lines(missing.errors), ['/nowhere: there is no such file; name a file that this process may read'])
  const folder = loadConfig({ flags: { config: '/' }, hostname: 'host1', readFile: path => readFileSync(path, 'utf8') })
  assert.match(lines(folder.errors)[0] ?? '', /^\/: cannot be read: EISDIR.*; name a file that this process may read$/)
})

test('a repeated key and a second document are warnings', () => {
  const { errors, warnings, effective } = loadFile('mode: iptables\nmode: ipvs\n---\nmode: iptables\n')
  assert.deepEqual(lines(errors), [])
  assert.equal(effective.mode, 'ipvs')
  assert.deepEqual(lines(warnings), [
    '/etc/config.conf:4: the key on this line is there twice; the last one counts; remove one',
    '/etc/config.conf: the file has 2 documents; only the first counts; remove the others',
  ])
})

test('an error about a repeated key names the line that counts', () => {
  const { errors } = loadFile('mode: ipvs\nmode: nftables\n')
  assert.deepEqual(lines(errors), ['/etc/config.conf:4: mode: "nftables" is not allowed; allowed: iptables, ipvs'])
})

test('anchors and merge keys are understood', () => {
  const { errors, effective } = loadFile('iptables: &periods\n  syncPeriod: 1m\n  minSyncPeriod: 2s\nipvs:\n  <<: *periods\n')
  assert.deepEqual(lines(errors), [])
  assert.equal(effective['ipvs.syncPeriod'], 60_000)
})
