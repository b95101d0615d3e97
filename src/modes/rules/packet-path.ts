// The hooks of the kernel in the order in which a packet passes them, and between them the routing and, where it runs, IPVS. Tables by their priority; nat comes
// after mangle where it changes the destination and before filter, so filter sees the translated packet.
import { type Address, hostPort } from '../../model/address.ts'
import { forwarding, ipvsConntrack, isOff, routeLocalnet } from '../kernel-parameters.ts'
import type { Branch, Packet, Trace, TraceStep } from '../trace.ts'
import { type Hook, isLoopbackRange, type Passing, type Place, type Surroundings } from './passing.ts'
import { type Ended, translated, type Walk, type Way, walkTable } from './rule-walk.ts'
import type { SavedRules } from './saved-rules.ts'

/** A virtual server's answer: one of the places that it sends packets to. */
export interface Scheduled {
  readonly to: Place | 'refused'
  readonly share: number
  readonly weight: number | undefined
}

export interface VirtualServerTaken {
  readonly step: TraceStep
  /** Shares add up to 1. */
  readonly scheduled: readonly Scheduled[]
  readonly choice: string | undefined
}

export interface KernelState {
  readonly rules: SavedRules
  readonly isInSet: Surroundings['isInSet']
  /** Beside those that the packet tells of: what kube-ipvs0 carries. */
  readonly ownAddresses: ReadonlySet<Address>
  /** The virtual server that takes a packet; undefined where IPVS does not run. */
  readonly ipvs: ((packet: Passing) => VirtualServerTaken | undefined) | undefined
}

interface Going extends Way {
  readonly weight: number | undefined
}

interface Course {
  readonly traced: Packet
  readonly walk: Walk
  readonly kernel: KernelState
  choice: string | undefined
}

/** Enough for the rules of 20,000 refused Services after each of 250 endpoints' ways, and for Services of 10,000 endpoints. */
const most = { rules: 5_000_000, partings: 10_000 }

export function tracePacket(packet: Packet, kernel: KernelState): Trace {
  const { localAddresses, origin, destination } = packet
  const isLocal = (address: Address): boolean =>
    localAddresses.has(address) || kernel.ownAddresses.has(address) || isLoopbackRange(address)
  const source = origin === 'node' && isLocal(destination) ? destination : packet.source
  const surroundings: Surroundings = { isLocal, isInSet: kernel.isInSet }
  const walk: Walk = { rules: kernel.rules, surroundings, unsure: new Set(), budget: { ...most } }
  const course: Course = { traced: packet, walk, kernel, choice: undefined }
  const start: Going = { packet: firstHook(packet, source), share: 1, path: [], masquerade: undefined, weight: undefined }
  const branches = origin === 'node' ? fromNode(course, start) : fromLink(course, start)
  return { branches, source, choice: course.choice, unsure: [...walk.unsure] }
}

function firstHook(packet: Packet, source: Address): Passing {
  const { protocol, origin } = packet
  const destination: Place = { address: packet.destination, port: packet.port }
  const ofNode = origin === 'node'
  return {
    ...{ protocol, source, destination, originalDestination: destination, mark: 0 },
    hook: ofNode ? 'OUTPUT' : 'PREROUTING',
    comesBy: ofNode ? '' : packet.interface,
    leavesBy: ofNode ? undefined : '',
    ...{ isTranslated: false, isTracked: true, virtualServer: undefined },
  }
}

function fromLink(course: Course, start: Going): readonly Branch[] {
  return passing(course, start, ['raw', 'mangle', 'nat'], 'PREROUTING', way =>
    isLocal(course, way)
      ? passing(course, way, ['mangle', 'filter'], 'INPUT', arrived => {
          const sent = schedule(course, arrived)
          if (sent === undefined) return [branchOf(arrived)]
          return sent.flatMap(each =>
            leaving(each, out =>
              isLocal(course, out) ? [branchOf(out)] : unlessUnforwarded(course, out, on => resent(course, on)),
            ),
          )
        })
      : unlessUnforwarded(course, way, on =>
          passing(course, withLinks(on, { leavesBy: undefined }), ['mangle', 'filter'], 'FORWARD', out => departing(course, out)),
        ),
  )
}

/** What IPVS sends on needs it as well: not on its way there, but its answers on their way back. */
function unlessUnforwarded(course: Course, way: Going, then: (way: Going) => readonly Branch[]): readonly Branch[] {
  const name = forwarding[course.traced.family]
  return isOff(course.traced.parameters, name) ? stoppedBy(name, way) : then(way)
}

/** Dropped without an answer. */
function stoppedBy(parameter: string, way: Going): readonly Branch[] {
  const step = { where: `kernel parameter ${parameter}`, what: '0' }
  return [branchOf({ ...way, path: [...way.path, step] }, 'dropped')]
}

/** From 127.0.0.0/8 to a link: the kernel looks for the way anew after the translation, and gives the packet none. */
function isUnroutedLoopback(course: Course, way: Going): boolean {
  if (course.traced.family !== 'IPv4' || !isLoopbackRange(way.packet.source) || isLocal(course, way)) return false
  return isOff(course.traced.parameters, routeLocalnet)
}

function fromNode(course: Course, start: Going): readonly Branch[] {
  const own = toOwnLink(course, start)
  return passing(course, own, ['raw', 'mangle', 'nat'], 'OUTPUT', way => {
    if (isUnroutedLoopback(course, way)) return stoppedBy(routeLocalnet, way)
    const sent = schedule(course, way)
    if (sent === undefined) return passing(course, toOwnLink(course, way), ['filter'], 'OUTPUT', out => departing(course, out))
    return sent.flatMap(each =>
      leaving(each, out =>
        isLocal(course, out)
          ? passing(course, toOwnLink(course, out), ['filter'], 'OUTPUT', on => departing(course, on))
          : resent(course, out),
      ),
    )
  })
}

/** What IPVS sends on passes OUTPUT as if the node had sent it; its translation is done, so nat has no say there. */
function resent(course: Course, way: Going): readonly Branch[] {
  const out = withLinks(way, { comesBy: '', leavesBy: undefined })
  return passing(course, out, ['raw', 'mangle', 'filter'], 'OUTPUT', on => departing(course, on))
}

/** What is for the node itself comes in again by its loopback link, where nat has had its say. */
function departing(course: Course, way: Going): readonly Branch[] {
  return passing(course, way, ['mangle', 'nat'], 'POSTROUTING', sent => {
    if (!isLocal(course, sent)) return [branchOf(sent)]
    const back = withLinks(sent, { comesBy: 'lo', leavesBy: '' })
    return passing(course, back, ['raw', 'mangle'], 'PREROUTING', on =>
      passing(course, on, ['mangle', 'filter'], 'INPUT', arrived => [branchOf(arrived)]),
    )
  })
}

/** Through these tables at one hook; `then` for each way that passes all of them. */
function passing(
  course: Course,
  way: Going,
  tables: readonly string[],
  hook: Hook,
  then: (way: Going) => readonly Branch[],
): readonly Branch[] {
  const [table, ...others] = tables
  if (table === undefined) return then(way)
  if (table === 'nat' && !way.packet.isTracked) return passing(course, way, others, hook, then)
  return walkTable(course.walk, { table, hook }, way).flatMap(({ way: after, end }) => {
    const on: Going = { ...after, weight: way.weight }
    return end === 'passes' ? passing(course, on, others, hook, then) : [branchOf(on, end)]
  })
}

type Sent = Going | { readonly refused: Going }

function leaving(sent: Sent, then: (way: Going) => readonly Branch[]): readonly Branch[] {
  return 'refused' in sent ? [branchOf(sent.refused, 'refused')] : then(sent)
}

function schedule(course: Course, way: Going): readonly Sent[] | undefined {
  const taken = course.kernel.ipvs?.(way.packet)
  if (taken === undefined) return undefined
  course.choice ??= taken.choice
  const virtualServer = way.packet.destination
  return taken.scheduled.map(({ to, share, weight }): Sent => {
    const on: Going = { ...way, share: way.share * share, path: [...way.path, taken.step], weight }
    if (to === 'refused') return { refused: on }
    const isTracked = way.packet.isTracked && !isOff(course.traced.parameters, ipvsConntrack)
    return { ...on, packet: { ...translated(way.packet, to), virtualServer, isTracked } }
  })
}

function isLocal({ walk }: Course, { packet }: Going): boolean {
  return walk.surroundings.isLocal(packet.destination.address)
}

function withLinks(way: Going, links: Partial<Pick<Passing, 'comesBy' | 'leavesBy'>>): Going {
  return { ...way, packet: { ...way.packet, ...links } }
}

function toOwnLink(course: Course, way: Going): Going {
  return withLinks(way, { leavesBy: isLocal(course, way) ? 'lo' : undefined })
}

function branchOf({ packet, share, path, masquerade, weight }: Going, end: Ended['end'] = 'passes'): Branch {
  const verdict = end === 'passes' ? (packet.isTranslated ? 'endpoint' : 'untouched') : end
  const { address, port } = packet.destination
  return {
    probability: share,
    verdict,
    endpoint: verdict === 'endpoint' ? hostPort(address, port) : undefined,
    weight,
    masquerade: verdict === 'endpoint' || verdict === 'untouched' ? masquerade : undefined,
    path,
  }
}
