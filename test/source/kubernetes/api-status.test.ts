import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { connectionError, statusError } from '../../../src/source/kubernetes/api-error.ts'
import { type ApiRequest, pathOf } from '../../../src/source/kubernetes/api-request.ts'
import { classifyStatus, readStatusText, retryAfterMs } from '../../../src/source/kubernetes/api-status.ts'
import { endpointSlices, services } from '../../../src/source/kubernetes/resources.ts'

const request: ApiRequest = { verb: 'watch', resource: services }
const context = { request, server: 'https://10.0.0.1:6443', credentials: 'kubeconfig /etc/proxy.conf' }

describe('an answer that is no success', () => {
  const rows = [
    [401, '{"kind":"Status","message":"Unauthorized","reason":"Unauthorized","code":401}', 'unauthorized'],
    [403, '{"kind":"Status","reason":"Forbidden","code":403}', 'forbidden'],
    [404, '404 page not found', 'not found'],
    [410, '{"reason":"Expired","code":410}', 'expired'],
    [200, '{"reason":"Expired","code":410}', 'expired'],
    [400, '{"message":"field label not supported: spec.clusterIP","code":400}', 'selector rejected'],
    [400, '{"message":"invalid resource version","code":400}', 'rejected'],
    [422, '{"message":"sendInitialEvents: Forbidden","reason":"Invalid","code":422}', 'rejected'],
    [408, '', 'timed out'],
    [429, '', 'too many requests'],
    [500, '', 'server error'],
    [502, '<html>Bad Gateway</html>', 'server error'],
    [504, '{"reason":"Timeout","message":"Timeout: Too large resource version: 9, current: 7","code":504}', 'version too new'],
    [504, '{"reason":"Timeout","details":{"causes":[{"reason":"ResourceVersionTooLarge"}]},"code":504}', 'version too new'],
    [504, '{"reason":"Timeout","message":"request timed out","code":504}', 'server error'],
    [418, '', 'rejected'],
  ] as const
  for (const [status, body, kind] of rows) {
    it(`${status} ${body} is "${kind}"`, () => {
      assert.equal(classifyStatus(readStatusText(body, status)), kind)
    })
  }

  it('says which request failed, where, what the server said and what to do', () => {
    const message = 'services is forbidden: User "x" cannot watch resource "services"'
    const error = statusError(
      context,
      readStatusText(JSON.stringify({ message, reason: 'Forbidden', code: 403 }), 403),
      undefined,
    )
    assert.equal(error.message, `cannot watch services at https://10.0.0.1:6443: 403 (Forbidden): ${message}`)
    assert.equal(
      error.advice,
      'Allow list and watch on services (apiGroups: [""]) in the ClusterRole that is bound to this account.',
    )
  })

  it('puts no foreign line breaks or endless pages into a log', () => {
    const { message } = readStatusText(`<h1>no\r\nservice</h1>\u001b[31m${'x'.repeat(10_000)}`, 503)
    assert.match(message, /^<h1>no service<\/h1> \[31mx+\.\.\.$/)
    assert.ok(message.length < 600)
  })

  it('may carry a time to wait, in the header or the body', () => {
    const now = Date.parse('2026-01-01T00:00:00Z')
    assert.equal(retryAfterMs('7', now), 7000)
    assert.equal(retryAfterMs('Thu, 01 Jan 2026 00:00:09 GMT', now), 9000)
    assert.equal(retryAfterMs('Thu, 01 Jan 2025 00:00:09 GMT', now), 0)
    assert.equal(retryAfterMs('soon', now), undefined)
    assert.equal(retryAfterMs(undefined, now), undefined)
    const body = '{"details":{"retryAfterSeconds":3},"code":429}'
    assert.equal(statusError(context, readStatusText(body, 429), undefined).retryAfterMs, 3000)
    assert.equal(statusError(context, readStatusText(body, 429), 5000).retryAfterMs, 5000)
  })
})

describe('a connection that fails', () => {
  const rows = [
    ['ECONNREFUSED', 'network'],
    ['ECONNRESET', 'network'],
    ['ETIMEDOUT', 'timed out'],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'certificate'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'certificate'],
    ['CERT_HAS_EXPIRED', 'certificate'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'certificate'],
    ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', 'certificate'],
    ['ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED', 'certificate'],
  ] as const
  for (const [code, kind] of rows) {
    it(`with ${code} is "${kind}"`, () => {
      const error = connectionError(context, new Error('outer', { cause: Object.assign(new Error('inner'), { code }) }))
      assert.equal(error.kind, kind)
      assert.equal(error.message, `cannot watch services at https://10.0.0.1:6443: outer (${code})`)
    })
  }

  it('over several addresses names each', () => {
    const errors = ['127.0.0.1', '::1'].map(address =>
      Object.assign(new Error(`connect ECONNREFUSED ${address}`), { code: 'ECONNREFUSED' }),
    )
    const error = connectionError(context, Object.assign(new AggregateError(errors), { code: 'ECONNREFUSED' }))
    assert.match(error.message, /connect ECONNREFUSED 127\.0\.0\.1; connect ECONNREFUSED ::1/)
  })
})

describe('the path of a request', () => {
  it('follows group, namespace and name, and leaves undefined parameters out', () => {
    assert.equal(pathOf({ verb: 'list', resource: services }), '/api/v1/services')
    assert.equal(
      pathOf({
        verb: 'watch',
        resource: endpointSlices,
        query: { watch: 'true', resourceVersion: '', fieldSelector: undefined },
      }),
      '/apis/discovery.k8s.io/v1/endpointslices?watch=true&resourceVersion=',
    )
    assert.equal(
      pathOf({ verb: 'patch', resource: services, namespace: 'a', name: 'b/c' }),
      '/api/v1/namespaces/a/services/b%2Fc',
    )
  })
})
