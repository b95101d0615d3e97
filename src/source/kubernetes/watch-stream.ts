// One watch of a reflector, with or without everything before it, from asking to its end. Gives the outcome as a value;
// nothing is thrown. Reads no faster than the consumer takes.
import { type AttemptOptions, noAnswer, seconds, toFailure } from './attempt.ts'
import { type Failure, StreamFault } from './failure.ts'
import { createIntake } from './intake.ts'
import { lines } from './line-framing.ts'
import { type StreamRequest, watchRequest } from './queries.ts'
import type { Outcome } from './reflector-state.ts'
import type { ReflectorTiming } from './timing.ts'
import { parseWatchEvent } from './watch-event.ts'
import { createWatchdog, type Watchdog } from './watchdog.ts'

/** Runs until the stream ends, fails, or the signal aborts (then the outcome means nothing). */
export async function runWatch(request: StreamRequest, options: AttemptOptions, signal: AbortSignal): Promise<Outcome> {
  const { client, query, index, clock, timing, listener } = options
  const startedAt = clock.now()
  const watchdog = createWatchdog(clock, signal)
  const take = createIntake(index, request.doing === 'watch' ? request.after : undefined)
  const asked = watchRequest(query, request, randomSeconds(options))
  const seen = { live: request.doing === 'watch', version: options.version, messages: 0, events: 0 }
  try {
    watchdog.expect(timing.listSilentMs, noAnswer(timing.listSilentMs))
    const body = await client.open(asked, watchdog.signal)
    listener.opened()
    if (seen.live) expectBookmarks(watchdog, timing)
    else expectInitialEvents(watchdog, timing)
    for await (const batch of lines(body)) {
      for (const line of batch) takeLine(line)
      watchdog.rest()
      await listener.ready(watchdog.signal)
      watchdog.touch()
    }
    if (!seen.live || seen.version === undefined)
      throw new StreamFault('ended early', 'the server ended the list before its end bookmark')
    const lastedMs = clock.now() - startedAt
    if (lastedMs < timing.shortWatchMs && seen.events === 0)
      throw new StreamFault('short watch', 'the server ended the watch at once')
    return { outcome: 'closed', version: seen.version, lastedMs, events: seen.events }
  } catch (error) {
    const failure = ofStreaming(request, toFailure(watchdog.fault() ?? error, options))
    return { outcome: 'failed', failure, version: seen.version, lastedMs: clock.now() - startedAt, messages: seen.messages }
  } finally {
    watchdog.end()
  }

  function takeLine(line: string): void {
    const event = parseWatchEvent(line)
    if (event.type === 'ERROR') throw client.refusal(asked, event.status)
    const intake = take(event)
    seen.messages += 1
    if (event.type !== 'BOOKMARK') seen.events += 1
    if (intake.intake === 'read') {
      seen.live = true
      expectBookmarks(watchdog, timing)
    }
    if (intake.intake !== 'collected') seen.version = intake.version
    listener.took(event, intake)
  }
}

/** A list that the server rejects as a stream is no fault: older servers do, and give it otherwise. */
function ofStreaming({ doing }: StreamRequest, failure: Failure): Failure {
  return doing === 'stream list' && failure.kind === 'rejected' ? { ...failure, kind: 'stream refused' } : failure
}

function randomSeconds({ random, timing: { watchSeconds } }: AttemptOptions): number {
  return Math.round(watchSeconds.least + random() * (watchSeconds.most - watchSeconds.least))
}

function expectInitialEvents(watchdog: Watchdog, { initialSilentMs, initialTotalMs }: ReflectorTiming): void {
  const fault = (limitMs: number) => () =>
    new StreamFault('no end bookmark', `the streamed list was not complete after ${seconds(limitMs)}; it is read by LIST instead`)
  watchdog.expect(initialSilentMs, fault(initialSilentMs))
  watchdog.allow(initialTotalMs, fault(initialTotalMs))
}

function expectBookmarks(watchdog: Watchdog, { silentMs }: ReflectorTiming): void {
  const fault = () =>
    new StreamFault('silent', `neither event nor bookmark for ${seconds(silentMs)}: the connection is half-open`)
  watchdog.expect(silentMs, fault)
  watchdog.allow(undefined, fault)
}
