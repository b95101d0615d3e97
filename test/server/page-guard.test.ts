// Who may see the page: where a request comes from, by which name, and for which page.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type RequestOrigin, textResponse } from '../../src/server/http.ts'
import { guarded, type PageDoors } from '../../src/server/page-guard.ts'
import { address } from '../support/cluster.ts'

const here: RequestOrigin = {
  localAddress: '127.0.0.1',
  remoteAddress: '127.0.0.1',
  host: '127.0.0.1:10249',
  origin: undefined,
  fetchSite: undefined,
}
const afar = { localAddress: '10.0.0.7', remoteAddress: '198.51.100.9', host: '10.0.0.7:10249' }
const doors: PageDoors = { bind: 'loopback', hosts: ['proxy.example.org'], node: 'Node1' }

async function get(path: string, from: Partial<RequestOrigin> | undefined, open: Partial<PageDoors> = {}) {
  const handler = guarded(
    () => textResponse(200, 'seen'),
    () => ({ ...doors, ...open }),
  )
  const origin = from === undefined ? {} : { from: { ...here, ...from } }
  return handler({ path, query: new URLSearchParams(), accept: undefined, ...origin })
}

const paths = ['/', '/switchyard/v1/status', '/switchyard/v1/live', '/switchyard/anything']

describe('the page and what is below /switchyard/', () => {
  const cases: readonly (readonly [string, number, Partial<RequestOrigin> | undefined, Partial<PageDoors>?])[] = [
    ['on loopback', 200, {}],
    ['on loopback by IPv6', 200, { localAddress: '::1', remoteAddress: '::1', host: '[::1]:10249' }],
    ['from another loopback address', 200, { localAddress: '127.0.0.1', remoteAddress: '127.0.0.53' }],
    [
      'from this node to an address of its own',
      200,
      { localAddress: '10.0.0.7', remoteAddress: '10.0.0.7', host: '10.0.0.7:10249' },
    ],
    ['from elsewhere', 403, afar],
    ['from elsewhere to loopback, which a router of this node may let through', 403, { remoteAddress: '198.51.100.9' }],
    ['from who knows where', 403, undefined],
    ['from elsewhere where everyone may', 200, afar, { bind: 'any' }],
    ['from elsewhere where that address is open', 200, afar, { bind: address('10.0.0.7') }],
    ['from elsewhere where another address is open', 403, afar, { bind: address('10.0.0.8') }],
    ['on loopback where an address is open', 200, {}, { bind: address('10.0.0.7') }],
    ['as localhost', 200, { host: 'LocalHost:10249' }],
    ['by the name of the node', 200, { host: 'node1:10249' }],
    ['by a name of the settings', 200, { host: 'proxy.example.org' }],
    ['by a name of others, which leads here', 421, { host: 'rebound.example.net:10249' }],
    ['by a name that begins as an allowed one', 421, { host: 'localhost.example.net' }],
    ['by a name of others where everyone may come', 421, { ...afar, host: 'rebound.example.net' }, { bind: 'any' }],
    ['without a name', 421, { host: undefined }],
    ['by what is no name', 421, { host: 'a@localhost:1:2' }],
    ['for itself', 200, { origin: 'http://127.0.0.1:10249' }],
    ['for a page of others', 403, { origin: 'http://evil.example' }],
    ['for a page of nobody', 403, { origin: 'null' }],
    ['for another port of this machine', 403, { origin: 'http://127.0.0.1:8080' }],
    ['for itself, as the browser says', 200, { fetchSite: 'same-origin' }],
    ['typed by hand', 200, { fetchSite: 'none' }],
  ]
  for (const [what, status, from, open] of cases) {
    it(`answer ${status} to a request ${what}`, async () => {
      for (const path of paths) assert.equal((await get(path, from, open)).status, status, path)
    })
  }

  it('may be linked from a page of others, but not read by it', async () => {
    assert.equal((await get('/', { fetchSite: 'cross-site' })).status, 200)
    assert.equal((await get('/switchyard/v1/status', { fetchSite: 'cross-site' })).status, 403)
    assert.equal((await get('/switchyard/v1/status', { fetchSite: 'same-site' })).status, 403)
  })

  it('say what to do', async () => {
    assert.match((await get('/', afar)).body, /only for who is on this node; `page\.bind` in switchyard\.conf opens it/)
    assert.match((await get('/', { host: 'x.example' })).body, /the host name "x\.example" is not answered .* `page\.hosts`/)
  })

  it('carry strict headers with every answer', async () => {
    for (const from of [{}, afar]) {
      const { headers } = await get('/switchyard/v1/status', from)
      assert.equal(headers?.['content-security-policy'], "default-src 'none'; frame-ancestors 'none'")
      assert.equal(headers?.['referrer-policy'], 'no-referrer')
      assert.equal(headers?.['cross-origin-resource-policy'], 'same-origin')
      assert.equal(headers?.['x-frame-options'], 'DENY')
    }
  })
})

it("kube-proxy's own paths are open to all, by every name", async () => {
  for (const path of ['/metrics', '/healthz', '/proxyMode', '/configz', '/statusz', '/flagz', '/switchyard']) {
    for (const from of [{ ...afar, host: 'prometheus.example' }, { origin: 'http://evil.example' }, undefined]) {
      const { status, headers } = await get(path, from)
      assert.equal(status, 200, path)
      assert.equal(headers?.['content-security-policy'], undefined)
    }
  }
})
