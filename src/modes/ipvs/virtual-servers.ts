// One Decision → the virtual servers of its service port, in the words of ipvsadm: one for each address, and one for its node port at each
// node address. Pure.
import { type RealServerName, type ServerName, serverName, type VirtualServer } from '../../kernel/ipvsadm.ts'
import type { Address } from '../../model/address.ts'
import type { Endpoint } from '../../model/endpoint.ts'
import { ipvsSchedulers } from '../../model/ipvs-scheduler.ts'
import type { ServicePort } from '../../model/service-port.ts'
import type { Decision } from '../../model/traffic-policy.ts'

/** What this kernel can do beyond what every one can. */
export interface IpvsAbilities {
  /** Whether the kernel has a scheduler of that name. */
  readonly hasScheduler: (name: string) => boolean
}

/** Packets keep their way through this node, which translates the answers. */
export const forwarding = '-m'
/** Takes new connections. */
export const serving = `${forwarding} -w 1`
/** Keeps those that it has. */
export const draining = `${forwarding} -w 0`

/** Traffic to the cluster IP follows the internal policy, all else the external one. */
export function virtualServers(
  decision: Decision,
  context: { readonly scheduler: string; readonly nodeAddresses: readonly Address[] },
): ReadonlyMap<ServerName, VirtualServer> {
  const { servicePort } = decision
  const { protocol, port, nodePort, clusterIP } = servicePort
  const options = serverOptions(context.scheduler, servicePort.affinityTimeoutSeconds)
  const external: VirtualServer = { options, realServers: realServers(externalEndpoints(decision)) }
  const servers = new Map<ServerName, VirtualServer>()
  if (nodePort !== 0) for (const address of context.nodeAddresses) servers.set(serverName(protocol, address, nodePort), external)
  for (const address of externalAddresses(servicePort)) servers.set(serverName(protocol, address, port), external)
  if (clusterIP !== undefined) {
    const internal = realServers(internalEndpoints(decision))
    servers.set(serverName(protocol, clusterIP, port), { options, realServers: internal })
  }
  return servers
}

export function externalAddresses({ externalIPs, loadBalancerAddresses }: ServicePort): readonly Address[] {
  return [...externalIPs, ...loadBalancerAddresses]
}

/** As ipvsadm prints them: scheduler, persistence, flags. A hash over the client's address alone would send all of a proxy's clients to one pod. */
function serverOptions(scheduler: string, persistenceSeconds: number | undefined): string {
  const persistence = persistenceSeconds === undefined ? '' : ` -p ${persistenceSeconds}`
  const flags = scheduler === 'mh' ? ' -b mh-port' : ''
  return `-s ${scheduler}${persistence}${flags}`
}

/** Under sh and mh, clients whose server drains would be refused without a flag that sends them on to the next. */
export function withFallback(options: string): string {
  const scheduler = schedulerOf(options)
  if (scheduler !== 'sh' && scheduler !== 'mh') return options
  const [before = '', flags] = options.split(' -b ')
  return `${before} -b ${[...new Set([`${scheduler}-fallback`, ...(flags?.split(',') ?? [])])].join(',')}`
}

export function schedulerOf(options: string): string {
  return /^-s (\S+)/.exec(options)?.[1] ?? ''
}

/** `dropped` inside is refused here: a virtual server without real servers answers that nobody is there. */
function internalEndpoints({ internal, local, cluster }: Decision): readonly Endpoint[] {
  if (typeof internal === 'string') return []
  return internal.to === 'Local' ? local : cluster
}

/** Where no endpoint is here pods and the node reach the others; what comes from outside is dropped by a rule (`lacksLocalEndpoints`). */
function externalEndpoints({ external, local, cluster }: Decision): readonly Endpoint[] {
  if (external === 'reject') return []
  return external === 'drop' || external.to === 'Cluster' ? cluster : local
}

export function lacksLocalEndpoints({ external }: Decision): boolean {
  return external === 'drop'
}

function realServers(endpoints: readonly Endpoint[]): ReadonlyMap<RealServerName, string> {
  return new Map(endpoints.map(({ hostPort }) => [hostPort, serving]))
}

/** Which scheduler a service port gets, and what to say where that is not the one that it asks for. */
export function chooseScheduler(
  { ipvsScheduler }: ServicePort,
  { usual, abilities }: { readonly usual: string; readonly abilities: IpvsAbilities },
): { readonly scheduler: string; readonly refused: string | undefined } {
  if (ipvsScheduler === undefined || ipvsScheduler === usual) return { scheduler: usual, refused: undefined }
  // An annotation is any text; only a name that we know comes into a command.
  const isKnown = ipvsSchedulers.some(known => known === ipvsScheduler)
  return isKnown && abilities.hasScheduler(ipvsScheduler)
    ? { scheduler: ipvsScheduler, refused: undefined }
    : { scheduler: usual, refused: ipvsScheduler }
}
