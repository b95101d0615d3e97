import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { suite, test } from 'node:test'
import { kubeProxyObject } from '../../src/config/render.ts'
import { header, lines, load, loadFile, switchyardHeader } from './support.ts'

/** data."config.conf" of the ConfigMap kube-proxy as kubeadm writes it, with all its zero values and nulls. */
const kubeadm = `apiVersion: kubeproxy.config.k8s.io/v1alpha1
bindAddress: 0.0.0.0
bindAddressHardFail: false
clientConnection:
  acceptContentTypes: ""
  burst: 0
  contentType: ""
  kubeconfig: /var/lib/kube-proxy/kubeconfig.conf
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

test("kubeadm's ConfigMap is the defaults, without a word", () => {
  const loaded = load(['--config=/var/lib/kube-proxy/config.conf', '--hostname-override=node-1'], {
    '/var/lib/kube-proxy/config.conf': kubeadm,
  })
  assert.deepEqual(lines([...loaded.errors, ...loaded.warnings, ...loaded.notices]), [])
  const { effective } = loadFile(
    'clusterCIDR: 10.244.0.0/16\nclientConnection: {kubeconfig: /var/lib/kube-proxy/kubeconfig.conf}\n',
  )
  assert.deepEqual(loaded.effective, { ...effective, hostnameOverride: 'node-1' })
  assert.equal(loaded.config?.nodeName, 'node-1')
})

suite('precedence', () => {
  const file = {
    '/etc/config.conf': `${header}mode: ipvs\nhostnameOverride: of-file\nlogging: {verbosity: 1}\nclusterCIDR: 10.0.0.0/8\n`,
  }

  test('beside --config only logging, the host name and our own flags count; one warning names the others', () => {
    const argv = '--config=/etc/config.conf --proxy-mode=iptables --cluster-cidr=10.1.0.0/16 -v=5 --hostname-override=of-flag'
    const ours = '--iptables-backend=legacy --master=https://api --state-dir=/s --sysctl-root=/h --kubeconfig=/k --healthz-port=1'
    const loaded = load(`${argv} ${ours}`.split(' '), file)
    assert.deepEqual(lines(loaded.errors), [])
    assert.deepEqual(lines(loaded.warnings), [
      '--proxy-mode, --cluster-cidr, --kubeconfig, --healthz-port: no effect beside --config; set this in the file',
    ])
    const { config } = loaded
    assert.equal(config?.mode, 'ipvs')
    assert.equal(config.nodeName, 'of-flag')
    assert.deepEqual(config.logging, { format: 'auto', verbosity: 5 })
    assert.deepEqual(config.source, { kind: 'api server', kubeconfig: undefined, master: 'https://api' })
    assert.equal(config.iptablesBackend, 'legacy')
    assert.equal(config.stateDirectory, '/s')
    assert.equal(config.sysctlRoot, '/h')
    assert.equal(config.healthBind?.port, 10_256)
    assert.deepEqual(Object.fromEntries(loaded.origins), {
      mode: 'file',
      hostnameOverride: 'flag',
      'logging.verbosity': 'flag',
      clusterCIDR: 'file',
      backend: 'flag',
    })
  })

  test('without a file the flags count, over the defaults', () => {
    const loaded = load(['--proxy-mode=ipvs', '--kubeconfig=/k', '--masquerade-all'])
    assert.deepEqual(lines([...loaded.errors, ...loaded.warnings]), [])
    assert.equal(loaded.config?.mode, 'ipvs')
    assert.equal(loaded.config.traffic.masqueradeAll, true)
    assert.deepEqual(loaded.config.source, { kind: 'api server', kubeconfig: '/k', master: undefined })
    assert.equal(loaded.config.minSyncPeriodMs, 1_000, 'the flag has another default than the field')
  })

  test('without a file and without flags all is at its default, but ipvs.minSyncPeriod', () => {
    const { effective, origins } = load([])
    assert.deepEqual(effective, { ...loadFile('').effective, 'ipvs.minSyncPeriod': 1_000 })
    assert.deepEqual([...origins], [])
  })

  test('--iptables-backend comes before switchyard.conf', () => {
    const files = { '/s': `${switchyardHeader}backend: legacy\n` }
    assert.equal(load(['--switchyard-config=/s'], files).config?.iptablesBackend, 'legacy')
    assert.equal(load(['--switchyard-config=/s', '--iptables-backend=nft'], files).config?.iptablesBackend, 'nft')
  })

  test('flags of kube-proxy that do nothing here are named once', () => {
    const { notices } = load(['--boot-id-file=/b', '--machine-id-file=/m', '--profiling', '--cluster-cidr=10.0.0.0/8'])
    assert.deepEqual(lines(notices), [
      '--profiling: has no effect; The profiles are those of a Go program.',
      '--boot-id-file, --machine-id-file: no effect; accepted because kube-proxy has it',
    ])
  })
})

suite('switchyard.conf', () => {
  const config = { '/etc/kp/config.conf': `${header}clusterCIDR: 10.0.0.0/8\n` }

  test('is found beside the KubeProxyConfiguration file', () => {
    const loaded = load(['--config=/etc/kp/config.conf'], {
      ...config,
      '/etc/kp/switchyard.conf': `${switchyardHeader}dispatch: linear\n`,
    })
    assert.equal(loaded.config?.traffic.dispatch, 'linear')
    assert.equal(loaded.origins.get('dispatch'), 'file')
    assert.deepEqual(loaded.files, ['/etc/kp/config.conf', '/etc/kp/switchyard.conf'])
  })

  test('need not be there, but is watched for', () => {
    const loaded = load(['--config=/etc/kp/config.conf'], config)
    assert.equal(loaded.config?.traffic.dispatch, 'auto')
    assert.deepEqual(loaded.files, ['/etc/kp/config.conf', '/etc/kp/switchyard.conf'])
  })

  test('must be there where --switchyard-config names it', () => {
    const { errors } = load(['--config=/etc/kp/config.conf', '--switchyard-config=/s.conf'], config)
    assert.deepEqual(lines(errors), ['/s.conf: there is no such file; name a file that this process may read'])
  })

  test('all its errors come with those of the other file', () => {
    const { errors, warnings } = load(['--config=/a/config.conf'], {
      '/a/config.conf': `${header}mode: userspace\n`,
      '/a/switchyard.conf': `${switchyardHeader}drain:\n  deadline: 15\n  gonedeadline: 1m\nbackend: nftables\n`,
    })
    assert.deepEqual(lines(errors), [
      '/a/config.conf:3: mode: "userspace" is not allowed; allowed: iptables, ipvs',
      '/a/switchyard.conf:4: drain.deadline: 15 is not allowed; allowed: a duration with a unit, 0s or more, such as 30s or 1h30m',
      '/a/switchyard.conf:6: backend: "nftables" is not allowed; allowed: auto, nft, legacy',
    ])
    assert.deepEqual(lines(warnings), [
      '/a/switchyard.conf:5: drain.gonedeadline: there is no such field, it has no effect; did you mean drain.goneDeadline?',
    ])
  })
})

suite('the name of the Node', () => {
  const rows: readonly (readonly [flag: string | undefined, file: string, hostname: string, name: string])[] = [
    [undefined, '', 'host1', 'host1'],
    [undefined, '', ' HOST1.Example.COM\n', 'host1.example.com'],
    [undefined, 'of-file', 'host1', 'of-file'],
    ['of-flag', 'of-file', 'host1', 'of-flag'],
    [' Of-Flag ', '', 'host1', 'of-flag'],
    ['', 'of-file', 'host1', 'of-file'],
    ['10.0.0.7', '', 'host1', '10.0.0.7'],
    ['a'.repeat(100), '', 'host1', 'a'.repeat(100)],
  ]
  for (const [flag, file, hostname, name] of rows) {
    test(`${JSON.stringify({ flag, file, hostname })} is ${name.slice(0, 20)}`, () => {
      const argv = ['--config=/c', ...(flag === undefined ? [] : [`--hostname-override=${flag}`])]
      assert.equal(load(argv, { '/c': `${header}hostnameOverride: "${file}"\n` }, hostname).config?.nodeName, name)
    })
  }

  test('must be a DNS subdomain, and the error says where it comes from', () => {
    const advice =
      'allowed: letters, digits, - and ., each part beginning and ending with a letter or digit, 253 characters at most'
    assert.deepEqual(lines(load(['--hostname-override=node_1']).errors), [
      `--hostname-override: "node_1" is not the name of a Node; ${advice}`,
    ])
    assert.deepEqual(lines(load(['--hostname-override=  ']).errors), [
      `--hostname-override: "  " is not the name of a Node; ${advice}`,
    ])
    assert.deepEqual(lines(loadFile('hostnameOverride: -a').errors), [
      `/etc/config.conf:3: hostnameOverride: "-a" is not the name of a Node; ${advice}`,
    ])
    assert.deepEqual(lines(load([], {}, '').errors), [
      `the host name: "" is not the name of a Node; ${advice}; or name the Node by --hostname-override`,
    ])
    assert.equal(load([`--hostname-override=${'a'.repeat(254)}`]).errors.length, 1)
  })
})

test('the configuration of every recorded kube-proxy scenario is taken', () => {
  const golden = new URL('../golden/', import.meta.url)
  const scenarios = readdirSync(golden, { withFileTypes: true }).filter(entry => entry.isDirectory())
  assert.ok(scenarios.length > 40)
  for (const { name } of scenarios) {
    const text = readFileSync(new URL(`${name}/config.yaml`, golden), 'utf8')
    const loaded = loadFile(text.trim() === '{}' ? '' : text)
    assert.deepEqual(lines([...loaded.errors, ...loaded.warnings]), [], name)
    assert.ok(kubeProxyObject(loaded.effective), name)
  }
})
