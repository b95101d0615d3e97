// kube-proxy's metrics, as dashboards and alerts know them: names, types, labels, buckets and help of version 1.36
// (kubernetes.io/docs/reference/instrumentation/metrics). Those that only its nftables mode has are not here.
import { programmingBuckets, syncBuckets } from './buckets.ts'
import { ipFamilyLabel as ipFamily, type MetricDefinitions } from './definition.ts'

export const kubeProxyMetrics = {
  syncDuration: {
    name: 'kubeproxy_sync_proxy_rules_duration_seconds',
    type: 'histogram',
    help: '[ALPHA] SyncProxyRules latency in seconds',
    labels: ipFamily,
    buckets: syncBuckets,
  },
  fullSyncDuration: {
    name: 'kubeproxy_sync_full_proxy_rules_duration_seconds',
    type: 'histogram',
    help: '[ALPHA] SyncProxyRules latency in seconds for full resyncs',
    labels: ipFamily,
    buckets: syncBuckets,
  },
  partialSyncDuration: {
    name: 'kubeproxy_sync_partial_proxy_rules_duration_seconds',
    type: 'histogram',
    help: '[ALPHA] SyncProxyRules latency in seconds for partial resyncs',
    labels: ipFamily,
    buckets: syncBuckets,
  },
  lastSync: {
    name: 'kubeproxy_sync_proxy_rules_last_timestamp_seconds',
    type: 'gauge',
    help: '[ALPHA] The last time proxy rules were successfully synced',
    labels: ipFamily,
  },
  lastQueued: {
    name: 'kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds',
    type: 'gauge',
    help: '[ALPHA] The last time a sync of proxy rules was queued',
    labels: ipFamily,
  },
  programmingDuration: {
    name: 'kubeproxy_network_programming_duration_seconds',
    type: 'histogram',
    help: '[ALPHA] In Cluster Network Programming Latency in seconds',
    labels: ipFamily,
    buckets: programmingBuckets,
  },
  endpointChangesPending: {
    name: 'kubeproxy_sync_proxy_rules_endpoint_changes_pending',
    type: 'gauge',
    help: '[ALPHA] Pending proxy rules Endpoint changes',
    labels: [],
  },
  endpointChanges: {
    name: 'kubeproxy_sync_proxy_rules_endpoint_changes_total',
    type: 'counter',
    help: '[ALPHA] Cumulative proxy rules Endpoint changes',
    labels: [],
  },
  serviceChangesPending: {
    name: 'kubeproxy_sync_proxy_rules_service_changes_pending',
    type: 'gauge',
    help: '[ALPHA] Pending proxy rules Service changes',
    labels: [],
  },
  serviceChanges: {
    name: 'kubeproxy_sync_proxy_rules_service_changes_total',
    type: 'counter',
    help: '[ALPHA] Cumulative proxy rules Service changes',
    labels: [],
  },
  noLocalEndpoints: {
    name: 'kubeproxy_sync_proxy_rules_no_local_endpoints_total',
    type: 'gauge',
    help: '[ALPHA] Number of services with a Local traffic policy and no endpoints',
    labels: ['ip_family', 'traffic_policy'],
  },
  healthz: {
    name: 'kubeproxy_proxy_healthz_total',
    type: 'counter',
    help: '[ALPHA] Cumulative proxy healthz HTTP status',
    labels: ['code'],
  },
  livez: {
    name: 'kubeproxy_proxy_livez_total',
    type: 'counter',
    help: '[ALPHA] Cumulative proxy livez HTTP status',
    labels: ['code'],
  },
  restoreFailures: {
    name: 'kubeproxy_sync_proxy_rules_iptables_restore_failures_total',
    type: 'counter',
    help: '[ALPHA] Cumulative proxy iptables restore failures',
    labels: ipFamily,
  },
  partialRestoreFailures: {
    name: 'kubeproxy_sync_proxy_rules_iptables_partial_restore_failures_total',
    type: 'counter',
    help: '[ALPHA] Cumulative proxy iptables partial restore failures',
    labels: ipFamily,
  },
  rules: {
    name: 'kubeproxy_sync_proxy_rules_iptables_total',
    type: 'gauge',
    help: '[ALPHA] Total number of iptables rules owned by kube-proxy',
    labels: ['table', 'ip_family'],
  },
  rulesWritten: {
    name: 'kubeproxy_sync_proxy_rules_iptables_last',
    type: 'gauge',
    help: '[ALPHA] Number of iptables rules written by kube-proxy in last sync',
    labels: ['table', 'ip_family'],
  },
  invalidDropped: {
    name: 'kubeproxy_iptables_ct_state_invalid_dropped_packets_total',
    type: 'counter',
    help: '[ALPHA] packets dropped by iptables to work around conntrack problems',
    labels: [],
  },
  localhostNodePortsAccepted: {
    name: 'kubeproxy_iptables_localhost_nodeports_accepted_packets_total',
    type: 'counter',
    help: '[ALPHA] Number of packets accepted on nodeports of loopback interface',
    labels: [],
  },
  conntrackDuration: {
    name: 'kubeproxy_conntrack_reconciler_sync_duration_seconds',
    type: 'histogram',
    help: '[ALPHA] ReconcileConntrackFlowsLatency latency in seconds',
    labels: ipFamily,
    buckets: syncBuckets,
  },
  conntrackDeleted: {
    name: 'kubeproxy_conntrack_reconciler_deleted_entries_total',
    type: 'counter',
    help: '[ALPHA] Cumulative conntrack flows deleted by conntrack reconciler',
    labels: ipFamily,
  },
  requests: {
    name: 'rest_client_requests_total',
    type: 'counter',
    help: '[ALPHA] Number of HTTP requests, partitioned by status code, method, and host.',
    labels: ['code', 'method', 'host'],
  },
} as const satisfies MetricDefinitions
