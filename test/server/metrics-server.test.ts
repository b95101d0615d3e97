import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { defaultsOf } from '../../src/config/field.ts'
import { kubeProxyFields } from '../../src/config/kube-proxy-fields.ts'
import type { HttpResponse } from '../../src/server/http.ts'
import { metricsHandler } from '../../src/server/metrics-server.ts'

function get(path: string, { enableProfiling = false, accept = '' } = {}): Promise<HttpResponse> {
  const handler = metricsHandler({
    metrics: { render: async () => ({ contentType: 'text/plain; version=0.0.4', text: 'up 1\n' }) },
    mode: () => 'iptables',
    settings: () => ({ ...defaultsOf(kubeProxyFields), hostnameOverride: 'node1', enableProfiling }),
    flags: () => ({ v: '0' }),
    status: () => ({ startedAt: 0, now: 0, version: '1', nodeVersion: 'v24', emulationVersion: '1.36' }),
    routes: { '/switchyard/v1/status': () => ({ status: 200, contentType: 'application/json', body: '{}' }) },
  })
  return Promise.resolve(handler({ path, query: new URLSearchParams(), accept }))
}

describe('the metrics server', () => {
  it('answers /healthz and /proxyMode by a word', async () => {
    for (const [path, word] of [
      ['/healthz', 'ok'],
      ['/proxyMode', 'iptables'],
    ] as const) {
      const { status, contentType, body } = await get(path)
      assert.deepEqual([status, contentType, body], [200, 'text/plain; charset=utf-8', word])
    }
  })

  it('answers /metrics with the content type of the registry', async () => {
    assert.deepEqual(await get('/metrics'), { status: 200, contentType: 'text/plain; version=0.0.4', body: 'up 1\n' })
  })

  it('answers /configz with the configuration in force, as kube-proxy names it', async () => {
    const { contentType, body } = await get('/configz')
    const { 'kubeproxy.config.k8s.io': config } = JSON.parse(body) as Record<string, Record<string, unknown>>
    assert.equal(contentType, 'application/json')
    assert.deepEqual(
      [config?.['apiVersion'], config?.['kind'], config?.['hostnameOverride'], config?.['iptables']],
      [
        'kubeproxy.config.k8s.io/v1alpha1',
        'KubeProxyConfiguration',
        'node1',
        { masqueradeBit: 14, masqueradeAll: false, localhostNodePorts: true, syncPeriod: '30s', minSyncPeriod: '1s' },
      ],
    )
  })

  it('answers /statusz and /flagz, and lists its paths', async () => {
    const { body } = await get('/statusz', { accept: 'application/json;v=v1beta1;g=config.k8s.io;as=Statusz' })
    const { paths } = JSON.parse(body) as { readonly paths: readonly string[] }
    for (const path of paths) assert.equal((await get(path)).status, 200, path)
    for (const path of ['/metrics', '/configz', '/flagz', '/switchyard/v1/status']) assert.ok(paths.includes(path), path)
  })

  it('has nothing at /, /livez and /readyz', async () => {
    for (const path of ['/', '/livez', '/readyz']) assert.equal((await get(path)).status, 404, path)
  })

  it('says plainly that it has no Go profiles, to those who enabled them', async () => {
    for (const path of ['/debug/pprof', '/debug/pprof/', '/debug/pprof/heap']) {
      const asked = await get(path, { enableProfiling: true })
      assert.equal(asked.status, 404)
      assert.match(asked.body, /enableProfiling has no effect here/)
      const notAsked = await get(path)
      assert.equal(notAsked.status, 404)
      assert.match(notAsked.body, /^there is no \/debug\/pprof/)
    }
  })
})
