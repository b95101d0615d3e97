// Whether what happened is what a flow expects. Pure: evidence in, complaint out.
import type { Answered, Outcome } from '../lab/agent/protocol.ts'
import type { Answers, Flow } from './flow.ts'
import { uniformBounds } from './probability.ts'

export interface Evidence {
  readonly outcomes: readonly Outcome[]
  /** How many of these connections the node let through: what a filter drops leaves no conntrack entry there. */
  readonly passed: number
}

/** The node that runs the proxy, as the far ends see it. It listens on the port of every flow itself: see `send`. */
export interface NodeIdentity {
  readonly name: string
  readonly addresses: readonly string[]
}

/** Undefined where all is as expected; otherwise what is wrong, with what was seen. */
export function judge(flow: Flow, evidence: Evidence, node: NodeIdentity): string | undefined {
  const { expect } = flow
  if (expect === 'untouched') return complainAboutTouch(evidence, node)
  if (typeof expect === 'string') return complainAboutSilence(expect, evidence)
  if ('notSupported' in expect) return undefined
  return complainAboutAnswers({ flow, expect, outcomes: evidence.outcomes, node })
}

/** `3 × a:8080 from 10.244.1.1, 1 × refused (connect ECONNREFUSED ...)`: what a person wants to know about many outcomes. */
export function summarize(outcomes: readonly Outcome[]): string {
  const counts = new Map<string, number>()
  for (const outcome of outcomes) counts.set(describe(outcome), (counts.get(describe(outcome)) ?? 0) + 1)
  return [...counts].map(([text, count]) => `${count} × ${text}`).join(', ')
}

/** All connections of one source went to one endpoint. */
export function complainAboutStickiness(outcomes: readonly Outcome[]): string | undefined {
  const reached = new Set(outcomes.filter(outcome => outcome.ok).map(endpointOf))
  return reached.size > 1 ? `one source reached several endpoints: ${summarize(outcomes)}` : undefined
}

export function endpointOf({ name, port }: Answered): string {
  return `${name}:${port}`
}

/** A port of the node that the proxy does not serve is answered by the node's own listener, so refusal is the proxy's work. */
function complainAboutSilence(expect: 'refused' | 'dropped', { outcomes, passed }: Evidence): string | undefined {
  const reason = expect === 'refused' ? 'refused' : 'timeout'
  if (!outcomes.every(outcome => !outcome.ok && outcome.reason === reason)) return `expected ${expect}: ${summarize(outcomes)}`
  if (expect === 'refused' || passed === 0) return undefined
  return `no answer, but the node let ${passed} of ${outcomes.length} connections through: they were lost elsewhere`
}

/** What goes to the node is answered by the node; what goes elsewhere is let through, to a network that does not know the address. */
function complainAboutTouch({ outcomes, passed }: Evidence, node: NodeIdentity): string | undefined {
  const alone = outcomes.every(outcome => !outcome.ok || outcome.name === node.name) && passed === outcomes.length
  return alone ? undefined : `expected the proxy to leave it alone, but the node let ${passed} through: ${summarize(outcomes)}`
}

function complainAboutAnswers(options: {
  flow: Flow
  expect: Answers
  outcomes: readonly Outcome[]
  node: NodeIdentity
}): string | undefined {
  const { flow, expect, outcomes, node } = options
  if (!outcomes.every(outcome => outcome.ok)) return `expected an answer each time: ${summarize(outcomes)}`
  const unexpected = outcomes.filter(outcome => !expect.to.some(endpoint => isEndpoint(outcome, endpoint)))
  if (unexpected.length > 0) return `somebody else answered: ${summarize(unexpected)}`
  const missing = flow.sticky ? [] : expect.to.filter(endpoint => !outcomes.some(outcome => isEndpoint(outcome, endpoint)))
  if (missing.length > 0) return `${missing.join(' ')} got none of ${outcomes.length} connections: ${summarize(outcomes)}`
  const wrongSource = outcomes.filter(outcome => !hasSource(outcome, expect.source, node))
  if (wrongSource.length > 0) return `expected the source to be ${sourceWords[expect.source]}: ${summarize(wrongSource)}`
  return flow.spread === undefined ? undefined : complainAboutSpread(expect.to, outcomes)
}

const sourceWords: Readonly<Record<Answers['source'], string>> = { kept: "the sender's own", node: "the node's" }

function complainAboutSpread(endpoints: readonly string[], outcomes: readonly Answered[]): string | undefined {
  const { least, most } = uniformBounds(outcomes.length, endpoints.length)
  const counts = endpoints.map(endpoint => outcomes.filter(outcome => isEndpoint(outcome, endpoint)).length)
  return counts.every(count => least <= count && count <= most)
    ? undefined
    : `not uniform: each of ${endpoints.join(' ')} should get ${least} to ${most} of ${outcomes.length}, but they got ${counts.join(' ')}`
}

/** `a` is any port of a, `a:8081` this one. */
function isEndpoint(outcome: Answered, endpoint: string): boolean {
  return outcome.name === endpoint || endpointOf(outcome) === endpoint
}

function hasSource(outcome: Answered, source: Answers['source'], node: NodeIdentity): boolean {
  const seen = sourceAddress(outcome)
  return source === 'kept' ? seen === outcome.localAddress : node.addresses.includes(seen)
}

function sourceAddress({ source }: Answered): string {
  return source.slice(0, source.lastIndexOf(':')).replace(/^\[|\]$/g, '')
}

function describe(outcome: Outcome): string {
  if (!outcome.ok) return `${outcome.reason} (${outcome.detail})`
  return `${endpointOf(outcome)} which saw ${sourceAddress(outcome)}`
}
