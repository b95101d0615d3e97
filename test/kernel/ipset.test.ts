// What ipset prints and takes. The output is a real one's: ipset 7.17 over kernel 6.1.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { addEntry, createSet, deleteEntry, destroySet, parseSets, swapSets } from '../../src/kernel/ipset.ts'
import { parseComplaint } from '../../src/kernel/iptables.ts'

const saved = `create KUBE-CLUSTER-IP hash:ip,port family inet hashsize 1024 maxelem 65536 bucketsize 12 initval 0x2e637a9f
add KUBE-CLUSTER-IP 10.96.0.1,tcp:443
add KUBE-CLUSTER-IP 10.96.0.9,sctp:53
create KUBE-6-LOAD-BALANCER-SOURCE-CID hash:ip,port,net family inet6 hashsize 2048 maxelem 131072 bucketsize 12 initval 0x17e2922f
add KUBE-6-LOAD-BALANCER-SOURCE-CID fd00::1,tcp:80,2001:db8::/32
create KUBE-NODE-PORT-TCP bitmap:port range 0-65535
add KUBE-NODE-PORT-TCP 30080
create cali40s:xyz hash:net family inet hashsize 1024 maxelem 1048576 bucketsize 12 initval 0x2c1bcd60
add cali40s:xyz 10.0.0.0/8
create with-timeout hash:ip family inet hashsize 1024 maxelem 65536 timeout 300 comment
add with-timeout 10.0.0.1 timeout 7 comment "add KUBE-CLUSTER-IP 10.6.6.6,tcp:1"
`

describe('parseSets', () => {
  const sets = parseSets(saved, name => name.startsWith('KUBE-'))
  it('gives those that are asked for, with shape and entries', () => {
    assert.deepEqual([...sets.keys()], ['KUBE-CLUSTER-IP', 'KUBE-6-LOAD-BALANCER-SOURCE-CID', 'KUBE-NODE-PORT-TCP'])
    assert.deepEqual(sets.get('KUBE-CLUSTER-IP'), {
      shape: { type: 'hash:ip,port', options: 'family inet', maxEntries: 65_536 },
      entries: new Set(['10.96.0.1,tcp:443', '10.96.0.9,sctp:53']),
    })
    assert.deepEqual(sets.get('KUBE-6-LOAD-BALANCER-SOURCE-CID'), {
      shape: { type: 'hash:ip,port,net', options: 'family inet6', maxEntries: 131_072 },
      entries: new Set(['fd00::1,tcp:80,2001:db8::/32']),
    })
    assert.deepEqual(sets.get('KUBE-NODE-PORT-TCP')?.shape, {
      type: 'bitmap:port',
      options: 'range 0-65535',
      maxEntries: undefined,
    })
  })
  it('leaves out what an entry has besides', () => {
    assert.deepEqual(parseSets(saved, name => name === 'with-timeout').get('with-timeout')?.entries, new Set(['10.0.0.1']))
  })
  it('gives nothing for nothing', () => assert.equal(parseSets('', () => true).size, 0))
})

describe('what is fed', () => {
  const shapes = [
    { type: 'hash:ip,port', options: 'family inet6', maxEntries: 65_536 },
    { type: 'bitmap:port', options: 'range 0-65535', maxEntries: undefined },
  ]
  for (const shape of shapes) {
    it(`is read back as it was: ${shape.type}`, () => {
      const lines = [createSet('A', shape), addEntry('A', '30080')]
      assert.deepEqual(
        parseSets(lines.join('\n'), () => true),
        new Map([['A', { shape, entries: new Set(['30080']) }]]),
      )
    })
  }
  it('is as ipset restore takes it', () => {
    assert.equal(
      createSet('A', { type: 'hash:ip', options: 'family inet', maxEntries: 8 }),
      'create A hash:ip family inet hashsize 1024 maxelem 8',
    )
    assert.equal(deleteEntry('A', '10.0.0.1'), 'del A 10.0.0.1')
    assert.equal(destroySet('A'), 'destroy A')
    assert.equal(swapSets('A', 'B'), 'swap A B')
  })
})

describe('a complaint', () => {
  const rows = [
    ["ipset v7.17: Error in line 6: Element cannot be added to the set: it's already added", 6],
    ['ipset v7.17: Error in line 12: Hash is full, cannot add more elements', 12],
    ['ipset v7.17: Error in line 1: Set cannot be created: set with the same name already exists', 1],
  ] as const
  for (const [stderr, line] of rows) it(`names line ${line}`, () => assert.deepEqual(parseComplaint(stderr), { line }))
})
