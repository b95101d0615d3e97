// What packets meet in the kernel, as a mode's tracer has it, and what the cluster wants → the answer that people and programs read. Pure.
import { type Endpoint, endpointsOf } from '../model/endpoint.ts'
import type { Branch, Trace } from '../modes/trace.ts'
import type { Inspection } from '../sync/inspect.ts'
import { type PortAt, portsAt } from './addresses.ts'
import { endsOf, type Problem, type TraceFacts, type TraceQuestion } from './trace-ends.ts'
import { masqueradeOf } from './trace-masquerade.ts'
import type { TracedCandidate, TracedDrift, TraceObject } from './trace-object.ts'
import { othersOf } from './trace-others.ts'
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
  /** Whose address and port it is. */
  readonly at: PortAt | undefined
  /** The policy that counts for this sender there. */
  readonly policy: Policy | undefined
  /** All that the slices name for the service port. */
  readonly endpoints: readonly Endpoint[]
  readonly shares: TraceObject['shares']
  readonly candidates: readonly TracedCandidate[]
  readonly drifts: readonly TracedDrift[]
}

/** @param time of the answer, milliseconds since 1970. */
export function traceObject(question: TraceQuestion, facts: TraceFacts, time: number): TraceObject | Problem {
  const ends = endsOf(question, facts)
  if ('problem' in ends) return ends
  const { inspection, packet, goal: to } = ends
  const trace = inspection.trace(packet)
  const from = { ...ends.sender, address: trace.source }
  const at = portsAt(packet.destination, inspection).find(each => each.port === to.port && each.protocol === to.protocol)
  const { cluster } = facts
  const slices = at === undefined ? [] : cluster.slices(at.servicePort.service)
  const endpoints = at === undefined ? [] : endpointsOf(at.servicePort, slices, inspection.node.name)
  const traced: Traced = {
    ...{ question, inspection, cluster, trace, from, to, at, endpoints },
    policy: at === undefined ? undefined : policyFor(at, from.kind, inspection.mode),
    shares: sharesOf(trace.branches),
    candidates: candidatesOf(trace.branches, { endpoints, at }),
    drifts: driftsOf(inspection, at),
  }
  return {
    apiVersion: 'switchyard/v1',
    kind: 'Trace',
    time: new Date(time).toISOString(),
    readAt: new Date(inspection.readAt).toISOString(),
    node: inspection.node.name,
    mode: inspection.mode,
    ...{ from, to },
    service: serviceOf(traced),
    verdict: verdictOf(traced.shares),
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

/** Each endpoint once: several rules may lead to it. */
function candidatesOf(
  branches: readonly Branch[],
  { endpoints, at }: Pick<Traced, 'endpoints' | 'at'>,
): readonly TracedCandidate[] {
  const found = new Map<string, TracedCandidate>()
  for (const { endpoint, probability, weight = null, masquerade } of branches) {
    if (endpoint === undefined) continue
    const before = found.get(endpoint)
    found.set(endpoint, {
      ...whoIs(endpoint, { endpoints, at }),
      probability: probability + (before?.probability ?? 0),
      weight: before?.weight ?? weight,
      masquerade: masquerade !== undefined || before?.masquerade === true,
    })
  }
  return [...found.values()]
}

function whoIs(
  hostPort: string,
  { endpoints, at }: Pick<Traced, 'endpoints' | 'at'>,
): { readonly endpoint: string; readonly pod: string | null; readonly node: string | null } {
  const known = endpoints.find(each => each.hostPort === hostPort)
  const namespace = at?.servicePort.service.split('/')[0]
  const pod = known?.podName === undefined ? null : `${namespace}/${known.podName}`
  return { endpoint: hostPort, pod, node: known?.nodeName ?? null }
}

/** So many are told of; a table that was flushed has more. */
const mostDrifts = 20

/** Those of the Service, and of the fixed part, on which all depend. */
function driftsOf({ drifts, meaning }: Inspection, at: PortAt | undefined): readonly TracedDrift[] {
  const service = at?.servicePort.service
  const own = drifts.filter(each => each.service === service || each.service === undefined)
  return own
    .toSorted((a, b) => Number(a.service === undefined) - Number(b.service === undefined))
    .slice(0, mostDrifts)
    .map(drift => ({ what: drift.what, kind: drift.kind, service: drift.service ?? null, meaning: meaning(drift) }))
}
