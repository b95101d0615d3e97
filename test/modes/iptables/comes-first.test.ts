// What others need to work at all is fed first: the API server and the cluster's DNS, while thousands of others follow.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { DispatchSetting } from '../../../src/model/node.ts'
import type { Protocol } from '../../../src/model/objects.ts'
import { othersDependOn, servicePorts } from '../../../src/model/service-port.ts'
import { address, endpoint, node, put, service, settings, slice } from '../../support/cluster.ts'
import { clusterOf } from '../../support/scenario.ts'
import { createHarness, linesOf } from '../../sync/support/harness.ts'
import { coldStart } from './support.ts'

const portOf = (protocol: Protocol, port: number) => ({ name: `${protocol}-${port}`, protocol, port, nodePort: 0 })
const kubernetes = service({ name: 'kubernetes', clusterIPs: [address('10.96.0.1')], ports: [portOf('TCP', 443)] })
const dns = service({
  namespace: 'kube-system',
  name: 'kube-dns',
  clusterIPs: [address('10.96.0.10')],
  ports: [portOf('UDP', 53), portOf('TCP', 53), portOf('TCP', 9153)],
})
const withPod = (owner: ReturnType<typeof service>, pod: string) => [
  owner,
  slice({
    service: `${owner.namespace}/${owner.name}`,
    name: `${owner.name}-abc`,
    ports: owner.ports.map(({ name, protocol }) => ({ name, protocol, port: 8080 })),
    endpoints: [endpoint(pod)],
  }),
]
const others = Array.from({ length: 600 }, (_, number) =>
  withPod(
    service({ name: `web-${number}`, clusterIPs: [address(`10.${97 + (number % 5)}.${1 + (number >> 8)}.${number & 255}`)] }),
    `10.244.${1 + (number >> 8)}.${number & 255}`,
  ),
).flat()
const objects = [...others, ...withPod(kubernetes, '10.200.1.1'), ...withPod(dns, '10.244.0.2')]

const natBlocks = (text: string): readonly string[] =>
  text.split(/^COMMIT$/m).filter(block => block.trimStart().startsWith('*nat'))
const linesAbout = (block: string, name: string): readonly string[] => block.split('\n').filter(line => line.includes(name))

describe('the Services that others depend on', () => {
  const rows = [
    { is: true, service: kubernetes },
    { is: true, service: dns },
    { is: true, service: { ...dns, name: 'coredns' as typeof dns.name } },
    { is: false, service: { ...dns, namespace: 'default' as typeof dns.namespace } },
    { is: false, service: { ...dns, ports: [portOf('TCP', 53)] } },
    { is: false, service: { ...kubernetes, namespace: 'team' as typeof dns.namespace } },
    { is: false, service: service() },
  ]
  for (const { is, service: of } of rows) {
    const ports = of.ports.map(({ name }) => name).join(' ')
    it(`${is ? 'are' : 'are not'} ${of.namespace}/${of.name} ${ports}`, () => {
      assert.equal(othersDependOn(servicePorts(of, 'IPv4')), is)
    })
  }
})

describe('a cold start in several blocks', () => {
  for (const dispatch of ['linear', 'bucketed'] as const satisfies readonly DispatchSetting[]) {
    it(`has all that leads to them in the first, hooks and masquerading too, and nothing of it later (${dispatch})`, () => {
      const text = coldStart({ cluster: clusterOf(objects), node, settings: { ...settings, dispatch }, family: 'IPv4' })
      const [first = '', ...later] = natBlocks(text)
      assert.ok(later.length > 5)
      for (const name of ['default/kubernetes', 'kube-system/kube-dns']) {
        assert.ok(linesAbout(first, `"${name}:`).some(line => line.includes('cluster IP') && line.startsWith('-I KUBE-S')))
        for (const block of later) assert.deepEqual(linesAbout(block, `"${name}:`), [])
      }
      for (const part of [
        '-A KUBE-MARK-MASQ -j MARK',
        '-j MASQUERADE',
        '-j DNAT --to-destination 10.244.0.2:8080',
        '-I PREROUTING ',
        '-I OUTPUT ',
        '-I POSTROUTING ',
        '-j KUBE-NODEPORTS',
      ]) {
        assert.ok(first.includes(part), part)
        for (const block of later) assert.ok(!(part.startsWith('-I') && block.includes(part)), part)
      }
      // What leads to the others comes when all of these are there.
      assert.deepEqual(linesAbout(first, 'default/web-'), [])
      for (const block of later.slice(0, -1)) assert.doesNotMatch(block, /cluster IP" -m tcp --dport 80 -j KUBE-SVC-/)
      assert.equal(linesAbout(later.at(-1) ?? '', 'cluster IP" -m tcp --dport 80 -j KUBE-SVC-').length, 600)
    })
  }

  it('goes on in small blocks where it was cut short: little is led to by then', async () => {
    const harness = createHarness()
    const grown = objects.map(object =>
      object.kind === 'Service'
        ? object
        : { ...object, endpoints: [...object.endpoints, ...[1, 2, 3, 4].map(pod => endpoint(`10.245.0.${pod}`))] },
    )
    harness.change(...grown.map(put))
    // Chains are made in the order of addresses, two thirds of them before this one.
    harness.kernel.refuses = line => (line.includes('default/web-398') ? 'line' : undefined)
    harness.kernel.before = ([tool]) => {
      if (tool?.endsWith('-restore') && harness.kernel.restores.length > 0) harness.kernel.fails = () => 'busy'
    }
    await assert.rejects(harness.pass())
    assert.ok(harness.kernel.chains('nat').length > 2000)
    harness.kernel.refuses = () => undefined
    harness.kernel.before = () => {}
    harness.kernel.fails = () => undefined
    const from = harness.kernel.restores.length
    await harness.pass()
    const blocks = natBlocks(harness.kernel.restores.slice(from).join('\n'))
    const sizes = blocks.map(block => linesOf(block).filter(line => /^:KUBE-(SVC|SEP)-[A-Z2-7]{16} /.test(line)).length)
    assert.ok(sizes.length > 5 && Math.max(...sizes) <= 100, `${sizes}`)
  })

  it('is not led to earlier than it is whole where something stands there already', async () => {
    const harness = createHarness()
    await harness.programmed(put(service({ name: 'old' })), put(slice({ service: 'old', endpoints: [endpoint('10.244.9.9')] })))
    const again = createHarness({ kernel: harness.kernel })
    const lines = await again.programmed(...objects.map(put))
    const [first = '', ...later] = natBlocks(lines.join('\n'))
    assert.ok(linesOf(first).some(line => line.includes('--to-destination 10.244.0.2:8080')))
    assert.doesNotMatch(first, /^-[IA] KUBE-SERVICES /m)
    assert.equal(linesAbout(later.join('\n'), '"kube-system/kube-dns:UDP-53 cluster IP"').length, 1)
    const restarted = again.restarted()
    restarted.sync.markDirty('everything')
    assert.equal((await restarted.pass()).lines, 0)
  })
})
