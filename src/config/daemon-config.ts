// Checked settings and the flags that are no settings → the daemon's Config. Pure.
import { type Address, type Cidr, parseAddress, parseCidr } from '../model/address.ts'
import type { DetectLocal, TrafficSettings } from '../model/node.ts'
import { bindAddresses, clusterCidrs } from './check.ts'
import type { Config, ConntrackSettings, IpvsSettings, LoggingSettings, ObjectSource } from './config.ts'
import type { Origin } from './field.ts'
import { type FlagValues, flags } from './flags.ts'
import type { KubeProxySettings } from './kube-proxy-fields.ts'
import { parseSocketAddress } from './socket-address.ts'
import type { SwitchyardSettings } from './switchyard-fields.ts'

export interface Settings {
  readonly nodeName: string
  readonly effective: KubeProxySettings
  readonly switchyard: SwitchyardSettings
  /** A path that is not in it is at its default. */
  readonly origins: ReadonlyMap<string, Origin>
  readonly flagValues: FlagValues
}

export function daemonConfig({ nodeName, effective, switchyard, origins, flagValues }: Settings): Config {
  const { mode } = effective
  const ipvs = ipvsSettings(effective, switchyard)
  return {
    nodeName,
    mode,
    traffic: { ...trafficSettings(effective), dispatch: switchyard.dispatch, ipvs },
    syncPeriodMs: forTimer(effective[`${mode}.syncPeriod`]),
    minSyncPeriodMs: forTimer(effective[`${mode}.minSyncPeriod`]),
    minSyncPeriodMeaning: switchyard['sync.minSyncPeriod'] === 'kube-proxy' ? 'at least' : 'at most',
    iptablesBackend: switchyard.backend,
    source: objectSource(effective, flagValues),
    ipvs,
    conntrack: conntrackSettings(effective),
    nodeAddressOverride: bindAddresses(effective.bindAddress).filter(isDefined).filter(isSpecific),
    healthBind: parseSocketAddress(effective.healthzBindAddress),
    metricsBind: parseSocketAddress(effective.metricsBindAddress),
    bindHardFail: effective.bindAddressHardFail,
    pageBind: pageBind(switchyard['page.bind']),
    pageHosts: switchyard['page.hosts'],
    logging: loggingSettings(effective, origins),
    oomScoreAdj: effective.oomScoreAdj,
    stateDirectory: flagValues['state-dir'] ?? flags['state-dir'].default,
    sysctlRoot: flagValues['sysctl-root'] ?? flags['sysctl-root'].default,
  }
}

function trafficSettings(settings: KubeProxySettings): Omit<TrafficSettings, 'dispatch' | 'ipvs'> {
  return {
    masqueradeAll: settings['iptables.masqueradeAll'],
    // Not a shift: 1 << 31 is negative.
    masqueradeMark: 2 ** settings['iptables.masqueradeBit'],
    localhostNodePorts: settings['iptables.localhostNodePorts'],
    nodePortAddresses: nodePortAddresses(settings.nodePortAddresses),
    detectLocal: detectLocal(settings),
    tcpBeLiberal: settings['conntrack.tcpBeLiberal'],
  }
}

function nodePortAddresses(texts: readonly string[]): TrafficSettings['nodePortAddresses'] {
  if (texts.length === 0) return 'all'
  return texts.includes('primary') ? 'primary' : cidrs(texts)
}

function detectLocal(settings: KubeProxySettings): DetectLocal {
  const mode = settings.detectLocalMode
  switch (mode) {
    case 'ClusterCIDR':
      return { mode, cidrs: clusterCidrs(settings.clusterCIDR).filter(isDefined) }
    case 'NodeCIDR':
      return { mode }
    case 'BridgeInterface':
      return { mode, interfaceName: settings['detectLocal.bridgeInterface'] }
    case 'InterfaceNamePrefix':
      return { mode, prefix: settings['detectLocal.interfaceNamePrefix'] }
  }
}

function objectSource(settings: KubeProxySettings, flagValues: FlagValues): ObjectSource {
  const directory = flagValues.manifests ?? ''
  if (directory !== '') return { kind: 'manifests', directory }
  return {
    kind: 'api server',
    kubeconfig: orUndefined(settings['clientConnection.kubeconfig']),
    master: orUndefined(flagValues.master),
  }
}

function ipvsSettings(settings: KubeProxySettings, switchyard: SwitchyardSettings): IpvsSettings {
  return {
    scheduler: settings['ipvs.scheduler'],
    excludeCidrs: cidrs(settings['ipvs.excludeCIDRs']),
    strictArp: settings['ipvs.strictARP'],
    tcpTimeoutSeconds: forKernel(settings['ipvs.tcpTimeout']),
    tcpFinTimeoutSeconds: forKernel(settings['ipvs.tcpFinTimeout']),
    udpTimeoutSeconds: forKernel(settings['ipvs.udpTimeout']),
    whenUnavailable: switchyard['ipvs.unavailable'],
    drainDeadlineMs: forTimer(switchyard['drain.deadline']),
    drainGoneDeadlineMs: forTimer(switchyard['drain.goneDeadline']),
    modeChangeDeadlineMs: forTimer(switchyard['drain.modeChangeDeadline']),
  }
}

function conntrackSettings(settings: KubeProxySettings): ConntrackSettings {
  const maxPerCore = settings['conntrack.maxPerCore']
  return {
    maxPerCore: maxPerCore === 0 ? undefined : maxPerCore,
    min: settings['conntrack.min'],
    tcpEstablishedTimeoutSeconds: forKernel(settings['conntrack.tcpEstablishedTimeout']),
    tcpCloseWaitTimeoutSeconds: forKernel(settings['conntrack.tcpCloseWaitTimeout']),
    udpTimeoutSeconds: forKernel(settings['conntrack.udpTimeout']),
    udpStreamTimeoutSeconds: forKernel(settings['conntrack.udpStreamTimeout']),
    tcpBeLiberal: settings['conntrack.tcpBeLiberal'],
  }
}

function loggingSettings(settings: KubeProxySettings, origins: ReadonlyMap<string, Origin>): LoggingSettings {
  return { format: origins.has('logging.format') ? settings['logging.format'] : 'auto', verbosity: settings['logging.verbosity'] }
}

function pageBind(text: string): Config['pageBind'] {
  return text === 'any' ? 'any' : (parseAddress(text) ?? 'loopback')
}

function cidrs(texts: readonly string[]): readonly Cidr[] {
  return texts.map(parseCidr).filter(isDefined)
}

function isSpecific(address: Address): boolean {
  return address !== '0.0.0.0' && address !== '::'
}

function isDefined<T>(value: T | undefined): value is T {
  return value !== undefined
}

function orUndefined(text: string | undefined): string | undefined {
  return text === '' ? undefined : text
}

/** Node's timers count milliseconds in 31 bits (24.8 days) and take anything longer for 1 ms. */
function forTimer(ms: number): number {
  return Math.min(ms, 2 ** 31 - 1)
}

/** Whole seconds, rounded up, since 0 would mean something else to the kernel; 0 leaves the kernel's value. */
function forKernel(ms: number): number | undefined {
  return ms === 0 ? undefined : Math.ceil(ms / 1_000)
}
