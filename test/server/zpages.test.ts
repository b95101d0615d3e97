import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parse } from 'yaml'
import type { Handler, HttpResponse } from '../../src/server/http.ts'
import { flagzHandler, statuszHandler } from '../../src/server/zpages.ts'

const status = {
  startedAt: Date.parse('2026-08-02T12:00:00.789Z'),
  now: Date.parse('2026-08-02T13:02:04.000Z'),
  version: '0.1.0',
  nodeVersion: 'v24.0.0',
  emulationVersion: '1.36',
  paths: ['/healthz', '/metrics'],
}
const flags = { v: '0', 'proxy-mode': 'iptables', 'nodeport-addresses': '[primary]' }

async function get(handler: Handler, accept?: string): Promise<HttpResponse> {
  return handler({ path: '/', query: new URLSearchParams(), accept })
}

function structured(kind: 'Statusz' | 'Flagz', { type = 'json', version = 'v1beta1' } = {}): string {
  return `application/${type};v=${version};g=config.k8s.io;as=${kind}`
}

const expectedStatus = {
  kind: 'Statusz',
  apiVersion: 'config.k8s.io/v1beta1',
  metadata: { name: 'kube-proxy' },
  startTime: '2026-08-02T12:00:00Z',
  uptimeSeconds: 3723,
  goVersion: 'Node.js v24.0.0',
  binaryVersion: '0.1.0',
  emulationVersion: '1.36',
  paths: ['/healthz', '/metrics'],
}

describe('/statusz', () => {
  const handler = statuszHandler(
    () => status,
    () => 0,
  )

  it('is text for people', async () => {
    const { status: code, contentType, body } = await get(handler)
    assert.deepEqual([code, contentType], [200, 'text/plain; charset=utf-8'])
    assert.match(body, /^\nkube-proxy statusz\n/)
    assert.match(body, /\nStarted:Sun, 02 Aug 2026 12:00:00 GMT\nUp:1 hr 02 min 03 sec\n/)
    assert.match(body, /\nBinary version:Switchyard 0\.1\.0\nEmulation version:1\.36\nPaths:\/healthz \/metrics\n$/)
  })

  it('changes the delimiter of its text', async () => {
    const delimiters = await Promise.all(
      [0, 0.3, 0.6, 0.9].map(async random => {
        const { body } = await get(
          statuszHandler(
            () => status,
            () => random,
          ),
        )
        return /\nEmulation version(.*)1\.36/.exec(body)?.[1]
      }),
    )
    assert.deepEqual(delimiters, [':', ': ', '=', ' '])
  })

  it('is an object for whoever names its version', async () => {
    const json = await get(handler, structured('Statusz'))
    assert.deepEqual([json.status, json.contentType, json.headers], [200, 'application/json', {}])
    assert.deepEqual(JSON.parse(json.body), expectedStatus)
    const yaml = await get(handler, structured('Statusz', { type: 'yaml' }))
    assert.equal(yaml.contentType, 'application/yaml')
    assert.deepEqual(parse(yaml.body), expectedStatus)
  })

  it('warns of the old version', async () => {
    const { body, headers } = await get(handler, structured('Statusz', { version: 'v1alpha1' }))
    assert.deepEqual(JSON.parse(body), { ...expectedStatus, apiVersion: 'config.k8s.io/v1alpha1' })
    assert.match(headers?.['warning'] ?? '', /^299 - ".*deprecated.*"$/)
  })

  it('refuses plain JSON, as kube-proxy does, and says what it takes', async () => {
    const { status: code, contentType, body } = await get(handler, 'application/json')
    const answer = JSON.parse(body) as Record<string, unknown>
    assert.deepEqual([code, contentType], [406, 'application/json'])
    assert.deepEqual(
      [answer['kind'], answer['apiVersion'], answer['status'], answer['reason'], answer['code']],
      ['Status', 'v1', 'Failure', 'NotAcceptable', 406],
    )
    assert.match(String(answer['message']), /application\/json;v=v1beta1;g=config\.k8s\.io;as=Statusz/)
  })
})

describe('/flagz', () => {
  const handler = flagzHandler(
    () => flags,
    () => 0.6,
  )

  it('is text for people, sorted', async () => {
    const { body } = await get(handler)
    assert.match(body, /^\nkube-proxy flags\n[^\n]+\n\nnodeport-addresses=\[primary\]\nproxy-mode=iptables\nv=0\n$/)
  })

  it('is an object for whoever names its version', async () => {
    assert.deepEqual(JSON.parse((await get(handler, structured('Flagz'))).body), {
      kind: 'Flagz',
      apiVersion: 'config.k8s.io/v1beta1',
      metadata: { name: 'kube-proxy' },
      flags,
    })
    assert.equal((await get(handler, structured('Statusz'))).status, 406)
  })
})
