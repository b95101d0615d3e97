import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { checkHosts, type Host, type OpenPort, planPorts } from '../../src/health/port-plan.ts'
import { type IpFamily, ipFamilies } from '../../src/model/address.ts'
import type { TrafficSettings } from '../../src/model/node.ts'
import type { ServiceKey } from '../../src/model/objects.ts'
import { address, cidr, node, settings } from '../support/cluster.ts'

const a = 'default/a' as ServiceKey
const b = 'default/b' as ServiceKey
const any: readonly Host[] = ['any']

function plan(current: Readonly<Record<string, number>>, wanted: Readonly<Record<string, number>>, hosts = any) {
  const open = Object.entries(current).map(([key, port]): [ServiceKey, OpenPort] => [key as ServiceKey, { port, hosts: any }])
  const toBe = Object.entries(wanted).map(([key, port]): [ServiceKey, { port: number }] => [key as ServiceKey, { port }])
  return planPorts({ current: new Map(open), wanted: new Map(toBe), hosts })
}

describe('which ports to close and to open', () => {
  it('nothing where all is as wanted', () => assert.deepEqual(plan({ [a]: 1 }, { [a]: 1 }), { close: [], open: [] }))
  it('a new one is opened', () => assert.deepEqual(plan({}, { [a]: 1 }), { close: [], open: [{ service: a, port: 1 }] }))
  it('one that nobody wants is closed', () => assert.deepEqual(plan({ [a]: 1 }, {}), { close: [a], open: [] }))
  it('another number is closed and opened', () =>
    assert.deepEqual(plan({ [a]: 1 }, { [a]: 2 }), { close: [a], open: [{ service: a, port: 2 }] }))
  it('a number that goes from one Service to another', () =>
    assert.deepEqual(plan({ [a]: 1 }, { [b]: 1 }), { close: [a], open: [{ service: b, port: 1 }] }))
  it('two that change numbers', () =>
    assert.deepEqual(plan({ [a]: 1, [b]: 2 }, { [a]: 2, [b]: 1 }), {
      close: [a, b],
      open: [
        { service: a, port: 2 },
        { service: b, port: 1 },
      ],
    }))
  it('other addresses', () =>
    assert.deepEqual(plan({ [a]: 1 }, { [a]: 1 }, ['any IPv4']), { close: [a], open: [{ service: a, port: 1 }] }))

  it('whatever there was and is to be: afterwards it is so, and what was right was left alone', () => {
    const ports = fc.dictionary(fc.constantFrom(a, b, 'x/c', 'x/d'), fc.integer({ min: 1, max: 4 }))
    fc.assert(
      fc.property(ports, ports, (current, wanted) => {
        const { close, open } = plan(current, wanted)
        const after = new Map(Object.entries(current).filter(([key]) => !close.includes(key as ServiceKey)))
        for (const { service, port } of open) {
          assert.ok(!after.has(service))
          after.set(service, port)
        }
        assert.deepEqual(Object.fromEntries(after), { ...wanted })
        for (const key of close) assert.notEqual(current[key], wanted[key])
      }),
    )
  })
})

describe('where health check ports listen', () => {
  const rows: readonly (readonly [
    about: string,
    nodePortAddresses: TrafficSettings['nodePortAddresses'],
    families: readonly IpFamily[],
    hosts: readonly Host[],
  ])[] = [
    ['everywhere', 'all', ipFamilies, ['any']],
    ['everywhere on a node without IPv6', 'all', ['IPv4'], ['any IPv4']],
    ['the primary addresses', 'primary', ipFamilies, [address('10.200.1.2'), address('fd00:200:1::2')]],
    ['ranges', [cidr('10.200.0.0/16'), cidr('fd00:200::/32')], ipFamilies, [address('10.200.1.2'), address('fd00:200:1::2')]],
    ['ranges of one family leave the other alone', [cidr('10.200.0.0/16')], ipFamilies, [address('10.200.1.2'), 'any IPv6']],
    ['ranges in which this node has nothing', [cidr('10.9.0.0/16')], ['IPv4'], []],
  ]
  for (const [about, nodePortAddresses, families, hosts] of rows) {
    it(about, () => assert.deepEqual(checkHosts({ families, node, settings: { ...settings, nodePortAddresses } }), hosts))
  }

  it('not on link-local addresses: without their interface they mean nothing', () => {
    const linkLocal = { ...node, interfaceAddresses: [address('fe80::1'), address('fd00:200:1::2')] }
    const ranges = [cidr('fe80::/10'), cidr('fd00::/8')]
    assert.deepEqual(checkHosts({ families: ['IPv6'], node: linkLocal, settings: { ...settings, nodePortAddresses: ranges } }), [
      'fd00:200:1::2',
    ])
  })
})
