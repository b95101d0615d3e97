// Every command line flag: kube-proxy 1.36's and ours. Data only; flag-parser.ts reads argv with it, flag-help.ts prints it.
// A flag that sets a field takes its type and, unless it says otherwise, its default from there.
import type { Field } from './field.ts'
import { bool, choice, type FieldType, int32, text } from './field-type.ts'
import { healthzPort, type KubeProxyPath, kubeProxyFields, metricsPort } from './kube-proxy-fields.ts'
import { type SwitchyardPath, switchyardFields } from './switchyard-fields.ts'

/** A dotted path of KubeProxyConfiguration or SwitchyardConfiguration: no path is in both. */
export type SettingPath = KubeProxyPath | SwitchyardPath

export interface Flag<T> {
  readonly type: FieldType<T>
  /** What holds without the flag and without a file. */
  readonly default: T
  readonly help: string
  /** The setting that it stands for. */
  readonly sets?: SettingPath
  /** Whether it counts beside --config too. kube-proxy takes the other settings from the file alone. */
  readonly withConfig: 'applies' | 'ignored'
  /** Whether an empty value counts as none, as in `--proxy-mode=`. */
  readonly emptyIsUnset?: boolean
  /** The one letter of `-v 2`. */
  readonly letter?: string
  /** Accepted from kube-proxy's command line, without effect. */
  readonly unused?: true
}

export type Flags = Readonly<Record<string, Flag<unknown>>>

/** What a flag has that its field has not, or otherwise. */
type Own = Partial<Pick<Flag<unknown>, 'default' | 'help' | 'withConfig' | 'letter'>>

function kubeProxy(sets: KubeProxyPath, own: Own = {}): Flag<unknown> {
  return { ...setting(sets, kubeProxyFields[sets]), withConfig: 'ignored', ...own }
}

function switchyard(sets: SwitchyardPath): Flag<unknown> {
  return { ...setting(sets, switchyardFields[sets]), withConfig: 'applies' }
}

function setting(sets: SettingPath, { type, default: value, about, reload, zeroIsUnset }: Field<unknown>) {
  const help = reload === 'unused' ? `No effect: ${about}` : about
  return { type, default: value, help, sets, emptyIsUnset: zeroIsUnset && type.name === 'string' }
}

function option<T>(type: FieldType<T>, defaultValue: NoInfer<T>, help: string, extra: Partial<Flag<T>> = {}): Flag<T> {
  return { type, default: defaultValue, help, withConfig: 'applies', ...extra }
}

const logging = { withConfig: 'applies' } as const
const unused = { unused: true } as const

export const flags = {
  config: option(text(), '', 'KubeProxyConfiguration file.'),
  'switchyard-config': option(
    text(),
    '',
    'SwitchyardConfiguration file; default: switchyard.conf beside the file of --config, where there is one.',
  ),
  manifests: option(
    text(),
    '',
    'Take Services, EndpointSlices and Nodes from the YAML and JSON files of this folder instead of an API server.',
  ),
  'write-config-to': option(text(), '', 'Write the configuration to this file and exit.'),
  cleanup: option(bool, false, 'Remove all rules of ours and exit.'),
  'init-only': option(bool, false, 'Do what needs full root privileges and exit.'),
  version: option(
    { ...choice('true', 'false', 'raw'), name: 'version', bare: 'true' },
    'false',
    'Print the version and exit; =raw: with all its parts.',
  ),
  help: option(bool, false, 'Print this and exit.', { letter: 'h' }),
  'state-dir': option(
    text(),
    '/run/switchyard',
    'Folder for state that survives a restart: kernel parameters as they were before, and what drains since when.',
  ),
  'sysctl-root': option(text(), '/proc/sys', 'Where the kernel settings are mounted writable.'),
  'iptables-backend': switchyard('backend'),
  kubeconfig: kubeProxy('clientConnection.kubeconfig'),
  master: option(text(), '', "Address of the API server, instead of the kubeconfig's."),
  'kube-api-content-type': kubeProxy('clientConnection.contentType'),
  'kube-api-qps': kubeProxy('clientConnection.qps'),
  'kube-api-burst': kubeProxy('clientConnection.burst'),
  'hostname-override': kubeProxy('hostnameOverride', { withConfig: 'applies' }),
  'bind-address': kubeProxy('bindAddress'),
  'bind-address-hard-fail': kubeProxy('bindAddressHardFail'),
  'healthz-bind-address': kubeProxy('healthzBindAddress', { help: 'Where /healthz, /livez and /readyz answer; empty: nowhere.' }),
  'metrics-bind-address': kubeProxy('metricsBindAddress', {
    help: 'Where /metrics, /configz and /proxyMode answer; empty: nowhere.',
  }),
  'healthz-port': option(
    int32(0, 65_535),
    healthzPort,
    'Deprecated: port where --healthz-bind-address is not given; 0: no server.',
    {
      withConfig: 'ignored',
    },
  ),
  'metrics-port': option(
    int32(0, 65_535),
    metricsPort,
    'Deprecated: port where --metrics-bind-address is not given; 0: no server.',
    {
      withConfig: 'ignored',
    },
  ),
  'proxy-mode': kubeProxy('mode'),
  'iptables-masquerade-bit': kubeProxy('iptables.masqueradeBit'),
  'masquerade-all': kubeProxy('iptables.masqueradeAll'),
  'iptables-localhost-nodeports': kubeProxy('iptables.localhostNodePorts'),
  'iptables-sync-period': kubeProxy('iptables.syncPeriod'),
  'iptables-min-sync-period': kubeProxy('iptables.minSyncPeriod'),
  'ipvs-sync-period': kubeProxy('ipvs.syncPeriod', { help: 'As --iptables-sync-period, in ipvs mode.' }),
  'ipvs-min-sync-period': kubeProxy('ipvs.minSyncPeriod', {
    help: 'As --iptables-min-sync-period, in ipvs mode.',
    default: 1_000,
  }),
  'ipvs-scheduler': kubeProxy('ipvs.scheduler'),
  'ipvs-exclude-cidrs': kubeProxy('ipvs.excludeCIDRs'),
  'ipvs-strict-arp': kubeProxy('ipvs.strictARP'),
  'ipvs-tcp-timeout': kubeProxy('ipvs.tcpTimeout'),
  'ipvs-tcpfin-timeout': kubeProxy('ipvs.tcpFinTimeout'),
  'ipvs-udp-timeout': kubeProxy('ipvs.udpTimeout'),
  'detect-local-mode': kubeProxy('detectLocalMode'),
  'pod-bridge-interface': kubeProxy('detectLocal.bridgeInterface'),
  'pod-interface-name-prefix': kubeProxy('detectLocal.interfaceNamePrefix'),
  'cluster-cidr': kubeProxy('clusterCIDR'),
  'nodeport-addresses': kubeProxy('nodePortAddresses'),
  'oom-score-adj': kubeProxy('oomScoreAdj'),
  'conntrack-max-per-core': kubeProxy('conntrack.maxPerCore'),
  'conntrack-min': kubeProxy('conntrack.min'),
  'conntrack-tcp-timeout-established': kubeProxy('conntrack.tcpEstablishedTimeout'),
  'conntrack-tcp-timeout-close-wait': kubeProxy('conntrack.tcpCloseWaitTimeout'),
  'conntrack-tcp-be-liberal': kubeProxy('conntrack.tcpBeLiberal'),
  'conntrack-udp-timeout': kubeProxy('conntrack.udpTimeout'),
  'conntrack-udp-timeout-stream': kubeProxy('conntrack.udpStreamTimeout'),
  'config-sync-period': kubeProxy('configSyncPeriod'),
  'feature-gates': kubeProxy('featureGates'),
  profiling: kubeProxy('enableProfiling'),
  'show-hidden-metrics-for-version': kubeProxy('showHiddenMetricsForVersion'),
  'boot-id-file': option(text(), '', 'No effect.', unused),
  'machine-id-file': option(text(), '', 'No effect.', unused),
  v: kubeProxy('logging.verbosity', { ...logging, letter: 'v' }),
  vmodule: kubeProxy('logging.vmodule', logging),
  'logging-format': kubeProxy('logging.format', logging),
  'log-flush-frequency': kubeProxy('logging.flushFrequency', logging),
  'log-text-split-stream': kubeProxy('logging.options.text.splitStream', logging),
  'log-text-info-buffer-size': kubeProxy('logging.options.text.infoBufferSize', logging),
  'log-json-split-stream': kubeProxy('logging.options.json.splitStream', logging),
  'log-json-info-buffer-size': kubeProxy('logging.options.json.infoBufferSize', logging),
}

export type FlagName = keyof typeof flags

/** The flags that were given, each with its typed value; those that set a field are read by path, so their type is left open. */
export type FlagValues = { readonly [N in FlagName]?: (typeof flags)[N] extends Flag<infer T> ? T : never }
