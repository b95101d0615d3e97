// What we measure beside kube-proxy's metrics.
import { syncBuckets } from './buckets.ts'
import { ipFamilyLabel as ipFamily, type MetricDefinitions } from './definition.ts'

export const switchyardMetrics = {
  build: {
    name: 'switchyard_build_info',
    type: 'gauge',
    help: 'Always 1; the labels say what runs.',
    labels: ['version', 'node_version', 'mode'],
  },
  ready: { name: 'switchyard_ready', type: 'gauge', help: 'What /readyz says: 1 ready, 0 not.', labels: [] },
  settingsNotInForce: {
    name: 'switchyard_settings_not_in_force',
    type: 'gauge',
    help: 'Settings that the configuration files ask for and that are not in force; files that are wrong count once. The status says which, and why.',
    labels: [],
  },
  oldestUnprogrammed: {
    name: 'switchyard_oldest_unprogrammed_change_seconds',
    type: 'gauge',
    help: 'For how long the oldest change that the kernel does not have yet has been known here; 0 where there is none.',
    labels: ipFamily,
  },
  syncFailures: {
    name: 'switchyard_sync_failures_total',
    type: 'counter',
    help: 'Syncs, and looks at the kernel between them, that failed as a whole.',
    labels: ipFamily,
  },
  quarantined: {
    name: 'switchyard_quarantined_services',
    type: 'gauge',
    help: 'Services whose rules the kernel refuses; they keep what they had.',
    labels: ipFamily,
  },
  driftRepairs: {
    name: 'switchyard_drift_repairs_total',
    type: 'counter',
    help: 'Differences that somebody else made in the kernel and that were repaired.',
    labels: ipFamily,
  },
  linesWritten: {
    name: 'switchyard_lines_written_total',
    type: 'counter',
    help: 'Lines given to iptables-restore, in ipvs mode also to ipset, ipvsadm and ip, in syncs that succeeded.',
    labels: ipFamily,
  },
  restoreDuration: {
    name: 'switchyard_restore_duration_seconds',
    type: 'histogram',
    help: 'Time in iptables-restore, in ipvs mode also in ipset, ipvsadm and ip, of each sync that wrote something.',
    labels: ipFamily,
    buckets: syncBuckets,
  },
  drainingRealServers: {
    name: 'switchyard_draining_real_servers',
    type: 'gauge',
    help: 'Real servers (ipvs mode) that keep their connections and get no new ones; retiring: those that a change to another mode left.',
    labels: ['ip_family', 'retiring'],
  },
  drainingConnections: {
    name: 'switchyard_draining_connections',
    type: 'gauge',
    help: 'Connections of these real servers, as counted last.',
    labels: ipFamily,
  },
  drainsEnded: {
    name: 'switchyard_drains_ended_total',
    type: 'counter',
    help: 'Real servers that drain no more: without connections, cut at their deadline, or for another reason, such as their return.',
    labels: ['ip_family', 'reason'],
  },
  conntrackRemoved: {
    name: 'switchyard_conntrack_removed_total',
    type: 'counter',
    help: 'Stale UDP flows that were deleted.',
    labels: ipFamily,
  },
  clusterObjects: {
    name: 'switchyard_cluster_objects',
    type: 'gauge',
    help: 'Objects in memory; kind Endpoint counts the entries of all EndpointSlices.',
    labels: ['kind'],
  },
  sourceUnreadable: {
    name: 'switchyard_source_unreadable',
    type: 'gauge',
    help: '1 while an object or file cannot be read and no earlier version of it is known: nothing stale is swept then.',
    labels: [],
  },
  watchLastEvent: {
    name: 'switchyard_watch_last_event_seconds',
    type: 'gauge',
    help: 'Time since the last event, bookmark or complete read of the resource; before the first, since the start.',
    labels: ['resource'],
  },
  watchEvents: {
    name: 'switchyard_watch_events_total',
    type: 'counter',
    help: 'Events that the watch of the resource brought.',
    labels: ['resource', 'type'],
  },
  watchReads: {
    name: 'switchyard_watch_reads_total',
    type: 'counter',
    help: 'Complete reads of the resource; more than one means that a watch could not be resumed.',
    labels: ['resource'],
  },
  watchFailures: {
    name: 'switchyard_watch_failures_total',
    type: 'counter',
    help: 'Requests and streams that failed, by kind of failure.',
    labels: ['resource', 'kind'],
  },
  healthCheckPorts: {
    name: 'switchyard_health_check_ports',
    type: 'gauge',
    help: 'Health check node ports: open, and failed for those that somebody else has.',
    labels: ['state'],
  },
  kubernetesEvents: {
    name: 'switchyard_kubernetes_events_total',
    type: 'counter',
    help: 'Events for the API server: sent, or dropped because it refused them, was away for too long, or there were too many.',
    labels: ['outcome'],
  },
} as const satisfies MetricDefinitions
