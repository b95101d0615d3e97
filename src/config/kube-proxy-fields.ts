// KubeProxyConfiguration, kubeproxy.config.k8s.io/v1alpha1, as kube-proxy 1.36 reads it: every field, its default, what we do with it.
// Facts: the API's reference at kubernetes.io/docs/reference/config-api/kube-proxy-config.v1alpha1.

import { ipvsSchedulers } from '../model/ipvs-scheduler.ts'
import { live, restart, type SettingsOf, unused } from './field.ts'
import {
  bindAddress,
  bool,
  choice,
  durationAboveZero,
  durationOrNanoseconds,
  durationOrZero,
  type FileVerbosities,
  fileVerbosities,
  float32,
  int32,
  quantity,
  strings,
  switches,
  text,
} from './field-type.ts'

export const kubeProxyKind = { apiVersion: 'kubeproxy.config.k8s.io/v1alpha1', kind: 'KubeProxyConfiguration' } as const

export const healthzPort = 10_256
export const metricsPort = 10_249

const second = 1_000
const hour = 3_600 * second

const windows = 'Windows only.'
const nftables = 'There is no nftables mode here.'
const logging = 'Logs are written at once and as a whole.'
const json = 'Switchyard always talks JSON.'

export const kubeProxyFields = {
  featureGates: unused(switches, {}, 'Switchyard has no feature gates.'),
  'clientConnection.kubeconfig': restart(text(), '', 'Kubeconfig file; empty: the service account of the pod.'),
  'clientConnection.acceptContentTypes': unused(text(), '', json),
  'clientConnection.contentType': unused(text(), 'application/vnd.kubernetes.protobuf', json, 'zero is unset'),
  'clientConnection.qps': unused(float32, 5, 'Watches need no rate limit.', 'zero is unset'),
  'clientConnection.burst': unused(int32(0), 10, 'Watches need no rate limit.', 'zero is unset'),
  'logging.format': restart(choice('text', 'json'), 'text', 'Unset: JSON, or text on a terminal.', 'zero is unset'),
  'logging.flushFrequency': unused(durationOrNanoseconds, 5 * second, logging, 'zero is unset'),
  'logging.verbosity': live(int32(0), 0, 'How much is logged; from 2 up for debugging, from 4 up everything.'),
  'logging.vmodule': unused(fileVerbosities, [] as FileVerbosities, 'The files are those of kube-proxy.'),
  'logging.options.text.splitStream': unused(bool, false, logging),
  'logging.options.text.infoBufferSize': unused(quantity, '0', logging, 'zero is unset'),
  'logging.options.json.splitStream': unused(bool, false, logging),
  'logging.options.json.infoBufferSize': unused(quantity, '0', logging, 'zero is unset'),
  hostnameOverride: restart(text(), '', 'Name of this Node; empty: the host name.', 'zero is unset'),
  bindAddress: restart(
    text(),
    '0.0.0.0',
    "Stands in for the Node's address, or a dual-stack pair of them; unspecified (0.0.0.0, ::): the Node's own.",
    'zero is unset',
  ),
  healthzBindAddress: restart(
    bindAddress(healthzPort),
    `0.0.0.0:${healthzPort}`,
    'Where /healthz, /livez and /readyz answer; [::] where bindAddress is IPv6.',
    'zero is unset',
  ),
  metricsBindAddress: restart(
    bindAddress(metricsPort),
    `127.0.0.1:${metricsPort}`,
    'Where /metrics, /configz and /proxyMode answer; [::1] where bindAddress is IPv6.',
    'zero is unset',
  ),
  bindAddressHardFail: restart(bool, false, 'Stop where one of these addresses is taken, instead of trying again.'),
  enableProfiling: unused(bool, false, 'The profiles are those of a Go program.'),
  showHiddenMetricsForVersion: unused(text(), '', 'No metric is hidden.'),
  mode: live(choice('iptables', 'ipvs'), 'iptables', 'How Services are programmed.', 'zero is unset'),
  'iptables.masqueradeBit': restart(int32(0, 31), 14, 'Bit of the packet mark that asks for source NAT; ipvs mode uses it too.'),
  'iptables.masqueradeAll': live(bool, false, 'Source NAT for all traffic to cluster IPs; ipvs mode uses it too.'),
  'iptables.localhostNodePorts': live(bool, true, 'Node ports answer on 127.0.0.1 (IPv4, iptables mode).'),
  'iptables.syncPeriod': live(
    durationAboveZero,
    30 * second,
    'How often the kernel is compared with what it should hold.',
    'zero is unset',
  ),
  'iptables.minSyncPeriod': live(
    durationOrZero,
    1 * second,
    'The most that waiting for further changes adds to one; see sync.minSyncPeriod.',
    'zero is unset',
  ),
  'ipvs.syncPeriod': live(durationAboveZero, 30 * second, 'As iptables.syncPeriod, in ipvs mode.', 'zero is unset'),
  'ipvs.minSyncPeriod': live(durationOrZero, 0, 'As iptables.minSyncPeriod, in ipvs mode; 1s without a file.'),
  'ipvs.scheduler': live(choice(...ipvsSchedulers), 'rr', 'Scheduler of every virtual server.', 'zero is unset'),
  'ipvs.excludeCIDRs': live(strings, [], 'Virtual servers in these ranges are never touched.'),
  'ipvs.strictARP': live(
    bool,
    false,
    'arp_ignore 1 and arp_announce 2: nodes do not answer ARP for service addresses; switched off, both are as they were before.',
  ),
  'ipvs.tcpTimeout': live(durationOrZero, 0, 'Idle TCP connections; 0s: leave the kernel as it is.'),
  'ipvs.tcpFinTimeout': live(durationOrZero, 0, 'TCP connections after a FIN; 0s: leave the kernel as it is.'),
  'ipvs.udpTimeout': live(durationOrZero, 0, 'UDP flows; 0s: leave the kernel as it is.'),
  'nftables.masqueradeBit': unused(int32(0, 31), 14, nftables),
  'nftables.masqueradeAll': unused(bool, false, nftables),
  'nftables.syncPeriod': unused(durationAboveZero, 30 * second, nftables, 'zero is unset'),
  'nftables.minSyncPeriod': unused(durationOrZero, 1 * second, nftables, 'zero is unset'),
  'winkernel.networkName': unused(text(), '', windows),
  'winkernel.sourceVip': unused(text(), '', windows),
  'winkernel.enableDSR': unused(bool, false, windows),
  'winkernel.rootHnsEndpointName': unused(text(), '', windows),
  'winkernel.forwardHealthCheckVip': unused(bool, false, windows),
  detectLocalMode: live(
    choice('ClusterCIDR', 'NodeCIDR', 'BridgeInterface', 'InterfaceNamePrefix'),
    'ClusterCIDR',
    "How traffic of this node's pods is told from other traffic.",
    'zero is unset',
  ),
  'detectLocal.bridgeInterface': live(text(), '', 'The bridge of the pods, for BridgeInterface.'),
  'detectLocal.interfaceNamePrefix': live(text(), '', "How the names of the pods' interfaces begin, for InterfaceNamePrefix."),
  clusterCIDR: live(text(), '', 'Range of the pods, or an IPv4 and an IPv6 range with a comma between, for ClusterCIDR.'),
  nodePortAddresses: live(
    strings,
    [],
    "Where node ports answer: ranges, or `primary` for the Node's own addresses; empty: everywhere.",
  ),
  oomScoreAdj: live(int32(-1_000, 1_000), -999, 'oom_score_adj of the process.'),
  'conntrack.maxPerCore': live(int32(0), 32_768, 'nf_conntrack_max for each core; 0: leave it as it is.'),
  'conntrack.min': live(int32(0), 131_072, 'Least nf_conntrack_max, whatever the number of cores.'),
  'conntrack.tcpEstablishedTimeout': live(
    durationOrZero,
    24 * hour,
    'nf_conntrack_tcp_timeout_established; 0s: leave it as it is.',
  ),
  'conntrack.tcpCloseWaitTimeout': live(durationOrZero, 1 * hour, 'nf_conntrack_tcp_timeout_close_wait; 0s: leave it as it is.'),
  'conntrack.tcpBeLiberal': live(bool, false, 'nf_conntrack_tcp_be_liberal.'),
  'conntrack.udpTimeout': live(durationOrZero, 0, 'nf_conntrack_udp_timeout; 0s: leave it as it is.'),
  'conntrack.udpStreamTimeout': live(durationOrZero, 0, 'nf_conntrack_udp_timeout_stream; 0s: leave it as it is.'),
  configSyncPeriod: unused(durationAboveZero, 900 * second, 'The watch is the refresh.', 'zero is unset'),
  windowsRunAsService: unused(bool, false, windows),
  portRange: unused(text(), '', 'kube-proxy does not use it either.'),
}

export type KubeProxySettings = SettingsOf<typeof kubeProxyFields>
export type KubeProxyPath = keyof KubeProxySettings
