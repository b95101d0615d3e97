// One GET over HTTP. Not by `fetch`, which refuses ports that a browser must not ask (10080, 6000) without a word to anyone.
import { get } from 'node:http'
import { text } from 'node:stream/consumers'

export interface HttpAnswer {
  readonly status: number
  /** Who answers, as it says itself; empty where it does not. */
  readonly server: string
  readonly body: string
}

/** Rejects where nobody answers (`code`: ECONNREFUSED), and with a TimeoutError where not all has come in time. Follows no redirection. */
export async function httpGet(url: string, timeoutMs: number): Promise<HttpAnswer> {
  const signal = AbortSignal.timeout(timeoutMs)
  try {
    return await new Promise<HttpAnswer>((resolve, reject) => {
      const request = get(url, { signal, agent: false }, response => {
        const { statusCode: status = 0, headers } = response
        const { server } = headers
        text(response).then(body => resolve({ status, server: String(server ?? ''), body }), reject)
      })
      request.on('error', reject)
    })
  } catch (error) {
    throw signal.aborted ? signal.reason : error
  }
}
