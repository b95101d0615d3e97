// The effective configuration of the daemon as one typed value. Field names are those of KubeProxyConfiguration
// (kubeproxy.config.k8s.io/v1alpha1) and SwitchyardConfiguration (switchyard/v1alpha1); durations are milliseconds, except
// those that the kernel counts in seconds. Decoded and checked: whoever holds a Config need not validate again.
import type { Address } from '../model/address.ts'
import type { IpvsTrafficSettings, TrafficSettings } from '../model/node.ts'
import type { SocketAddress } from './socket-address.ts'

export type { SocketAddress } from './socket-address.ts'

export interface Config {
  /** KubeProxyConfiguration hostnameOverride or --hostname-override; else the host's name, lower case. */
  readonly nodeName: string
  readonly mode: 'iptables' | 'ipvs'
  readonly traffic: TrafficSettings
  /** iptables.syncPeriod (or ipvs.syncPeriod in that mode): how often the kernel is compared with what we want. Default 30 s; fits a timer. */
  readonly syncPeriodMs: number
  /** The most that coalescing adds to a change's latency. Default 1 s; fits a timer. */
  readonly minSyncPeriodMs: number
  /** switchyard.conf sync.minSyncPeriod: `kube-proxy` makes minSyncPeriod the least gap between two syncs, as upstream reads it. */
  readonly minSyncPeriodMeaning: 'at most' | 'at least'
  /** switchyard.conf backend or --iptables-backend. */
  readonly iptablesBackend: 'auto' | 'nft' | 'legacy'
  readonly source: ObjectSource
  readonly ipvs: IpvsSettings
  readonly conntrack: ConntrackSettings
  /** bindAddress: what to take for this Node's addresses instead of the Node object's; none where it is 0.0.0.0 or ::. */
  readonly nodeAddressOverride: readonly Address[]
  /** healthzBindAddress; undefined: no health server. */
  readonly healthBind: SocketAddress | undefined
  /** metricsBindAddress; undefined: no metrics server. */
  readonly metricsBind: SocketAddress | undefined
  /** bindAddressHardFail: an address that is taken ends the process. */
  readonly bindHardFail: boolean
  /** switchyard.conf page.bind: who may see the page on the metrics port; an address is one of this node's. */
  readonly pageBind: 'loopback' | 'any' | Address
  /** switchyard.conf page.hosts: lower case, beside addresses, `localhost` and the node's name. */
  readonly pageHosts: readonly string[]
  readonly logging: LoggingSettings
  /** oom_score_adj, -1000 to 1000. */
  readonly oomScoreAdj: number
  /** --state-dir. */
  readonly stateDirectory: string
  /** --sysctl-root: the folder that holds `net/`. */
  readonly sysctlRoot: string
}

/** Where Services, EndpointSlices and Nodes come from: --manifests, or else an API server. */
export type ObjectSource =
  | { readonly kind: 'manifests'; readonly directory: string }
  | {
      readonly kind: 'api server'
      /** Undefined: the pod's service account. */
      readonly kubeconfig: string | undefined
      /** --master: takes the place of the kubeconfig's address. */
      readonly master: string | undefined
    }

export interface IpvsSettings extends IpvsTrafficSettings {
  /** ipvsadm --set; undefined leaves the kernel's value. */
  readonly tcpTimeoutSeconds: number | undefined
  readonly tcpFinTimeoutSeconds: number | undefined
  readonly udpTimeoutSeconds: number | undefined
  /** switchyard.conf drain.modeChangeDeadline: how long connections may go on after another mode took over. Fits a timer. */
  readonly modeChangeDeadlineMs: number
  /** switchyard.conf ipvs.unavailable. */
  readonly whenUnavailable: 'fail' | 'fallback'
}

/** Sysctls under net.netfilter; undefined leaves the kernel's value. */
export interface ConntrackSettings {
  /** nf_conntrack_max is this times the cores, at least `min`; undefined leaves it, and `min` counts for nothing. */
  readonly maxPerCore: number | undefined
  readonly min: number
  readonly tcpEstablishedTimeoutSeconds: number | undefined
  readonly tcpCloseWaitTimeoutSeconds: number | undefined
  readonly udpTimeoutSeconds: number | undefined
  readonly udpStreamTimeoutSeconds: number | undefined
  /** False leaves the kernel's value. */
  readonly tcpBeLiberal: boolean
}

export interface LoggingSettings {
  /** `auto` where nobody chose: text on a terminal, else JSON. */
  readonly format: 'text' | 'json' | 'auto'
  /** Kubernetes' -v: 0 and up. */
  readonly verbosity: number
}
