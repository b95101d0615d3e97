// What packets meet in the kernel, as a mode's tracer has it, and what the cluster wants → the answer that people and programs read. Pure.
import { isLoopback } from '../model/address.ts'
import { type Endpoint, endpointsOf } from '../model/endpoint.ts'
import { routeLocalnet } from '../modes/kernel-parameters.ts'
import type { Branch, Trace } from '../modes/trace.ts'
import type { Inspection } from '../sync/inspect.ts'
import type { ParameterState } from '../sync/wanted-parameters.ts'
import { type PortAt, portsAt } from './addresses.ts'
import { explainEndpoints } from './endpoints.ts'
import { parameterDrift } from './parameter-drift.ts'
import type { EndpointDetail } from './services-object.ts'
import { candidatesOf } from './trace-candidates.ts'
import { type Ends, endsOf, type Problem, type TraceFacts, type TraceQuestion } from './trace-ends.ts'
import { masqueradeOf } from './trace-masquerade.ts'
import type { TracedCandidate, TracedDrift, TraceObject } from './trace-object.ts'
import { othersOf } from './trace-others.ts'
import { outcomeOf } from './trace-outcome.ts'
import { type Policy, policyFor } from './trace-policy.ts'
import { decidedBy, pathOf } from './trace-steps.ts'
import { summaryOf } from './trace-summary.ts'

export type { Problem, TraceFacts, TraceQuestion } from './trace-ends.ts'

/** What all sentences are made from. */
export interface Traced {
  readonly question: TraceQuestion
  readonly inspection: Inspection
  readonly cluster: TraceFacts['cluster']
  readonly trace: Trace
  readonly from: TraceObject['from']
  readonly to: TraceObject['to']
  readonly elsewhere: Ends['elsewhere']
  /** Whose address and port it is. */
  readonly at: PortAt | undefined
  /** The policy that counts for this sender there. */
  readonly policy: Policy | undefined
  /** All that the slices name for the service port. */
  readonly endpoints: readonly Endpoint[]
  /** Why each of them gets what it gets, by `hostPort`. */
  readonly details: ReadonlyMap<string, EndpointDetail>
  readonly shares: TraceObject['shares']
  readonly candidates: readonly TracedCandidate[]
  readonly drifts: readonly TracedDrift[]
}

/** @param time of the answer, milliseconds since 1970. */
export function traceObject(question: TraceQuestion, facts: TraceFacts, time: number): TraceObject | Problem {
  const ends = endsOf(question, facts)
  if ('problem' in ends) return ends
  const { inspection, packet, goal: to } = ends
  const { values, wrong = [] } = facts.parameters ?? {}
  const trace = inspection.trace(values === undefined ? packet : { ...packet, parameters: values })
  const from = { ...ends.sender, address: trace.source }
  const at = portsAt(packet.destination, inspection).find(each => each.port === to.port && each.protocol === to.protocol)
  const { cluster } = facts
  const slices = at === undefined ? [] : cluster.slices(at.servicePort.service)
  const endpoints = at === undefined ? [] : endpointsOf(at.servicePort, slices, inspection.node.name)
  const policy = at === undefined ? undefined : policyFor(at, from.kind, inspection.mode)
  const explained = at === undefined ? [] : explainEndpoints({ servicePort: at.servicePort, endpoints, node: inspection.node })
  const details = new Map(explained.map(detail => [detail.endpoint, detail]))
  const byName = new Map(endpoints.map(endpoint => [endpoint.hostPort, endpoint]))
  const traced: Traced = {
    elsewhere: ends.elsewhere,
    ...{ question, inspection, cluster, trace, from, to, at, policy, endpoints, details },
    shares: sharesOf(trace.branches),
    candidates: candidatesOf(trace.branches, { at, policy, endpoints: byName, details }),
    drifts: driftsOf(inspection, { at, wrong: wrong.filter(({ name }) => countsFor(name, ends)) }),
  }
  const verdict = verdictOf(traced.shares)
  return {
    apiVersion: 'switchyard/v1',
    kind: 'Trace',
    time: new Date(time).toISOString(),
    readAt: new Date(inspection.readAt).toISOString(),
    node: inspection.node.name,
    mode: inspection.mode,
    ...{ from, to },
    service: serviceOf(traced),
    verdict,
    outcome: outcomeOf({ ...traced, verdict }),
    shares: traced.shares,
    summary: summaryOf(traced),
    decidedBy: decidedBy(trace.branches),
    candidates: traced.candidates,
    others: othersOf(traced),
    masquerade: masqueradeOf(traced),
    path: pathOf(trace.branches),
    drifts: traced.drifts,
    unsure: trace.unsure,
  }
}

function serviceOf({ at, cluster, policy }: Traced): TraceObject['service'] {
  if (at === undefined || policy === undefined) return null
  const { service, name } = at.servicePort
  const type = cluster.service(service)?.type ?? 'ClusterIP'
  return { service, port: name, type, addressKind: at.kind, policy: policy.words }
}

const verdicts = ['endpoints', 'refused', 'dropped', 'untouched'] as const

function sharesOf(branches: readonly Branch[]): TraceObject['shares'] {
  const share = (verdict: Branch['verdict']): number =>
    branches.reduce((total, branch) => total + (branch.verdict === verdict ? branch.probability : 0), 0)
  return { endpoints: share('endpoint'), refused: share('refused'), dropped: share('dropped'), untouched: share('untouched') }
}

/** Endpoints where any get a part, else what becomes of most. */
function verdictOf(shares: TraceObject['shares']): TraceObject['verdict'] {
  if (shares.endpoints > 0) return 'endpoints'
  const most = verdicts.reduce((best, each) => (shares[each] > shares[best] ? each : best))
  return most === 'untouched' ? 'not a Service' : most
}

/** Whether packets like this depend on the parameter. IPVS has its own for both families. */
function countsFor(name: string, { packet: { family, origin, destination } }: Ends): boolean {
  if (name === routeLocalnet) return origin === 'node' && isLoopback(destination)
  return name.startsWith('net.ipv4.vs.') || name.startsWith(family === 'IPv6' ? 'net.ipv6.' : 'net.ipv4.')
}

/** So many are told of; a table that was flushed has more. */
const mostDrifts = 20

/** Those of the Service, and of the fixed part, on which all depend. */
function driftsOf(
  { drifts, meaning }: Inspection,
  { at, wrong }: { readonly at: PortAt | undefined; readonly wrong: readonly ParameterState[] },
): readonly TracedDrift[] {
  const service = at?.servicePort.service
  const own = drifts.filter(each => each.service === service || each.service === undefined)
  const ofRules = own
    .toSorted((a, b) => Number(a.service === undefined) - Number(b.service === undefined))
    .slice(0, mostDrifts)
    .map(drift => ({ what: drift.what, kind: drift.kind, service: drift.service ?? null, meaning: meaning(drift) }))
  return [...wrong.map(parameterDrift), ...ofRules]
}
