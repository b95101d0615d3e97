// Which virtual servers are ours to change and remove: others (keepalived, an operator by hand) use IPVS as well, and theirs survive everything.
import { type ServerName, serverPlace } from '../../kernel/ipvsadm.ts'
import { type Address, contains, familyOf } from '../../model/address.ts'
import { nodePortKind, type SetKind, setName } from './names.ts'
import type { Desired, Observed } from './state.ts'

interface Excluding {
  readonly settings: Pick<Desired['settings'], 'excludeCidrs'>
}

interface State {
  readonly desired: Excluding & Pick<Desired, 'nodeAddresses' | 'localAddresses' | 'earlierServers'>
  readonly observed: Pick<Observed, 'sets' | 'addresses'>
}

/**
 * A service proxy's: this process wanted it, or its address is on kube-ipvs0 (or should be, by the set that says so), or it stands with its port in one
 * of the sets, or it is at a node address with a port in a set of node ports. In ipvs.excludeCIDRs it is never ours.
 */
export function isOurs(name: ServerName, { desired, observed }: State): boolean {
  const place = serverPlace(name)
  if (place === undefined || isExcluded(desired, place.address)) return false
  const { address, port, protocol } = place
  const has = hasEntry(observed, familyOf(place.address))
  const entry = `${address},${protocol.toLowerCase()}:${port}`
  if (desired.earlierServers.has(name) || observed.addresses.has(address) || has('IPVS-IPS', address)) return true
  if (addressKinds.some(kind => has(kind, entry))) return true
  const nodePort = protocol === 'SCTP' ? entry : String(port)
  return isNodes(desired, address) && has(nodePortKind(protocol, 'all'), nodePort)
}

/** In ipvs.excludeCIDRs: whatever is there is somebody else's. */
export function isExcluded({ settings }: Excluding, address: Address): boolean {
  return settings.excludeCidrs.some(range => contains(range, address))
}

/** Of the node itself; node ports need not answer there any more. */
export function isNodes(
  { nodeAddresses, localAddresses }: Pick<Desired, 'nodeAddresses' | 'localAddresses'>,
  address: Address,
): boolean {
  return nodeAddresses.includes(address) || localAddresses.has(address)
}

const externalKinds: readonly SetKind[] = ['LOAD-BALANCER', 'EXTERNAL-IP', 'EXTERNAL-IP-LOCAL']
const addressKinds: readonly SetKind[] = ['CLUSTER-IP', ...externalKinds]

/** Whether it is at a load balancer's or external address, which may be somebody else's as soon as the Service is gone. */
export function isExternal(name: ServerName, { observed }: Pick<State, 'observed'>): boolean {
  const place = serverPlace(name)
  if (place === undefined) return false
  const { address, port, protocol } = place
  const has = hasEntry(observed, familyOf(address))
  return externalKinds.some(kind => has(kind, `${address},${protocol.toLowerCase()}:${port}`))
}

function hasEntry({ sets }: State['observed'], family: 'IPv4' | 'IPv6'): (kind: SetKind, entry: string) => boolean {
  return (kind, entry) => sets.get(setName(kind, family))?.entries.has(entry) ?? false
}
