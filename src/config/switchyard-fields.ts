// SwitchyardConfiguration, switchyard/v1alpha1 (switchyard.conf): what KubeProxyConfiguration has no word for.
// No path is one of KubeProxyConfiguration's as well, so that a path alone names a setting.
import { parseAddress } from '../model/address.ts'
import { live, restart, type SettingsOf } from './field.ts'
import { choice, durationOrZero, hostNames, text } from './field-type.ts'

export const switchyardKind = { apiVersion: 'switchyard/v1alpha1', kind: 'SwitchyardConfiguration' } as const

/** Looked for in the folder of the KubeProxyConfiguration file. */
export const switchyardFileName = 'switchyard.conf'

const minute = 60_000

export const switchyardFields = {
  backend: restart(choice('auto', 'nft', 'legacy'), 'auto', 'iptables backend; auto: the one that the host already uses.'),
  dispatch: live(
    choice('auto', 'linear', 'bucketed'),
    'auto',
    'iptables mode: how KUBE-SERVICES of nat finds a Service, and KUBE-NODEPORTS a node port: one rule each in one list, as kube-proxy does (linear), or a tree of chains by address prefix or port range (bucketed); auto: bucketed above 500 rules. With linear the endpoints of a service port are one list too, else above 64 of them groups of lists.',
  ),
  'drain.deadline': live(
    durationOrZero,
    15 * minute,
    'ipvs mode: how long connections to an endpoint that takes no new ones may go on.',
  ),
  'drain.goneDeadline': live(durationOrZero, 2 * minute, 'The same once the endpoint is in no EndpointSlice any more.'),
  'drain.modeChangeDeadline': live(
    durationOrZero,
    24 * 60 * minute,
    'How long connections by virtual servers may go on after a change from ipvs to iptables mode.',
  ),
  'ipvs.unavailable': restart(
    choice('fail', 'fallback'),
    'fail',
    'mode: ipvs on a kernel without IPVS: stop with an error, or run in iptables mode and say so.',
  ),
  'sync.minSyncPeriod': live(
    choice('switchyard', 'kube-proxy'),
    'switchyard',
    'minSyncPeriod is the most that a change may wait for others (switchyard), or the least time between two syncs (kube-proxy).',
  ),
  'page.bind': restart(
    text(
      'loopback, any, or an address of this node',
      value => value === 'loopback' || value === 'any' || parseAddress(value) !== undefined,
    ),
    'loopback',
    'Who may see the page on the metrics port, and what is below /switchyard/ there: who is on this node (loopback), everyone who reaches the port (any), or who reaches it at this address of the node.',
  ),
  'page.hosts': restart(
    hostNames,
    [],
    'By which names that page may be called, beside addresses, localhost and the name of the node: a browser is not to be led here by the DNS of others.',
  ),
}

export type SwitchyardSettings = SettingsOf<typeof switchyardFields>
export type SwitchyardPath = keyof SwitchyardSettings
