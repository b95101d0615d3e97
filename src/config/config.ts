// The effective configuration of the daemon as one typed value. Field names are those of KubeProxyConfiguration
// (kubeproxy.config.k8s.io/v1alpha1) and SwitchyardConfiguration (switchyard/v1alpha1); durations are milliseconds.
import type { TrafficSettings } from '../model/node.ts'

export interface Config {
  /** KubeProxyConfiguration hostnameOverride or --hostname-override; else the host's name, lower case. */
  readonly nodeName: string
  readonly mode: 'iptables' | 'ipvs'
  readonly traffic: TrafficSettings
  /** iptables.syncPeriod (or ipvs.syncPeriod in that mode): how often the kernel is compared with what we want. Default 30 s. */
  readonly syncPeriodMs: number
  /** The most that coalescing adds to a change's latency. Default 1 s. */
  readonly minSyncPeriodMs: number
  /** switchyard.conf sync.minSyncPeriod: `kube-proxy` makes minSyncPeriod the least gap between two syncs, as upstream reads it. */
  readonly minSyncPeriodMeaning: 'at most' | 'at least'
  /** switchyard.conf backend or --iptables-backend. */
  readonly iptablesBackend: 'auto' | 'nft' | 'legacy'
}
