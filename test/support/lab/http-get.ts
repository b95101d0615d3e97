// GET from inside of a namespace: what a probe, a scraper or a load balancer would see there.
import { runIn } from './namespaces.ts'

export interface HttpAnswer {
  readonly status: number
  readonly body: string
}

const script = `fetch(process.argv[1]).then(
  async answer => ({ status: answer.status, body: await answer.text() }),
  () => null,
).then(answer => process.stdout.write(JSON.stringify(answer)))`

/** Undefined where nobody answers. */
export async function getIn(namespace: string, url: string): Promise<HttpAnswer | undefined> {
  const { stdout } = await runIn(namespace, [process.execPath, '-e', script, url])
  return (JSON.parse(stdout) as HttpAnswer | null) ?? undefined
}

/** What /readyz says; see src/health/bodies.ts. */
export interface Readiness {
  readonly ready: boolean
  readonly missing: readonly string[]
  readonly families: Readonly<Record<string, { readonly lastSynced: string | null; readonly waitingSeconds: number }>>
  readonly watches: Readonly<Record<string, WatchReadiness>>
}

export interface WatchReadiness {
  readonly synced: boolean
  readonly secondsSinceContact: number | null
  readonly failure: string | null
}

/** Undefined while nobody listens there. The status is checked against the body: probes see the one, people the other. */
export async function readinessIn(namespace: string, port = 10_256): Promise<Readiness | undefined> {
  const answer = await getIn(namespace, `http://127.0.0.1:${port}/readyz`)
  if (answer === undefined) return undefined
  const readiness = JSON.parse(answer.body) as Readiness
  if (answer.status !== (readiness.ready ? 200 : 503)) throw new Error(`/readyz answered ${answer.status} and ${answer.body}`)
  return readiness
}
