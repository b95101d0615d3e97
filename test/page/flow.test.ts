// A port of a Service → what its picture says, and where that stands.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { EndpointDetail, ServicePortDetail } from '../../src/explain/services-object.ts'
import { flowOf } from '../../src/page/client/flow.ts'
import { type Layout, mostDrawn, wideLayout } from '../../src/page/client/layout.ts'
import { narrowLayout } from '../../src/page/client/narrow-layout.ts'
import { webPort } from '../support/page/objects.ts'

describe('a flow', () => {
  it('has each outcome of an address once, with those who meet it', () => {
    const { clients, addresses, outcomes } = flowOf(webPort)
    assert.deepEqual(clients, ['pod', 'node', 'outside'])
    assert.deepEqual(outcomes, ['Cluster', 'Local'])
    assert.deepEqual(
      addresses.map(({ fates }) => fates),
      [
        [{ outcome: 'Cluster', clients: ['pod', 'node', 'outside'] }],
        ...[1, 2].map(() => [
          { outcome: 'Cluster', clients: ['pod', 'node'] },
          { outcome: 'Local', clients: ['outside'] },
        ]),
      ],
    )
  })

  it('parts endpoints that get connections from those that do not, with one reason where both policies give the same', () => {
    const { chosen, others } = flowOf(webPort)
    assert.deepEqual(
      chosen.map(({ shares, reasons }) => [shares.map(({ policy }) => policy), reasons]),
      [
        [['Cluster', 'Local'], []],
        [['Cluster'], ['not under Local: on another node']],
        [['Cluster'], ['not under Local: on another node']],
      ],
    )
    assert.deepEqual(
      others.map(({ reasons }) => reasons),
      [['not ready'], ['terminating, and there are ready endpoints'], ['hinted to zone b, this node is in zone a']],
    )
  })

  it('names both policies where their reasons differ', () => {
    const [one] = webPort.endpoints
    assert.ok(one !== undefined)
    const endpoint: EndpointDetail = {
      ...one,
      cluster: { share: 0, reason: 'other zone' },
      localPolicy: { share: 0, reason: 'on another node' },
    }
    const { others } = flowOf({ ...webPort, endpoints: [endpoint] })
    assert.deepEqual(others[0]?.reasons, ['not under Cluster: other zone', 'not under Local: on another node'])
  })

  it('leaves out what a policy says that nobody meets', () => {
    const addresses = webPort.addresses.slice(0, 1)
    const { outcomes, chosen } = flowOf({ ...webPort, addresses })
    assert.deepEqual(outcomes, ['Cluster'])
    assert.deepEqual(chosen[0]?.shares, [{ policy: 'Cluster', share: 1 / 3 }])
    assert.deepEqual(chosen[1]?.reasons, [])
  })

  it('is nothing for a port without addresses and endpoints', () => {
    const empty = { clients: [], addresses: [], outcomes: [], chosen: [], others: [] }
    assert.deepEqual(flowOf({ ...webPort, addresses: [], endpoints: [] }), empty)
  })
})

const large: ServicePortDetail = {
  ...webPort,
  endpoints: Array.from({ length: 1000 }, (_, number): EndpointDetail => {
    const [one] = webPort.endpoints
    assert.ok(one !== undefined)
    const chance = number % 2 === 0 ? { share: 1 / 500, reason: null } : { share: 0, reason: 'not ready' }
    return {
      ...one,
      endpoint: `10.244.${number >> 8}.${number & 255}:8080`,
      pod: 'x'.repeat(253),
      cluster: chance,
      localPolicy: null,
    }
  }),
}

const layouts: readonly (readonly [string, (port: ServicePortDetail) => Layout])[] = [
  ['900 wide', port => wideLayout(flowOf(port), 900)],
  ['1206 wide', port => wideLayout(flowOf(port), 1206)],
  ['2000 wide', port => wideLayout(flowOf(port), 2000)],
  ['310 wide', port => narrowLayout(flowOf(port), 310)],
  ['899 wide', port => narrowLayout(flowOf(port), 899)],
]

describe('a layout', () => {
  for (const [what, layout] of layouts) {
    for (const [which, port] of [
      ['a Service', webPort],
      ['one of 1,000 endpoints', large],
      ['one without any', { ...webPort, endpoints: [] }],
      ['one without addresses', { ...webPort, addresses: [] }],
    ] as const) {
      it(`${what} has no box over another, and all within, for ${which}`, () => {
        const { width, height, boxes } = layout(port)
        for (const [index, box] of boxes.entries()) {
          assert.ok(box.x >= 0 && box.x + box.width <= width + 0.01 && box.y + box.height <= height + 0.01, JSON.stringify(box))
          for (const other of boxes.slice(index + 1)) {
            const apart =
              box.x + box.width <= other.x ||
              other.x + other.width <= box.x ||
              box.y + box.height <= other.y ||
              other.y + other.height <= box.y
            assert.ok(apart, `${box.full} and ${other.full}`)
          }
        }
      })
    }
    it(`${what} draws a bounded number of endpoints, says how many more there are, and shortens long names`, () => {
      const { boxes, labels } = layout(large)
      const drawn = boxes.filter(({ kind }) => kind === 'endpoint')
      assert.equal(drawn.length, mostDrawn)
      assert.ok(labels.some(({ text }) => text === `and ${500 - mostDrawn} more (below)`))
      for (const { lines, full } of drawn) {
        assert.ok(lines.every(line => line.length < 140))
        assert.ok(full.includes('x'.repeat(253)))
      }
    })
  }
})
