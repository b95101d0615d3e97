// EndpointSlices: conditions and their defaults, bad endpoints beside good ones, slices that no proxy uses.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { EndpointSlice, SliceEndpoint } from '../../../src/model/objects.ts'
import { decodeObject, problemText } from '../../../src/source/decode.ts'
import { type Raw, rawSlice } from '../support/objects.ts'

function decode(raw: Raw): { slice: EndpointSlice; warnings: readonly string[] } {
  const result = decodeObject(raw)
  assert.ok(result.outcome === 'decoded' && result.object.kind === 'EndpointSlice', JSON.stringify(result))
  return { slice: result.object, warnings: result.warnings.map(problemText) }
}

const good = { addresses: ['10.244.1.99'] }

describe('an EndpointSlice', () => {
  it('takes the documented defaults for everything that is absent', () => {
    const { slice, warnings } = decode({
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: 'web.abc', labels: { 'kubernetes.io/service-name': 'web' } },
      addressType: 'IPv4',
      endpoints: [{ addresses: ['10.244.1.11', '10.244.1.12'] }],
      ports: [{ port: 8080 }],
    })
    assert.deepEqual(slice, {
      kind: 'EndpointSlice',
      namespace: 'default',
      name: 'web.abc',
      uid: '',
      service: 'default/web',
      family: 'IPv4',
      ports: [{ name: '', protocol: 'TCP', port: 8080 }],
      endpoints: [
        {
          address: '10.244.1.11',
          ready: true,
          serving: true,
          terminating: false,
          nodeName: undefined,
          podName: undefined,
          zoneHints: undefined,
          nodeHints: undefined,
        },
      ],
      lastChangeTriggerTime: undefined,
    })
    assert.deepEqual(warnings, [])
  })

  it('may have no endpoints and no ports', () => {
    const { slice } = decode(rawSlice({ endpoints: null, ports: null }))
    assert.deepEqual([slice.endpoints, slice.ports], [[], []])
  })

  const conditions: readonly { given: Raw | null; expect: readonly [ready: boolean, serving: boolean, terminating: boolean] }[] =
    [
      { given: null, expect: [true, true, false] },
      { given: {}, expect: [true, true, false] },
      { given: { ready: null, serving: null, terminating: null }, expect: [true, true, false] },
      { given: { ready: false }, expect: [false, false, false] },
      { given: { ready: false, serving: true, terminating: true }, expect: [false, true, true] },
      { given: { ready: true, serving: false }, expect: [true, false, false] },
    ]
  for (const { given, expect } of conditions) {
    it(`reads the conditions ${JSON.stringify(given)} as ready, serving, terminating = ${expect.join(', ')}`, () => {
      const [endpoint] = decode(rawSlice({ endpoints: [{ ...good, conditions: given }] })).slice.endpoints
      assert.deepEqual([endpoint?.ready, endpoint?.serving, endpoint?.terminating], expect)
    })
  }

  it('keeps node, zone hints and node hints of its endpoints', () => {
    const endpoint = {
      ...good,
      nodeName: 'node1.example.com',
      targetRef: { kind: 'Pod', name: 'web-1' },
      hints: { forZones: [{ name: 'a' }, { name: 'b' }], forNodes: [{ name: 'node1' }] },
    }
    const [decoded] = decode(rawSlice({ endpoints: [endpoint] })).slice.endpoints
    assert.deepEqual([decoded?.nodeName, decoded?.podName], ['node1.example.com', 'web-1'])
    assert.deepEqual([decoded?.zoneHints, decoded?.nodeHints], [['a', 'b'], ['node1']])
  })

  it('has no hints where their lists are empty', () => {
    const [decoded] = decode(rawSlice({ endpoints: [{ ...good, hints: { forZones: [], forNodes: null } }] })).slice.endpoints
    assert.deepEqual([decoded?.zoneHints, decoded?.nodeHints], [undefined, undefined])
  })

  const times: readonly { given: string; expect: number | undefined }[] = [
    { given: '2026-11-20T23:31:30Z', expect: Date.UTC(2026, 10, 20, 23, 31, 30) },
    { given: '2026-11-20T23:31:30.25Z', expect: Date.UTC(2026, 10, 20, 23, 31, 30, 250) },
    { given: 'yesterday', expect: undefined },
    { given: '2026-99-20T23:31:30Z', expect: undefined },
  ]
  for (const { given, expect } of times) {
    it(`reads the trigger time ${given} as ${expect}`, () => {
      const annotations = { 'endpoints.kubernetes.io/last-change-trigger-time': given }
      assert.equal(decode(rawSlice({}, { annotations })).slice.lastChangeTriggerTime, expect)
    })
  }
})

describe('a bad endpoint is left out and its neighbours stay', () => {
  const rows: readonly { title: string; endpoint: unknown; warning: RegExp }[] = [
    {
      title: 'a host name',
      endpoint: { addresses: ['example.com'] },
      warning: /^endpoints\[1\]\.addresses\[0\] is "example\.com"; expected an IPv4 or IPv6 address/,
    },
    {
      title: 'an address with a newline',
      endpoint: { addresses: ['10.0.0.1\n'] },
      warning: /^endpoints\[1\]\.addresses\[0\] is "10\.0\.0\.1\\n"/,
    },
    {
      title: 'an address of the other family',
      endpoint: { addresses: ['fd00::1'] },
      warning: /^endpoints\[1\]\.addresses\[0\] is "fd00::1"; expected an IPv4 address, as addressType says$/,
    },
    { title: 'loopback', endpoint: { addresses: ['127.0.0.1'] }, warning: /not loopback$/ },
    { title: 'link-local', endpoint: { addresses: ['169.254.0.1'] }, warning: /not link-local$/ },
    { title: 'multicast', endpoint: { addresses: ['239.1.1.1'] }, warning: /not multicast$/ },
    { title: 'broadcast', endpoint: { addresses: ['255.255.255.255'] }, warning: /not multicast$/ },
    { title: 'the unspecified address', endpoint: { addresses: ['0.0.0.0'] }, warning: /not unspecified$/ },
    { title: 'no addresses', endpoint: { addresses: [] }, warning: /^endpoints\[1\]\.addresses is missing;/ },
    {
      title: 'addresses that are absent',
      endpoint: {},
      warning: /^endpoints\[1\]\.addresses is missing; expected a list of addresses$/,
    },
    {
      title: 'text for addresses',
      endpoint: { addresses: '10.0.0.1' },
      warning: /^endpoints\[1\]\.addresses is "10\.0\.0\.1"; expected a list of addresses$/,
    },
    { title: 'a number', endpoint: { addresses: [7] }, warning: /^endpoints\[1\]\.addresses\[0\] is 7;/ },
    { title: 'null', endpoint: null, warning: /^endpoints\[1\] is null; expected an endpoint with addresses$/ },
    {
      title: 'text for conditions',
      endpoint: { addresses: ['10.0.0.1'], conditions: 'ready' },
      warning: /^endpoints\[1\]\.conditions is "ready"/,
    },
    {
      title: 'text for ready',
      endpoint: { addresses: ['10.0.0.1'], conditions: { ready: 'false' } },
      warning: /^endpoints\[1\]\.conditions\.ready is "false"; expected true or false$/,
    },
    {
      title: 'a number for serving',
      endpoint: { addresses: ['10.0.0.1'], conditions: { serving: 1 } },
      warning: /^endpoints\[1\]\.conditions\.serving is 1;/,
    },
    {
      title: 'a list for terminating',
      endpoint: { addresses: ['10.0.0.1'], conditions: { terminating: [] } },
      warning: /^endpoints\[1\]\.conditions\.terminating is a list;/,
    },
  ]
  for (const { title, endpoint, warning } of rows) {
    it(title, () => {
      const { slice, warnings } = decode(rawSlice({ endpoints: [good, endpoint, { addresses: ['10.244.1.98'] }] }))
      assert.deepEqual(
        slice.endpoints.map(({ address }) => address),
        ['10.244.1.99', '10.244.1.98'],
      )
      assert.equal(warnings.length, 1, warnings.join('\n'))
      assert.match(warnings[0] ?? '', warning)
    })
  }

  it('reads IPv6 special addresses as such, and only those', () => {
    const addresses = ['fd00::1', '::1', '::', 'fe80::1', 'ff02::1', 'fe8::1', 'ff::1', '::ffff:10.0.0.1']
    const { slice, warnings } = decode(
      rawSlice({ addressType: 'IPv6', endpoints: addresses.map(address => ({ addresses: [address] })) }),
    )
    assert.deepEqual(
      slice.endpoints.map(({ address }) => address),
      ['fd00::1', 'fe8::1', 'ff::1'],
    )
    assert.equal(warnings.length, 5)
  })

  it('names the first five and counts the rest', () => {
    const { slice, warnings } = decode(
      rawSlice({ endpoints: [good, ...Array.from({ length: 100 }, () => ({ addresses: ['x'] }))] }),
    )
    assert.equal(slice.endpoints.length, 1)
    assert.equal(warnings.length, 6)
    assert.match(warnings[5] ?? '', /wrong in 95 more places/)
  })

  const kept: readonly { title: string; endpoint: Raw; expect: Partial<SliceEndpoint>; warning: RegExp }[] = [
    {
      title: 'a bad node name makes it local to no node',
      endpoint: { ...good, nodeName: 'Node 1' },
      expect: { nodeName: undefined },
      warning: /^endpoints\[0\]\.nodeName is "Node 1"; expected a DNS subdomain/,
    },
    {
      title: 'bad zone hints are not used',
      endpoint: { ...good, hints: { forZones: [{ zone: 'a' }] } },
      expect: { zoneHints: undefined },
      warning: /^endpoints\[0\]\.hints\.forZones is a list; expected a list of objects with a name$/,
    },
    {
      title: 'bad node hints are not used',
      endpoint: { ...good, hints: { forNodes: 'node1' } },
      expect: { nodeHints: undefined },
      warning: /^endpoints\[0\]\.hints\.forNodes is "node1"/,
    },
  ]
  for (const { title, endpoint, expect, warning } of kept) {
    it(title, () => {
      const { slice, warnings } = decode(rawSlice({ endpoints: [endpoint] }))
      const [decoded] = slice.endpoints
      assert.equal(decoded?.address, '10.244.1.99')
      for (const [field, value] of Object.entries(expect)) assert.equal(decoded?.[field as keyof SliceEndpoint], value)
      assert.match(warnings.join('\n'), warning)
    })
  }

  it('leaves out a port without a number, which means all ports', () => {
    const { slice, warnings } = decode(rawSlice({ ports: [{ name: 'any' }, { name: 'http', port: 8080 }] }))
    assert.deepEqual(slice.ports, [{ name: 'http', protocol: 'TCP', port: 8080 }])
    assert.match(warnings.join('\n'), /^ports\[0\]\.port is missing; expected a port number$/)
  })
})

describe('an EndpointSlice that would take traffic away is refused', () => {
  const rows: readonly { title: string; raw: Raw; problem: RegExp }[] = [
    {
      title: 'with none of its endpoints usable',
      raw: rawSlice({ addressType: 'IPv6' }),
      problem: /^endpoints\[0\]\.addresses\[0\] is "10\.244\.1\.11"; expected an IPv6 address/,
    },
    {
      title: 'with no address type',
      raw: rawSlice({ addressType: undefined }),
      problem: /^addressType is missing; expected IPv4, IPv6 or FQDN$/,
    },
    { title: 'with an unknown address type', raw: rawSlice({ addressType: 'IP' }), problem: /^addressType is "IP"/ },
    {
      title: 'with a bad name',
      raw: rawSlice({}, { name: 'web_abc' }),
      problem: /^metadata\.name is "web_abc"; expected a DNS subdomain/,
    },
    {
      title: 'with a bad Service name',
      raw: rawSlice({}, { labels: { 'kubernetes.io/service-name': 'Web' } }),
      problem: /^metadata\.labels\["kubernetes\.io\/service-name"\] is "Web"/,
    },
    { title: 'with a bad port', raw: rawSlice({ ports: [{ port: 99999 }] }), problem: /^ports\[0\]\.port is 99999;/ },
    {
      title: 'with a bad port name',
      raw: rawSlice({ ports: [{ name: 'HTTP', port: 80 }] }),
      problem: /^ports\[0\]\.name is "HTTP"/,
    },
    {
      title: 'with one port name twice',
      raw: rawSlice({
        ports: [
          { name: 'a', port: 80 },
          { name: 'a', port: 81 },
        ],
      }),
      problem: /^ports\[1\]\.name is "a"; expected a name of its own$/,
    },
    {
      title: 'with an unknown protocol',
      raw: rawSlice({ ports: [{ port: 80, protocol: 'HTTP' }] }),
      problem: /^ports\[0\]\.protocol is "HTTP"/,
    },
    {
      title: 'with an object for endpoints',
      raw: rawSlice({ endpoints: {} }),
      problem: /^endpoints is an object; expected a list$/,
    },
  ]
  for (const { title, raw, problem } of rows) {
    it(title, () => {
      const result = decodeObject(raw)
      assert.ok(result.outcome === 'refused', JSON.stringify(result))
      assert.match(problemText(result.error), problem)
    })
  }
})

describe('an EndpointSlice that no proxy uses is ignored by name', () => {
  const service = { 'kubernetes.io/service-name': 'web' }
  const rows: readonly { title: string; raw: Raw; reason: RegExp }[] = [
    {
      title: 'of host names',
      raw: rawSlice({ addressType: 'FQDN', endpoints: [{ addresses: ['example.com'] }] }),
      reason: /FQDN/,
    },
    {
      title: 'of a headless Service',
      raw: rawSlice({}, { labels: { ...service, 'service.kubernetes.io/headless': '' } }),
      reason: /service\.kubernetes\.io\/headless/,
    },
    { title: 'of no Service', raw: rawSlice({}, { labels: undefined }), reason: /no label kubernetes\.io\/service-name/ },
    {
      title: 'of a Service without a name',
      raw: rawSlice({}, { labels: { 'kubernetes.io/service-name': '' } }),
      reason: /no label kubernetes\.io\/service-name/,
    },
  ]
  for (const { title, raw, reason } of rows) {
    it(title, () => {
      const result = decodeObject(raw)
      assert.ok(result.outcome === 'ignored', JSON.stringify(result))
      assert.equal(result.id, 'EndpointSlice default/web-abc')
      assert.equal(result.why.notFollowed, 'object')
      assert.match(result.why.reason, reason)
    })
  }
})
