// What surrounds the kinds: documents that are no objects, other kinds, lists, Nodes, the golden objects, memory.
import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { parseAllDocuments } from 'yaml'
import type { Node } from '../../../src/model/objects.ts'
import { type DecodeResult, decodeObject, expandList, problemText, sameObject } from '../../../src/source/decode.ts'
import { decoded, type Raw, rawNode, rawService, rawSlice } from '../support/objects.ts'

const golden = new URL('../../golden/', import.meta.url)

describe('a document that is no object is refused', () => {
  const rows: readonly { value: unknown; problem: RegExp; name: string }[] = [
    { value: 'hello', problem: /^the object is "hello"; expected a Kubernetes object$/, name: 'a document' },
    { value: null, problem: /^the object is null;/, name: 'a document' },
    { value: [rawService()], problem: /^the object is a list;/, name: 'a document' },
    { value: {}, problem: /^kind is missing;/, name: 'object without a name' },
    { value: { kind: 7 }, problem: /^kind is 7;/, name: 'object without a name' },
    { value: { kind: 'Service', metadata: { name: 'web' } }, problem: /^apiVersion is missing;/, name: 'Service web' },
    {
      value: { kind: 'Service', apiVersion: 1, metadata: { name: 'web', namespace: 'shop' } },
      problem: /^apiVersion is 1;/,
      name: 'Service shop/web',
    },
    { value: { kind: 'A\nB', metadata: { name: 'x\ny' } }, problem: /^apiVersion is missing;/, name: '"A\\nB" "x\\ny"' },
  ]
  for (const { value, problem, name } of rows) {
    it(JSON.stringify(value), () => {
      const result = decodeObject(value)
      assert.ok(result.outcome === 'refused')
      assert.match(problemText(result.error), problem)
      assert.equal(result.id, undefined)
      assert.equal(result.name, name)
    })
  }
})

describe('another kind is ignored, with what to do about it', () => {
  const rows: readonly { apiVersion: string; kind: string; severity: string; advice: RegExp }[] = [
    { apiVersion: 'apps/v1', kind: 'Deployment', severity: 'info', advice: /Nothing to do/ },
    { apiVersion: 'v1', kind: 'Endpoints', severity: 'warning', advice: /EndpointSlices/ },
    { apiVersion: 'serving.knative.dev/v1', kind: 'Service', severity: 'info', advice: /followed in v1 only/ },
    {
      apiVersion: 'discovery.k8s.io/v1beta1',
      kind: 'EndpointSlice',
      severity: 'info',
      advice: /followed in discovery\.k8s\.io\/v1 only/,
    },
    { apiVersion: 'v1', kind: 'List', severity: 'warning', advice: /no List inside a List/ },
    { apiVersion: 'v1', kind: 'constructor', severity: 'info', advice: /Nothing to do/ },
  ]
  for (const { apiVersion, kind, severity, advice } of rows) {
    it(`${kind} of ${apiVersion}`, () => {
      const result = decodeObject({ apiVersion, kind, metadata: { name: 'web' } })
      assert.ok(result.outcome === 'ignored')
      assert.equal(result.why.notFollowed, 'kind')
      assert.equal(result.why.severity, severity)
      assert.equal(result.why.reason, `${kind} (${apiVersion}) is not followed`)
      assert.match(result.why.advice, advice)
    })
  }
})

describe('a list', () => {
  const outcomes = (list: Raw): readonly DecodeResult['outcome'][] =>
    expandList(list).map(({ value, type }) => decodeObject(value, type).outcome)

  it('of mixed kinds holds objects that say what they are', () => {
    assert.deepEqual(
      outcomes({ apiVersion: 'v1', kind: 'List', items: [rawService(), rawSlice(), { kind: 'Pod', apiVersion: 'v1' }] }),
      ['decoded', 'decoded', 'ignored'],
    )
  })

  it('of one kind holds objects that are of that kind, as an API server sends them', () => {
    const { apiVersion: _version, kind: _kind, ...item } = rawSlice()
    assert.deepEqual(outcomes({ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSliceList', metadata: {}, items: [item] }), [
      'decoded',
    ])
  })

  it('of mixed kinds does not say what its items are', () => {
    const { kind: _kind, ...item } = rawService()
    assert.deepEqual(outcomes({ apiVersion: 'v1', kind: 'List', items: [item] }), ['refused'])
  })

  it('may be empty', () => {
    assert.deepEqual(outcomes({ apiVersion: 'v1', kind: 'ServiceList', items: null }), [])
    assert.deepEqual(outcomes({ apiVersion: 'v1', kind: 'List', items: [] }), [])
  })

  it('is told from an object whose kind ends like a list', () => {
    assert.deepEqual(expandList({ apiVersion: 'example.com/v1', kind: 'AllowList', spec: {} }).length, 1)
  })

  it('without items is an object of another kind', () => {
    assert.deepEqual(outcomes({ apiVersion: 'v1', kind: 'List' }), ['ignored'])
  })
})

describe('a Node', () => {
  it('has its internal addresses first, then the external ones', () => {
    const addresses = [
      { type: 'ExternalIP', address: '192.0.2.1' },
      { type: 'Hostname', address: 'node1' },
      { type: 'InternalIP', address: '10.200.1.2' },
      { type: 'InternalIP', address: 'fd00:200:1::2' },
    ]
    const node = decoded(rawNode({ status: { addresses } })) as Node
    assert.deepEqual(node.addresses, ['10.200.1.2', 'fd00:200:1::2', '192.0.2.1'])
  })

  it('has a zone, pod ranges, taints, and a time of deletion', () => {
    const node = decoded(
      rawNode({
        metadata: { labels: { 'topology.kubernetes.io/zone': 'zone-a' }, deletionTimestamp: '2026-11-20T23:31:30Z' },
        spec: {
          podCIDR: '10.244.1.0/24',
          podCIDRs: ['10.244.1.0/24', 'fd00:10:244:1::/64'],
          taints: [{ key: 'ToBeDeletedByClusterAutoscaler', effect: 'NoSchedule' }, null],
        },
      }),
    )
    assert.deepEqual(node, {
      kind: 'Node',
      name: 'node1',
      uid: 'uid-of-node1',
      zone: 'zone-a',
      addresses: ['10.200.1.2'],
      podCidrs: ['10.244.1.0/24', 'fd00:10:244:1::/64'],
      deleting: true,
      taints: ['ToBeDeletedByClusterAutoscaler'],
    })
  })

  it('takes podCIDR where podCIDRs is absent', () => {
    assert.deepEqual((decoded(rawNode({ spec: { podCIDR: '10.244.1.0/24' } })) as Node).podCidrs, ['10.244.1.0/24'])
  })

  it('stays without what is wrong in it', () => {
    const result = decodeObject(
      rawNode({ spec: { podCIDRs: ['10.244.1.0/24', 'x'] }, status: { addresses: [{ type: 'InternalIP', address: 'x' }, 7] } }),
    )
    assert.ok(result.outcome === 'decoded' && result.object.kind === 'Node')
    assert.deepEqual([result.object.addresses, result.object.podCidrs], [[], ['10.244.1.0/24']])
    assert.deepEqual(result.warnings.map(({ path }) => path).sort(), ['spec.podCIDRs[1]', 'status.addresses[0].address'])
  })

  it('needs a name', () => {
    const result = decodeObject(rawNode({ metadata: { name: 'node 1' } }))
    assert.ok(result.outcome === 'refused')
    assert.match(problemText(result.error), /^metadata\.name is "node 1"; expected a DNS subdomain/)
  })
})

describe('the objects that a real API server returned', async () => {
  const scenarios = (await readdir(golden, { withFileTypes: true }))
    .filter(entry => entry.isDirectory())
    .map(entry => `${entry.name}/objects.yaml`)
  assert.ok(scenarios.length > 40)
  for (const file of [...scenarios, 'cluster.yaml']) {
    it(`of ${file} decode without a warning`, async () => {
      const text = await readFile(new URL(file, golden), 'utf8')
      const results = parseAllDocuments(text).map(document => decodeObject(document.toJS()))
      assert.equal(results.length, [...text.matchAll(/^kind: /gm)].length)
      for (const result of results) {
        const ignored = result.outcome === 'ignored' && result.name === 'EndpointSlice golden/headless-marked-b'
        assert.ok(ignored || (result.outcome === 'decoded' && result.warnings.length === 0), JSON.stringify(result))
      }
      const endpoints = results.flatMap(result =>
        result.outcome === 'decoded' && result.object.kind === 'EndpointSlice' ? result.object.endpoints : [],
      )
      const ignoredOnes = file === 'not-proxied/objects.yaml' ? 1 : 0
      assert.equal(endpoints.length + ignoredOnes, [...text.matchAll(/^ {2}- addresses:/gm)].length)
    })
  }
})

describe('a decoded object', () => {
  it('is equal to itself decoded again, and to nothing that differs', () => {
    assert.ok(sameObject(decoded(rawSlice()), decoded(rawSlice())))
    const others = [
      rawSlice({ endpoints: [] }),
      rawSlice({}, { uid: 'other' }),
      rawSlice({ ports: [{ port: 81 }] }),
      rawService(),
    ]
    for (const other of others) assert.ok(!sameObject(decoded(rawSlice()), decoded(other)))
    assert.ok(!sameObject({ a: 1, b: undefined }, { a: 1, c: undefined }))
    assert.ok(!sameObject([1], { 0: 1 }))
  })

  it('does not keep the text alive that it was cut from', () => {
    setFlagsFromString('--expose-gc')
    const collect: () => void = runInNewContext('gc')
    const megabytes = 40
    const heldBy = (keep: (raw: Raw) => unknown): number => {
      collect()
      const before = process.memoryUsage().heapUsed
      const kept = Array.from({ length: megabytes }, (_, index) => keep(cutFromLargeText(index)))
      collect()
      const held = process.memoryUsage().heapUsed - before
      assert.equal(kept.length, megabytes)
      return held / 1e6
    }
    assert.ok(heldBy(raw => raw) > megabytes / 2, 'the raw objects of this test do hold their texts')
    assert.ok(heldBy(raw => decodeObject(raw)) < megabytes / 4)
  })
})

/** A slice and a Service in one, whose every text is a part of a text of 1 MB. */
function cutFromLargeText(index: number): Raw {
  const texts = [
    'slice-with-a-long-name',
    'namespace-with-a-long-name',
    'uid-with-many-characters',
    'service-with-a-long-name',
    '10.244.123.111',
    'port-with-a-long-name',
    'node-with-a-long-name',
    'zone-with-a-long-name',
  ]
  const large = `${texts.join('|')}|${String(index).padEnd(1e6, 'x')}`
  Number(large) // makes one flat text of the parts
  const [name, namespace, uid, service, address, port, node, zone] = large.split('|', texts.length)
  return rawSlice(
    {
      ports: [{ name: port, port: 80 }],
      endpoints: [{ addresses: [address], nodeName: node, hints: { forZones: [{ name: zone }] } }],
    },
    { name, namespace, uid, labels: { 'kubernetes.io/service-name': service } },
  )
}
