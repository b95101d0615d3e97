import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Outcome } from '../lab/agent/protocol.ts'
import { decodeFlows, type Flow } from './flow.ts'
import { complainAboutStickiness, type Evidence, judge } from './judge.ts'

const node = { name: 'node1', addresses: ['10.200.1.2', 'fd00:200:1::2'] }
const end = { localAddress: '10.200.1.100', localPort: 40_000, startedAt: 0, endedAt: 1 }

const answered = (name: string, source = '10.200.1.100:40000', port = 8080): Outcome => ({ ok: true, name, port, source, ...end })
const failed = (reason: 'refused' | 'timeout' | 'unreachable'): Outcome => ({ ok: false, reason, detail: '', ...end })
const times = (count: number, outcome: Outcome): readonly Outcome[] => Array.from({ length: count }, () => outcome)

function flow(row: Readonly<Record<string, unknown>>): Flow {
  const [only] = decodeFlows([{ from: 'outside', to: '10.200.1.2:30080/TCP', ...row }], 'iptables')
  assert(only !== undefined)
  return only
}

function verdict(row: Readonly<Record<string, unknown>>, outcomes: readonly Outcome[], passed = 0): string | undefined {
  const evidence: Evidence = { outcomes, passed }
  return judge(flow(row), evidence, node)
}

const kept = { expect: { to: ['a', 'b'], source: 'kept' } }
const masqueraded = { expect: { to: ['a'], source: 'node' } }

const fine: readonly [title: string, row: Readonly<Record<string, unknown>>, outcomes: readonly Outcome[], passed?: number][] = [
  ['everyone who should answer does', kept, [answered('a'), answered('b')]],
  [
    'the port is right where it is named',
    { expect: { to: ['a:8081'], source: 'kept' } },
    [answered('a', '10.200.1.100:1', 8081)],
  ],
  ['the source is an address of the node', masqueraded, [answered('a', '10.200.1.2:1'), answered('a', '[fd00:200:1::2]:1')]],
  ['all are refused', { expect: 'refused' }, times(4, failed('refused'))],
  ['all time out and none passed', { expect: 'dropped' }, times(4, failed('timeout'))],
  ['the node answers itself', { expect: 'untouched' }, times(2, answered('node1')), 2],
  ['nobody knows the address', { expect: 'untouched' }, [failed('unreachable'), failed('timeout')], 2],
  ['the spread is even', { ...kept, spread: 'uniform' }, [...times(90, answered('a')), ...times(110, answered('b'))]],
]

for (const [title, row, outcomes, passed] of fine) {
  test(`no complaint where ${title}`, () => assert.equal(verdict(row, outcomes, passed), undefined))
}

const amiss: readonly [
  title: string,
  row: Readonly<Record<string, unknown>>,
  outcomes: readonly Outcome[],
  complaint: RegExp,
  passed?: number,
][] = [
  ['one connection fails', kept, [answered('a'), answered('b'), failed('timeout')], /an answer each time: .*1 × timeout/],
  ['somebody else answers', kept, [answered('a'), answered('b'), answered('c')], /somebody else answered: 1 × c:8080/],
  ['an endpoint gets nothing', kept, times(30, answered('a')), /b got none of 30/],
  ['another port of the pod answers', { expect: { to: ['a:8081'], source: 'kept' } }, [answered('a')], /somebody else/],
  [
    'the source is not kept',
    { expect: { to: ['a'], source: 'kept' } },
    [answered('a', '10.200.1.2:1')],
    /source to be the sender's own/,
  ],
  [
    'the source is not masqueraded',
    masqueraded,
    [answered('a')],
    /source to be the node's: 1 × a:8080 which saw 10\.200\.1\.100/,
  ],
  [
    'the spread is uneven',
    { ...kept, spread: 'uniform' },
    [...times(50, answered('a')), ...times(150, answered('b'))],
    /they got 50 150/,
  ],
  ['silence where refusal is expected', { expect: 'refused' }, [failed('refused'), failed('timeout')], /expected refused/],
  ['an answer where refusal is expected', { expect: 'refused' }, [answered('node1')], /expected refused/],
  ['a drop that someone else did', { expect: 'dropped' }, times(2, failed('timeout')), /let 2 of 2 connections through/, 2],
  ['refusal where silence is expected', { expect: 'dropped' }, times(2, failed('refused')), /expected dropped/],
  ['a drop of what is not ours', { expect: 'untouched' }, times(2, failed('timeout')), /leave it alone.*let 0 through/],
  ['a pod that answers for what is not ours', { expect: 'untouched' }, times(2, answered('a')), /leave it alone/, 2],
]

for (const [title, row, outcomes, complaint, passed] of amiss) {
  test(`${title}: that is a complaint`, () => assert.match(verdict(row, outcomes, passed) ?? 'none', complaint))
}

test('one source that reaches two endpoints does not stick', () => {
  assert.equal(complainAboutStickiness(times(5, answered('a'))), undefined)
  assert.match(complainAboutStickiness([answered('a'), answered('b')]) ?? 'none', /reached several endpoints/)
})
