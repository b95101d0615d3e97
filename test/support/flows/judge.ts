// Whether what happened is what a flow expects. Pure: evidence in, complaint out.
import type { Answered, Outcome } from '../lab/agent/protocol.ts'
import type { Answers, Flow, Silence } from './flow.ts'
import { uniformBounds } from './probability.ts'

export interface Evidence {
  readonly outcomes: readonly Outcome[]
  /** How many of these connections passed the node's filters: what is dropped or rejected leaves no conntrack entry there. */
  readonly passed: number
}

/** Undefined where all is as expected; otherwise what is wrong, with what was seen. */
export function judge(flow: Flow, evidence: Evidence, nodeAddresses: readonly string[]): string | undefined {
  const { expect } = flow
  if (typeof expect === 'string') return complainAboutSilence(expect, evidence)
  if ('notSupported' in expect) return undefined
  return complainAboutAnswers({ flow, expect, outcomes: evidence.outcomes, nodeAddresses })
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

function complainAboutSilence(expect: Silence, { outcomes, passed }: Evidence): string | undefined {
  const answered = outcomes.find(outcome => outcome.ok)
  if (answered !== undefined) return `expected ${expect}, but somebody answered: ${summarize(outcomes)}`
  const reasons = new Set(outcomes.map(outcome => (outcome.ok ? '' : outcome.reason)))
  switch (expect) {
    case 'refused':
    case 'dropped': {
      const reason = expect === 'refused' ? 'refused' : 'timeout'
      if (reasons.size !== 1 || !reasons.has(reason)) return `expected ${expect}: ${summarize(outcomes)}`
      return passed === 0
        ? undefined
        : `${summarize(outcomes)}, but ${passed} of them passed the node: someone else's ${reason}, not the proxy's`
    }
    case 'untouched':
      return passed === outcomes.length
        ? undefined
        : `expected the proxy to leave it alone, but only ${passed} passed the node: ${summarize(outcomes)}`
  }
}

function complainAboutAnswers(options: {
  flow: Flow
  expect: Answers
  outcomes: readonly Outcome[]
  nodeAddresses: readonly string[]
}): string | undefined {
  const { flow, expect, outcomes, nodeAddresses } = options
  if (!outcomes.every(outcome => outcome.ok)) return `expected an answer each time: ${summarize(outcomes)}`
  const unexpected = outcomes.filter(outcome => !expect.to.some(endpoint => isEndpoint(outcome, endpoint)))
  if (unexpected.length > 0) return `somebody else answered: ${summarize(unexpected)}`
  const missing = flow.sticky ? [] : expect.to.filter(endpoint => !outcomes.some(outcome => isEndpoint(outcome, endpoint)))
  if (missing.length > 0) return `${missing.join(' ')} got none of ${outcomes.length} connections: ${summarize(outcomes)}`
  const wrongSource = outcomes.filter(outcome => !hasSource(outcome, expect.source, nodeAddresses))
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

function hasSource(outcome: Answered, source: Answers['source'], nodeAddresses: readonly string[]): boolean {
  const seen = sourceAddress(outcome)
  return source === 'kept' ? seen === outcome.localAddress : nodeAddresses.includes(seen)
}

function sourceAddress({ source }: Answered): string {
  return source.slice(0, source.lastIndexOf(':')).replace(/^\[|\]$/g, '')
}

function describe(outcome: Outcome): string {
  if (!outcome.ok) return `${outcome.reason} (${outcome.detail})`
  return `${endpointOf(outcome)} which saw ${sourceAddress(outcome)}`
}
