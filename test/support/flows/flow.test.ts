import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeFlows } from './flow.ts'

const row = { from: 'outside', to: '10.96.0.1:80/TCP', expect: { to: ['a'], source: 'kept' } }

test('a row with several senders and addresses is one flow each', () => {
  const flows = decodeFlows([{ ...row, from: ['pod/a', 'node'], to: ['10.96.0.1:80/TCP', '[fd00::1]:53/UDP'] }], 'iptables')
  assert.deepEqual(
    flows.map(({ title }) => title),
    [
      'pod/a -> 10.96.0.1:80/TCP: a (source: kept)',
      'pod/a -> [fd00::1]:53/UDP: a (source: kept)',
      'node -> 10.96.0.1:80/TCP: a (source: kept)',
      'node -> [fd00::1]:53/UDP: a (source: kept)',
    ],
  )
  assert.deepEqual(flows[1]?.to, { address: 'fd00::1', family: 'ipv6', port: 53, protocol: 'UDP' })
})

test('what a mode is to do otherwise counts in that mode alone', () => {
  const rows = [{ ...row, expect: 'dropped', modes: { ipvs: 'refused' } }]
  assert.equal(decodeFlows(rows, 'iptables')[0]?.expect, 'dropped')
  assert.equal(decodeFlows(rows, 'ipvs')[0]?.expect, 'refused')
  const unsupported = { notSupported: 'IPVS has no such thing' }
  assert.deepEqual(decodeFlows([{ ...row, modes: { ipvs: unsupported } }], 'ipvs')[0]?.expect, unsupported)
})

const wrong: readonly { readonly title: string; readonly rows: unknown; readonly error: RegExp }[] = [
  { title: 'no rows', rows: [], error: /flows: / },
  { title: 'a key that does not exist', rows: [{ ...row, repaet: 3 }], error: /0\.repaet: / },
  { title: 'a fate that does not exist', rows: [{ ...row, expect: 'lost' }], error: /0\.expect: / },
  {
    title: 'an unknown key of an expectation',
    rows: [{ ...row, expect: { to: ['a'], source: 'kept', from: 'b' } }],
    error: /0\.expect/,
  },
  { title: 'an unknown mode', rows: [{ ...row, modes: { nftables: 'refused' } }], error: /0\.modes\.nftables: / },
  { title: 'a sender that does not exist', rows: [{ ...row, from: 'pods/a' }], error: /0\.from/ },
  { title: 'an address without a port', rows: [{ ...row, to: '10.96.0.1' }], error: /row 1: `to: 10\.96\.0\.1` is not/ },
  {
    title: 'an IPv6 address without brackets',
    rows: [{ ...row, to: 'fd00::1:80/TCP' }],
    error: /row 1: `to: fd00::1:80\/TCP` is not/,
  },
  {
    title: 'a spread of refusals',
    rows: [{ ...row, expect: 'refused', spread: 'uniform' }],
    error: /row 1: spread and sticky need/,
  },
  { title: 'an expiry without stickiness', rows: [{ ...row, expiresAfter: 2 }], error: /row 1: expiresAfter needs/ },
  {
    title: 'an expiry for a pod',
    rows: [{ ...row, from: 'pod/a', sticky: true, expiresAfter: 2 }],
    error: /row 1: expiresAfter needs/,
  },
  {
    title: 'a refusal over SCTP',
    rows: [{ ...row, to: '10.96.0.1:80/SCTP', expect: 'refused' }],
    error: /row 1: over SCTP nobody can tell/,
  },
  { title: 'the same row twice', rows: [row, row], error: /two rows say the same: outside -> 10\.96\.0\.1/ },
]

for (const { title, rows, error } of wrong) {
  test(`${title} is an error that names it`, () => {
    assert.throws(() => decodeFlows(rows, 'iptables'), error)
  })
}
