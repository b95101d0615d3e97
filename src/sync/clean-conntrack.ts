// Deletes stale UDP flows after a sync that may have left some. Takes what each sync touched, gives what came of it.
// Invariants: no process runs unless a UDP service port changed so that a flow can be wrong; one cleaning at a time; a
// failure never stops a sync, and what could not be deleted is tried again.
import { countDeleted, deletionSteps, isFlowGone, parseUdpFlows, type UdpRoute, udpFlowsQuery } from '../kernel/conntrack.ts'
import { CommandError, type Exec } from '../kernel/exec.ts'
import type { Step } from '../kernel/plan.ts'
import type { IpFamily } from '../model/address.ts'
import { endpointsOf } from '../model/endpoint.ts'
import type { NodeFacts, TrafficSettings } from '../model/node.ts'
import type { ServiceKey } from '../model/objects.ts'
import type { Decision } from '../model/traffic-policy.ts'
import type { Decisions, Scope } from '../modes/mode.ts'
import type { ClusterView } from './decisions.ts'
import {
  becameReachable,
  nodePortTest,
  portsThatLost,
  staleFlows,
  type UdpServicePort,
  udpServicePorts,
} from './stale-conntrack.ts'

export interface CleanerOptions {
  readonly exec: Exec
  readonly family: IpFamily
  /**
   * The family's decisions, live: they (and the slices) are read when flows have been read, which may be after the next pass
   * began. A flow that the rules of that pass already made is then not mistaken for a stale one.
   */
  readonly decisions: Decisions
  readonly cluster: Pick<ClusterView, 'slices'>
  /** Services for which the kernel holds something else than their decisions; live as well. Their flows are left alone. */
  readonly quarantined: { has(service: ServiceKey): boolean }
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number
}

/** A sync that succeeded. The first one that is told of counts as the start: all UDP service ports are looked at. */
export interface FinishedSync {
  readonly touched: Scope
  readonly node: NodeFacts
  readonly settings: TrafficSettings
}

export type CleanOutcome =
  /** No UDP service port changed in a way that matters. */
  | { readonly kind: 'not needed' }
  | { readonly kind: 'cleaned'; readonly deleted: number; readonly milliseconds: number }
  /** `repeated`: for the same reason as the last time, which was reported. */
  | { readonly kind: 'failed'; readonly error: Error; readonly repeated: boolean }

export interface ConntrackCleaner {
  /** May be called while an earlier cleaning is under way; it waits for that one. Never rejects for what conntrack(8) does. */
  afterSync(sync: FinishedSync): Promise<CleanOutcome>
}

export function staleConntrackCleaner(options: CleanerOptions): ConntrackCleaner {
  return new Cleaner(options)
}

/** After a failure, this many former ports are remembered at most; the flows of older ones have most likely expired. */
const mostFormer = 10_000
/** A table in which flows keep expiring under our hands needs several; each gets further than the one before. */
const mostAttempts = 10

class Cleaner implements ConntrackCleaner {
  readonly #options: CleanerOptions
  readonly #known = new Map<ServiceKey, readonly UdpServicePort[]>()
  #started = false
  #former: UdpServicePort[] = []
  #pending = false
  #lastRun: Promise<unknown> = Promise.resolve()
  #lastFailure: string | undefined

  constructor(options: CleanerOptions) {
    this.#options = options
  }

  afterSync(sync: FinishedSync): Promise<CleanOutcome> {
    for (const service of this.#servicesIn(sync.touched)) this.#learn(service, sync.node)
    this.#pending ||= !this.#started && this.#known.size > 0
    this.#started = true
    if (!this.#pending) return Promise.resolve({ kind: 'not needed' })
    const run = this.#lastRun.then(() => this.#run(sync))
    this.#lastRun = run.catch(() => undefined)
    return run
  }

  #servicesIn(touched: Scope): Iterable<ServiceKey> {
    return touched === 'everything' ? new Set([...this.#known.keys(), ...this.#options.decisions.keys()]) : touched
  }

  /** A quarantined Service stays known as it was programmed last; it is learned when it is released. */
  #learn(service: ServiceKey, node: NodeFacts): void {
    const { decisions, quarantined } = this.#options
    if (quarantined.has(service)) return
    const before = this.#known.get(service) ?? []
    const after = this.#udpPorts(decisions.get(service) ?? [], node)
    const lost = portsThatLost(before, after)
    this.#former.push(...lost)
    this.#pending ||= lost.length > 0 || becameReachable(before, after)
    if (after.length === 0) this.#known.delete(service)
    else this.#known.set(service, after)
  }

  #udpPorts(decisions: readonly Decision[], { name }: NodeFacts): readonly UdpServicePort[] {
    const { cluster } = this.#options
    return udpServicePorts(decisions, servicePort => endpointsOf(servicePort, cluster.slices(servicePort.service), name))
  }

  async #run(sync: FinishedSync): Promise<CleanOutcome> {
    if (!this.#pending) return { kind: 'not needed' }
    const { now } = this.#options
    const start = now()
    const former = this.#former
    this.#former = []
    this.#pending = false
    try {
      const deleted = await this.#clean(former, sync)
      this.#lastFailure = undefined
      return { kind: 'cleaned', deleted, milliseconds: now() - start }
    } catch (error) {
      this.#former = [...former, ...this.#former].slice(-mostFormer)
      if (!(error instanceof CommandError)) throw error
      // Nothing will be installed or permitted until the next sync: then it is tried again when a port changes.
      this.#pending ||= error.failure !== 'not found' && error.failure !== 'not permitted'
      return this.#failed(error)
    }
  }

  #failed(cause: CommandError): CleanOutcome {
    const error = explain(cause, this.#options.family)
    const repeated = error.message === this.#lastFailure
    this.#lastFailure = error.message
    return { kind: 'failed', error, repeated }
  }

  /** Gives how many flows were deleted. Throws CommandError. */
  async #clean(former: readonly UdpServicePort[], sync: FinishedSync): Promise<number> {
    let deleted = 0
    let stale = await this.#findStale(former, sync)
    for (let attempt = 1; stale.length > 0; attempt++) {
      const outcome = await this.#delete(stale)
      if (outcome !== 'interrupted') return deleted + outcome
      if (attempt === mostAttempts) throw interruptedTooOften()
      const left = await this.#findStale(former, sync)
      deleted += Math.max(0, stale.length - left.length)
      stale = left
    }
    return deleted
  }

  async #findStale(former: readonly UdpServicePort[], { node, settings }: FinishedSync): Promise<readonly UdpRoute[]> {
    const { exec, family } = this.#options
    const { stdout } = await exec(udpFlowsQuery(family))
    const acceptsNodePorts = nodePortTest({ settings, node, family })
    return staleFlows({ flows: parseUdpFlows(stdout), former, acceptsNodePorts, ...this.#currentPorts(node) })
  }

  #currentPorts(node: NodeFacts): { current: readonly UdpServicePort[]; quarantined: readonly UdpServicePort[] } {
    const ports = { current: [] as UdpServicePort[], quarantined: [] as UdpServicePort[] }
    for (const [service, decisions] of this.#options.decisions) {
      const isQuarantined = this.#options.quarantined.has(service)
      ports[isQuarantined ? 'quarantined' : 'current'].push(...this.#udpPorts(decisions, node))
    }
    for (const [service, known] of this.#known) {
      if (this.#options.quarantined.has(service)) ports.quarantined.push(...known)
    }
    return ports
  }

  /** How many flows went, or that a flow expired under conntrack's hands, which ends it half-way. */
  async #delete(stale: readonly UdpRoute[]): Promise<number | 'interrupted'> {
    const { exec, family } = this.#options
    let deleted = 0
    for (const step of deletionSteps(family, stale)) {
      try {
        deleted += countDeleted((await exec({ argv: step.argv, input: inputOf(step) })).stdout)
      } catch (error) {
        if (error instanceof CommandError && isFlowGone(error.stderr)) return 'interrupted'
        throw error
      }
    }
    return deleted
  }
}

function inputOf({ input }: Step): string {
  return Array.from(input, ({ lines }) => `${lines.join('\n')}\n`).join('')
}

function interruptedTooOften(): CommandError {
  return new CommandError({
    argv: ['conntrack', '-D'],
    failure: 'busy',
    stderr: '',
    reason: `flows expired while they were being deleted, ${mostAttempts} times in a row`,
  })
}

/** Says what it means for clients, and what to do. */
function explain(cause: CommandError, family: IpFamily): Error {
  const consequence = `stale ${family} UDP flows stay: clients that keep their port go on sending to endpoints that are gone`
  return new Error(`${consequence}; ${adviceFor(cause)}`, { cause })
}

function adviceFor(cause: CommandError): string {
  switch (cause.failure) {
    case 'not found':
      return 'conntrack: no such program; install the package conntrack (Debian, Ubuntu) or conntrack-tools (others), or put it on the PATH'
    case 'not permitted':
      return `conntrack: not permitted (${cause.stderr}); run as root or with CAP_NET_ADMIN`
    case 'busy':
    case 'timed out':
      return `${cause.message}; it is tried again with the next sync`
    case 'failed':
      return `${cause.message}; it needs conntrack-tools 1.4.7 or later and the kernel module nf_conntrack_netlink, and is tried again with the next sync`
  }
}
