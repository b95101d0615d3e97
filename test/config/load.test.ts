import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { stringify } from 'yaml'
import { parseFlags } from '../../src/config/flag-parser.ts'
import { flags } from '../../src/config/flags.ts'
import { kubeProxyFields } from '../../src/config/kube-proxy-fields.ts'
import { type LoadedConfig, loadConfig } from '../../src/config/load.ts'
import { kubeProxyObject } from '../../src/config/render.ts'
import { switchyardFields } from '../../src/config/switchyard-fields.ts'
import { header, lines, load, loadFile, nest, switchyardHeader } from './support.ts'

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
    assert.equal(loaded.config?.dispatch, 'linear')
    assert.equal(loaded.origins.get('dispatch'), 'file')
    assert.deepEqual(loaded.files, ['/etc/kp/config.conf', '/etc/kp/switchyard.conf'])
  })

  test('need not be there, but is watched for', () => {
    const loaded = load(['--config=/etc/kp/config.conf'], config)
    assert.equal(loaded.config?.dispatch, 'auto')
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
  assert.deepEqual(lines(load(['--config=/nowhere']).errors), [
    '/nowhere: there is no such file; name a file that this process may read',
  ])
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

suite('whatever it is given, loading ends with a configuration or with errors', () => {
  const check = (loaded: LoadedConfig) => assert.equal(loaded.config === undefined, loaded.errors.length > 0)

  test('any text', () => {
    fc.assert(fc.property(fc.string({ unit: 'grapheme' }), text => check(loadFile(text))))
  })

  test('any value in any field', () => {
    const path = fc.constantFrom(
      ...Object.keys(kubeProxyFields),
      ...Object.keys(switchyardFields),
      'iptables',
      'logging.options',
      'x',
    )
    fc.assert(fc.property(path, fc.jsonValue(), (at, value) => check(loadFile(stringify(nest(at, value))))))
  })

  test('any command line', () => {
    const word = fc.oneof(fc.constantFrom(...Object.keys(flags).map(name => `--${name}`)), fc.string())
    fc.assert(
      fc.property(fc.array(word), argv => {
        const { values } = parseFlags(argv.filter(text => !/^--(config|switchyard-config)/.test(text)))
        check(loadConfig({ flags: values, hostname: 'host1', readFile: () => '' }))
      }),
    )
  })
})
