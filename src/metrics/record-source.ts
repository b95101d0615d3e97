// Moments of following the API server → metrics.
import { ApiError, type Failure } from '../source/kubernetes/failure.ts'
import type { KubernetesSource } from '../source/kubernetes/source.ts'
import type { KubernetesSourceEvents } from '../source/kubernetes/source-events.ts'
import type { ObserverClock } from '../sync/clock.ts'
import { type ObserverLog, subscribe } from '../sync/subscribe.ts'
import type { Metrics } from './metrics.ts'

export interface RecordSourceOptions {
  readonly metrics: Metrics
  readonly source: Pick<KubernetesSource, 'events' | 'status'>
  /** `https://10.0.0.1:6443`. */
  readonly server: string
  readonly clock: ObserverClock
  readonly log: ObserverLog
}

/** The result ends it. */
export function recordSource({ metrics, source, server, clock, log }: RecordSourceOptions): () => void {
  const { own, kubeProxy } = metrics
  const { host } = new URL(server)
  const startedAt = clock.now()
  metrics.onCollect(() => {
    for (const { resource, lastContactAgeMs } of source.status()) {
      own.watchLastEvent.set({ resource }, (lastContactAgeMs ?? clock.now() - startedAt) / 1000)
    }
  })
  return subscribe<KubernetesSourceEvents>(
    source.events,
    {
      opened: () => kubeProxy.requests.inc({ code: '200', method: 'GET', host }),
      received: ({ resource, type }) => own.watchEvents.inc({ resource, type }),
      synced: ({ resource }) => own.watchReads.inc({ resource }),
      failed: ({ resource, failure }) => {
        own.watchFailures.inc({ resource, kind: failure.kind })
        const code = answerCode(failure)
        if (code !== undefined) kubeProxy.requests.inc({ code, method: 'GET', host })
      },
    },
    log,
  )
}

/** `<error>` is client-go's word for no answer at all. A stream that broke was counted when it was opened. */
function answerCode(failure: Failure): string | undefined {
  if (!(failure instanceof ApiError)) return undefined
  return failure.status === undefined ? '<error>' : String(failure.status)
}
