// LISTs of a reflector: of everything, page by page where it is paged, or of next to nothing, for its version. Give the
// outcome as a value; nothing is thrown.

import type { ApiRequest } from './api-request.ts'
import { type AttemptOptions, noAnswer, toFailure } from './attempt.ts'
import { StreamFault } from './failure.ts'
import { readList } from './list-framing.ts'
import type { Reading } from './object-index.ts'
import { listRequest, verifyRequest } from './queries.ts'
import type { Outcome, Request } from './reflector-state.ts'
import { listMetadata, rawObject } from './watch-event.ts'
import { createWatchdog, type Watchdog } from './watchdog.ts'

/** Runs until everything is read, or it fails, or the signal aborts (then the outcome means nothing). */
export async function runList(
  request: Request & { readonly doing: 'list' },
  options: AttemptOptions,
  signal: AbortSignal,
): Promise<Outcome> {
  const { query, index, clock, timing, listener } = options
  const startedAt = clock.now()
  const watchdog = createWatchdog(clock, signal)
  const readings: Reading[] = []
  let messages = 0
  try {
    watchdog.expect(timing.listSilentMs, noAnswer(timing.listSilentMs))
    let token: string | undefined
    let version: string
    do {
      const page = await readPage(listRequest(query, request, token), watchdog)
      token = page.continueToken
      version = page.resourceVersion
      messages += 1
    } while (token !== undefined)
    listener.listed({ intake: 'read', version, changes: index.replace(readings) })
    watchdog.rest()
    await listener.ready(watchdog.signal)
    return { outcome: 'read', version }
  } catch (error) {
    const failure = toFailure(watchdog.fault() ?? error, options)
    return { outcome: 'failed', failure, version: options.version, lastedMs: clock.now() - startedAt, messages }
  } finally {
    watchdog.end()
  }

  async function readPage(asked: ApiRequest, dog: Watchdog): Promise<ReturnType<typeof listMetadata>> {
    const body = await options.client.open(asked, dog.signal)
    if (messages === 0) listener.opened()
    const fields = new Map<string, unknown>()
    await readList(touching(body, dog), {
      item: value => readings.push(index.read(rawObject(value))),
      field: (name, value) => fields.set(name, value),
    })
    // Whatever else says 200 must not look like an empty cluster.
    const expected = `${query.resource.kind}List`
    if (fields.get('kind') !== expected) throw new StreamFault('malformed', `the answer is no ${expected}`)
    return listMetadata(fields.get('metadata'))
  }
}

/** Asks whether the server has come as far as the version. */
export async function runVerify(
  request: Request & { readonly doing: 'verify' },
  options: AttemptOptions,
  signal: AbortSignal,
): Promise<Outcome> {
  const { client, query, clock, timing, version } = options
  const startedAt = clock.now()
  const watchdog = createWatchdog(clock, signal)
  try {
    watchdog.expect(timing.listSilentMs, noAnswer(timing.listSilentMs))
    await client.send(verifyRequest(query.resource, request), watchdog.signal)
    return { outcome: 'verified' }
  } catch (error) {
    const failure = toFailure(watchdog.fault() ?? error, options)
    return { outcome: 'failed', failure, version, lastedMs: clock.now() - startedAt, messages: 0 }
  } finally {
    watchdog.end()
  }
}

async function* touching(chunks: AsyncIterable<Uint8Array>, watchdog: Watchdog): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    watchdog.touch()
    yield chunk
  }
}
