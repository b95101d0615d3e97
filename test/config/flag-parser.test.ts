import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Json } from '../../src/config/field-type.ts'
import { isMapping } from '../../src/config/field-type.ts'
import { parseFlags, parseFlagsOf } from '../../src/config/flag-parser.ts'
import { type Flag, type FlagValues, flags } from '../../src/config/flags.ts'
import { kubeProxySamples, switchyardSamples } from './sample-values.ts'
import { lines, load } from './support.ts'

const accepted: readonly (readonly [argv: readonly string[], values: FlagValues])[] = [
  [[], {}],
  [['--config=/a'], { config: '/a' }],
  [['--config', '/a'], { config: '/a' }],
  [['--config', '--cleanup'], { config: '--cleanup' }],
  [['--config='], { config: '' }],
  [['--config=/a=b'], { config: '/a=b' }],
  [['--config=/a', '--config=/b'], { config: '/b' }],
  [['--cleanup'], { cleanup: true }],
  [['--cleanup=false'], { cleanup: false }],
  [['--cleanup=T'], { cleanup: true }],
  [['--cleanup=0'], { cleanup: false }],
  [['--init-only', '--config', '/a'], { 'init-only': true, config: '/a' }],
  [['-v', '2'], { v: 2 }],
  [['-v=2'], { v: 2 }],
  [['-v2'], { v: 2 }],
  [['--v=2'], { v: 2 }],
  [['--v', '2'], { v: 2 }],
  [['-h'], { help: true }],
  [['--help'], { help: true }],
  [['--version'], { version: 'true' }],
  [['--version=raw'], { version: 'raw' }],
  [['--oom-score-adj', '-999'], { 'oom-score-adj': -999 }],
  [['--proxy_mode=ipvs'], { 'proxy-mode': 'ipvs' }],
  [['--proxy-mode='], {}],
  [['--bind-address='], {}],
  [['--hostname-override', ''], {}],
  [['--metrics-bind-address='], { 'metrics-bind-address': '' }],
  [['--metrics-bind-address=0.0.0.0'], { 'metrics-bind-address': '0.0.0.0:10249' }],
  [['--healthz-bind-address=::'], { 'healthz-bind-address': '[::]:10256' }],
  [['--iptables-min-sync-period=0'], { 'iptables-min-sync-period': 0 }],
  [['--iptables-sync-period=1h2m3.5s'], { 'iptables-sync-period': 3_723_500 }],
  [['--kube-api-qps=2.5'], { 'kube-api-qps': 2.5 }],
  [['--nodeport-addresses=10.0.0.0/8,fd00::/8'], { 'nodeport-addresses': ['10.0.0.0/8', 'fd00::/8'] }],
  [['--nodeport-addresses=10.0.0.0/8', '--nodeport-addresses=fd00::/8'], { 'nodeport-addresses': ['10.0.0.0/8', 'fd00::/8'] }],
  [['--feature-gates=A=true,B=false', '--feature-gates=B=true'], { 'feature-gates': { A: true, B: true } }],
  [
    ['--vmodule=proxier=4,node*=2'],
    {
      vmodule: [
        { filePattern: 'proxier', verbosity: 4 },
        { filePattern: 'node*', verbosity: 2 },
      ],
    },
  ],
]

test('a command line is read as kube-proxy reads it', () => {
  for (const [argv, values] of accepted) {
    const parsed = parseFlags(argv)
    assert.deepEqual(lines(parsed.errors), [], argv.join(' '))
    assert.deepEqual(parsed.values, values, argv.join(' '))
  }
})

const refused: readonly (readonly [argv: readonly string[], errors: readonly string[]])[] = [
  [['--confg=/a'], ['--confg: there is no such flag; did you mean --config?']],
  [['--proxymode', 'ipvs'], ['--proxymode: there is no such flag; did you mean --proxy-mode?']],
  [['-config', '/a'], ['-config: there is no such flag; did you mean --config?']],
  [['-config=/a'], ['-config: there is no such flag; did you mean --config?']],
  [['-x'], ['-x: there is no such flag; see --help']],
  [['--constructor'], ['--constructor: there is no such flag; see --help']],
  [['--no-such-thing-at-all'], ['--no-such-thing-at-all: there is no such flag; see --help']],
  [['--config'], ['--config: needs a value; allowed: text (in quotes where it looks like a number)']],
  [['-v'], ['--v: needs a value; allowed: a whole number, 0 or more']],
  [['--cleanup=yes'], ['--cleanup: "yes" is not allowed; allowed: true or false']],
  [['--cleanup='], ['--cleanup: "" is not allowed; allowed: true or false']],
  [
    ['--cleanup', 'false'],
    ['"false": is an argument without a flag; a flag that is true or false takes its value as --flag=false'],
  ],
  [['serve'], ['"serve": is an argument without a flag; this command takes flags only; a value follows its flag']],
  [['--', '--cleanup'], ['"--cleanup": is an argument without a flag; this command takes flags only; a value follows its flag']],
  [['--v=high'], ['--v: "high" is not allowed; allowed: a whole number, 0 or more']],
  [['--v=99999999999'], ['--v: "99999999999" is not allowed; allowed: a whole number, 0 or more']],
  [['--proxy-mode=nftables'], ['--proxy-mode: "nftables" is not allowed; allowed: iptables, ipvs']],
  [['--proxy-mode=userspace'], ['--proxy-mode: "userspace" is not allowed; allowed: iptables, ipvs']],
  [
    ['--iptables-sync-period=30'],
    ['--iptables-sync-period: "30" is not allowed; allowed: a duration with a unit, more than 0s, such as 30s or 1h30m'],
  ],
  [['--feature-gates=A'], ['--feature-gates: "A" is not allowed; allowed: names, each with true or false']],
  [['--iptables-backend=ebpf'], ['--iptables-backend: "ebpf" is not allowed; allowed: auto, nft, legacy']],
  [
    ['--oom-score-adj=5000', '--mastre', 'x', '--healthz-port=-1'],
    [
      '--oom-score-adj: "5000" is not allowed; allowed: a whole number from -1000 to 1000',
      '--mastre: there is no such flag; did you mean --master?',
      '--healthz-port: "-1" is not allowed; allowed: a whole number from 0 to 65535',
    ],
  ],
]

test('what is wrong with a command line is said at once, with what is allowed', () => {
  for (const [argv, errors] of refused) assert.deepEqual(lines(parseFlags(argv).errors), errors, argv.join(' '))
})

test('a command with arguments of its own gets them in order', () => {
  const parsed = parseFlagsOf<FlagValues>(flags, ['pod/a', '--manifests', '/m', '10.0.0.1:80', '--', '-v'])
  assert.deepEqual(parsed, { values: { manifests: '/m' }, positionals: ['pod/a', '10.0.0.1:80', '-v'], errors: [] })
})

test('all of kube-proxy 1.36 is there, and ours', () => {
  const kubeProxy =
    'config write-config-to cleanup init-only version feature-gates kubeconfig master kube-api-content-type kube-api-qps kube-api-burst ' +
    'hostname-override bind-address bind-address-hard-fail healthz-bind-address metrics-bind-address healthz-port metrics-port profiling ' +
    'show-hidden-metrics-for-version proxy-mode iptables-masquerade-bit masquerade-all iptables-localhost-nodeports iptables-sync-period ' +
    'iptables-min-sync-period ipvs-sync-period ipvs-min-sync-period ipvs-scheduler ipvs-exclude-cidrs ipvs-strict-arp ipvs-tcp-timeout ' +
    'ipvs-tcpfin-timeout ipvs-udp-timeout detect-local-mode pod-bridge-interface pod-interface-name-prefix cluster-cidr nodeport-addresses ' +
    'oom-score-adj conntrack-max-per-core conntrack-min conntrack-tcp-timeout-established conntrack-tcp-timeout-close-wait ' +
    'conntrack-tcp-be-liberal conntrack-udp-timeout conntrack-udp-timeout-stream config-sync-period boot-id-file machine-id-file v vmodule ' +
    'logging-format log-flush-frequency log-text-split-stream log-text-info-buffer-size log-json-split-stream log-json-info-buffer-size help'
  const ours = 'manifests switchyard-config iptables-backend state-dir sysctl-root'
  assert.deepEqual(Object.keys(flags).sort(), `${kubeProxy} ${ours}`.split(' ').sort())
})

test('a flag sets the same as its field in the file', () => {
  const samples: Readonly<Record<string, { readonly good: Json }>> = { ...kubeProxySamples, ...switchyardSamples }
  for (const [name, { sets }] of Object.entries<Flag<unknown>>(flags)) {
    if (sets === undefined) continue
    const good = samples[sets]?.good
    const loaded = load([`--${name}=${flagText(good)}`])
    const settings: Readonly<Record<string, unknown>> = { ...loaded.effective, ...loaded.switchyard }
    const { type } = flags[name as keyof typeof flags] as Flag<unknown>
    assert.deepEqual(settings[sets], type.decode(good), name)
    assert.equal(loaded.origins.get(sets), 'flag', name)
  }
})

function flagText(value: unknown): string {
  if (Array.isArray(value))
    return value.map(item => (isMapping(item) ? `${item['filePattern']}=${item['verbosity']}` : String(item))).join(',')
  return isMapping(value)
    ? Object.entries(value)
        .map(([key, item]) => `${key}=${item}`)
        .join(',')
    : String(value)
}
