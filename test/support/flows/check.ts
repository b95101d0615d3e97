// One flow, from packets to verdict: what a test calls. Throws an AssertionError that says what was expected and what was seen.
import { AssertionError } from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import type { Outcome } from '../lab/agent/protocol.ts'
import type { Lab } from '../lab/lab.ts'
import { clientAddress, clientAddressCount } from '../lab/network-plan.ts'
import { poll } from '../lab/poll.ts'
import type { Flow } from './flow.ts'
import { complainAboutStickiness, endpointOf, judge, summarize } from './judge.ts'
import { connectFrom, nodeIdentity, send } from './send.ts'

export async function checkFlow(lab: Lab, flow: Flow): Promise<void> {
  const complaint = flow.expiresAfter === undefined ? await checkOnce(lab, flow) : await checkExpiry(lab, flow, flow.expiresAfter)
  if (complaint !== undefined) throw new AssertionError({ message: `${flow.title}\n${complaint}` })
}

async function checkOnce(lab: Lab, flow: Flow): Promise<string | undefined> {
  const evidence = await send(lab, flow)
  return judge(flow, evidence, nodeIdentity(lab)) ?? (flow.sticky ? complainAboutStickiness(evidence.outcomes) : undefined)
}

/**
 * Session affinity with its end: every address of the client sticks to one endpoint; after the time out they choose again.
 * That all of them choose the same as before has a probability of (1/endpoints)^16: nothing for three endpoints.
 */
async function checkExpiry(lab: Lab, flow: Flow, seconds: number): Promise<string | undefined> {
  const sources = Array.from({ length: clientAddressCount }, (_, position) => clientAddress(position)[flow.to.family])
  const before: string[] = []
  for (const from of sources) {
    const outcomes = await connectBeforeExpiry(lab, { flow, from, seconds })
    const complaint = judge(flow, { outcomes, passed: 0 }, nodeIdentity(lab)) ?? complainAboutStickiness(outcomes)
    if (complaint !== undefined) return complaint
    before.push(endpoints(outcomes))
  }
  await delay(seconds * 1000 + 1100) // the kernel counts whole jiffies and seconds; longer is no harm
  const after = await Promise.all(sources.map(from => connectFrom(lab, { flow, from, count: 1 })))
  if (!after.flat().every(outcome => outcome.ok)) return `expected an answer each time: ${summarize(after.flat())}`
  return after.every((outcomes, position) => endpoints(outcomes) === before[position])
    ? `${seconds} s later all ${sources.length} sources still stick to their endpoint: ${summarize(after.flat())}`
    : undefined
}

/** Three connections of one source within the time out; on a machine so slow that it passed in between, again. */
function connectBeforeExpiry(lab: Lab, options: { flow: Flow; from: string; seconds: number }): Promise<readonly Outcome[]> {
  return poll(
    async () => {
      const outcomes = await connectFrom(lab, { ...options, count: 3 })
      const inTime = outcomes.every(
        ({ endedAt }, position) => endedAt - (outcomes[position - 1]?.startedAt ?? endedAt) < options.seconds * 1000,
      )
      return inTime ? outcomes : undefined
    },
    { what: `three connections from ${options.from} within ${options.seconds} s` },
  )
}

function endpoints(outcomes: readonly Outcome[]): string {
  return [...new Set(outcomes.filter(outcome => outcome.ok).map(endpointOf))].join(' ')
}
