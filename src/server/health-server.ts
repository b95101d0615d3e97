// What the health server answers (healthzBindAddress). Takes how things are, as functions; knows no socket.
import { healthzBody, livezBody, type ProxyHealthInput, readyzBody } from '../health/bodies.ts'
import type { WatchState } from '../health/readiness.ts'
import { type Handler, jsonResponse, routed } from './http.ts'

export interface HealthServerOptions {
  readonly health: () => ProxyHealthInput
  readonly nodeEligible: () => boolean
  readonly missing: () => readonly string[]
  readonly watches: () => readonly WatchState[]
  /** Called with every answer of these two: kube-proxy counts them. */
  readonly answered: (path: '/healthz' | '/livez', status: number) => void
}

export function healthHandler({ health, nodeEligible, missing, watches, answered }: HealthServerOptions): Handler {
  return routed({
    '/healthz': () => {
      const input = { ...health(), nodeEligible: nodeEligible() }
      const status = input.sync.healthy && input.nodeEligible ? 200 : 503
      answered('/healthz', status)
      return jsonResponse(status, healthzBody(input))
    },
    '/livez': () => {
      const input = health()
      const status = input.sync.healthy ? 200 : 503
      answered('/livez', status)
      return jsonResponse(status, livezBody(input))
    },
    '/readyz': () => {
      const input = { ...health(), missing: missing(), watches: watches() }
      return jsonResponse(input.missing.length === 0 ? 200 : 503, readyzBody(input))
    },
  })
}
