// The contract of a mode (iptables, ipvs): pure functions between what the cluster wants and what one IP family of the kernel holds.
// `sync/` owns the values and the order of calls; nothing here runs a tool, reads a clock or remembers anything by itself.

import type { Plan, Query } from '../kernel/plan.ts'
import type { IpFamily } from '../model/address.ts'
import type { NodeFacts, NodePortDestinations, TrafficSettings } from '../model/node.ts'
import type { ServiceKey } from '../model/objects.ts'
import type { ServicePort } from '../model/service-port.ts'
import type { Decision } from '../model/traffic-policy.ts'
import type { ClientFates, NodeContext, WayIn } from '../model/way-in.ts'
import type { Tracer } from './trace.ts'

/** Which Services a render or a diff is about. */
export type Scope = 'everything' | ReadonlySet<ServiceKey>

/** All Decisions of the family, by Service. */
export type Decisions = ReadonlyMap<ServiceKey, readonly Decision[]>

export interface RenderInput {
  readonly decisions: Decisions
  readonly node: NodeFacts
  readonly settings: TrafficSettings
}

/** A difference between what the kernel should hold and what it holds, for people. */
export interface Drift {
  /** `nat chain KUBE-SVC-X`, `nat chain KUBE-SERVICES: rule -d 10.96.0.1/32 ...`. */
  readonly what: string
  readonly kind: 'missing' | 'changed' | 'unexpected'
  /** Whose it is; undefined for the fixed part, and for what no known Service has. */
  readonly service: ServiceKey | undefined
}

/** Something that a plan makes, removes or writes anew, for people. */
export interface KernelChange {
  readonly kind: 'added' | 'removed' | 'changed'
  /** `nat chain KUBE-SVC-X`, `rules in nat chain KUBE-SERVICES`, `set KUBE-CLUSTER-IP`, `virtual server -t 10.96.0.1:80`. */
  readonly what: string
  /** Whose it is; undefined for the fixed part, and for what no Service is known to have had. */
  readonly service: ServiceKey | undefined
  /** What is there now and what will be, a line each: rules, entries, real servers. Of what both have, neither may say anything. */
  readonly lines: () => { readonly was: readonly string[]; readonly will: readonly string[] }
}

/** All there is to know, or only the few chains that everything else hangs on, which are cheap to read. */
export type Extent = 'everything' | 'base'

/** Packets since the rules were written. */
export interface PacketCounts {
  /** Dropped because connection tracking calls them INVALID. */
  readonly invalidDropped: number
  /** First packets of connections to a node port on 127.0.0.0/8. */
  readonly localhostNodePortsAccepted: number
}

export interface PacketCounters {
  queries(): readonly Query[]
  /** What is to be read next, by what `queries()` or the last `next` printed; nothing: that was all. Absent where it is never more. */
  next?(outputs: readonly string[]): readonly Query[]
  /** `outputs` are all standard outputs, in order. */
  parse(outputs: readonly string[]): PacketCounts
}

/** What the kernel prints back → what we wrote, where another version of a tool has its own words for it. Opaque outside the mode. */
export type Aliases = ReadonlyMap<string, string>

export interface Change<Desired, Observed> {
  readonly observed: Observed
  readonly desired: Desired
  readonly touched: Scope
  /** False leaves alone what belongs to no known Service: something could not be read, and it may be its. */
  readonly sweep: boolean
}

/** What the one query of a mode prints becomes Observed. */
export interface Reading<Observed> {
  /** The next piece, cut anywhere. */
  take(piece: string): void
  /** After the last piece. */
  end(): Observed
}

/**
 * `Desired` is what we want, `Observed` what the kernel holds; neither is looked into outside the mode's folder.
 * `render`, `diff`, `confirm` and `hold` consume the states that they are given: the caller keeps only what comes back, so that a
 * change costs what it touches and not the size of the cluster.
 */
export interface Mode<Desired, Observed> {
  readonly name: string
  readonly family: IpFamily
  queries(extent: Extent): readonly Query[]
  /** What the kernel says; `outputs` are the standard outputs of `queries(extent)`, in order. */
  parse(outputs: readonly string[], extent: Extent, aliases: Aliases): Observed
  /** The same while the tool prints it, so that nothing waits for one long look at 25 MB. Only where `queries(extent)` is one query. */
  reading?(extent: Extent, aliases: Aliases): Reading<Observed> | undefined
  /** What we want after `scope` changed. */
  render(desired: Desired | undefined, scope: Scope, input: RenderInput): Desired
  /** What to do so that the kernel holds what we want for `touched`. */
  diff(change: Change<Desired, Observed>): Plan
  /** What that plan changes: empty exactly where the plan has no step. `outputs` of `queries('everything')`; for all Services. */
  changes(change: Change<Desired, Observed>, outputs: readonly string[]): readonly KernelChange[]
  /** What the kernel holds after that plan was applied without an error. */
  confirm(change: Change<Desired, Observed>): Observed
  /** From now on we want for this Service what the kernel holds for it: it is quarantined. */
  hold(desired: Desired, observed: Observed, service: ServiceKey): Desired
  /** A copy that `diff` may change, for who only looks. Absent where `diff` changes nothing. */
  detached?(desired: Desired): Desired
  /** What is not as desired within what was read. */
  drift(desired: Desired, observed: Observed, extent: Extent): readonly Drift[]
  /** `observed` was read directly after a successful write: whatever differs now is the tool's own wording. */
  learnAliases(desired: Desired, observed: Observed): Aliases
  /** What a difference means for connections: `connections to default/web:http (10.96.0.1:80/TCP) are not balanced any more`. */
  meaning(drift: Drift, decisions: Decisions): string
  /** What packets meet in the kernel that `outputs` of `queries('everything')` tell of. */
  tracer(outputs: readonly string[]): Tracer
  /** What becomes of new connections by one way to the service port, where the kernel is as wanted. */
  fates(decision: Decision, way: WayIn, context: NodeContext): ClientFates
  /** Which scheduler balances; absent where the mode has none. */
  scheduler?(servicePort: ServicePort, settings: TrafficSettings): string
  /** How many rules we want, by table, as far as we know their number: for a metric. */
  ruleCounts(desired: Desired): Readonly<Record<string, number>>
  /** For a metric; absent where the mode's rules count nothing of it. */
  readonly packetCounters?: PacketCounters
  /** The node's own addresses on which what we want depends, as far as it names any: when these change, everything is rendered anew. */
  dependsOnAddresses(settings: TrafficSettings, node: NodeFacts): NodePortDestinations
  /** Absent where the kernel's connection tracking alone lets connections outlive what they came by. */
  readonly draining?: Draining<Desired, Observed>
  /** What Services ask for and do not get on this node. */
  remarks?(desired: Desired, scope: Scope): readonly Remark[]
}

export interface Remark {
  readonly service: ServiceKey
  /** For an Event: `SchedulerUnavailable`. */
  readonly reason: string
  readonly message: string
}

/** A way that keeps the connections that it has and gets no new ones. */
export interface Drain {
  /** As the kernel's tool names it: `-t 10.96.0.1:80`. */
  readonly server: string
  /** `10.244.1.11:8080`. */
  readonly realServer: string
  readonly service: ServiceKey | undefined
  /** All times are milliseconds since 1970. */
  readonly since: number
  /** When its endpoint left all EndpointSlices; undefined while one names it. */
  readonly goneSince: number | undefined
  /** When it ends at the latest. */
  readonly until: number
  /** As counted last; undefined before that. */
  readonly connections: number | undefined
}

/** What a former process noted; `until` where it did that already. */
export type EarlierDrain = Pick<Drain, 'since' | 'goneSince'> & { readonly until?: number | undefined }

/** By `drainKey`. */
export type EarlierDrains = ReadonlyMap<string, EarlierDrain>

/** What names a drain among all of a family: the virtual server and the real server behind it. */
export function drainKey({ server, realServer }: Pick<Drain, 'server' | 'realServer'>): string {
  return `${server} ${realServer}`
}

export interface Draining<Desired, Observed> {
  /**
   * What the kernel holds for connections that go on, and `desired` has not, becomes part of it.
   * `earlier`: what was noted of drains that this mode does not know yet.
   */
  keep(change: Change<Desired, Observed>, clock: { readonly now: number; readonly earlier: EarlierDrains }): Desired
  readonly queries: readonly Query[]
  /** Whether some of it is over, by the outputs of `queries` (undefined: unknown) and the time: then a pass lets it go. */
  look(desired: Desired, outputs: readonly string[] | undefined, now: number): boolean
  list(desired: Desired): readonly Drain[]
}
