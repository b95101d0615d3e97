// What the metrics server answers (metricsBindAddress). Takes how things are, as functions; knows no socket.

import type { KubeProxySettings } from '../config/kube-proxy-fields.ts'
import { kubeProxyObject } from '../config/render.ts'
import type { Metrics } from '../metrics/metrics.ts'
import { type Handler, jsonResponse, routed, textResponse } from './http.ts'
import { flagzHandler, type ProcessStatus, statuszHandler } from './zpages.ts'

export interface MetricsServerOptions {
  readonly metrics: Pick<Metrics, 'render'>
  /** `iptables`, `ipvs`: the mode that runs. */
  readonly mode: () => string
  /** KubeProxyConfiguration in force. */
  readonly settings: () => KubeProxySettings
  /** Every flag with its value. */
  readonly flags: () => Readonly<Record<string, string>>
  readonly status: () => Omit<ProcessStatus, 'paths'>
  /** Further paths, each with its handler. */
  readonly routes?: Readonly<Record<string, Handler>>
}

export function metricsHandler({ metrics, mode, settings, flags, status, routes = {} }: MetricsServerOptions): Handler {
  const all: Record<string, Handler> = {
    '/healthz': () => textResponse(200, 'ok'),
    '/proxyMode': () => textResponse(200, mode()),
    '/metrics': async () => {
      const { contentType, text } = await metrics.render()
      return { status: 200, contentType, body: text }
    },
    '/configz': () => jsonResponse(200, JSON.stringify({ 'kubeproxy.config.k8s.io': kubeProxyObject(settings()) })),
    '/statusz': statuszHandler(() => ({ ...status(), paths: Object.keys(all) })),
    '/flagz': flagzHandler(flags),
    ...routes,
  }
  const byPath = routed(all)
  return request => (isProfiling(request.path) && settings().enableProfiling ? noProfiles : byPath(request))
}

function isProfiling(path: string): boolean {
  return path === '/debug/pprof' || path.startsWith('/debug/pprof/')
}

const noProfiles = textResponse(
  404,
  'enableProfiling has no effect here: these are the profiles of a Go program, and Switchyard is not one; `node --cpu-prof` makes such of Node.js\n',
)
