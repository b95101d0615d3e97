// What `switchyard trace` prints for people.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { traceText, wrap } from '../../src/cli/trace-text.ts'
import type { TraceObject } from '../../src/explain/trace-object.ts'

const trace: TraceObject = {
  apiVersion: 'switchyard/v1',
  kind: 'Trace',
  readAt: '',
  time: '2026-08-02T12:00:00.000Z',
  node: 'node1',
  mode: 'ipvs',
  from: { given: 'outside', address: '192.0.2.1', kind: 'outside' },
  to: { given: 'node:30008', family: 'IPv4', address: '10.200.1.2', port: 30_008, protocol: 'TCP' },
  service: {
    service: 'default/web',
    port: 'default/web:http',
    type: 'NodePort',
    addressKind: 'node port',
    policy: 'externalTrafficPolicy Cluster',
  },
  verdict: 'endpoints',
  shares: { endpoints: 1, refused: 0, dropped: 0, untouched: 0 },
  summary: ['Goes to one of 2 endpoints of default/web:http, with different chances.'],
  decidedBy: { where: 'virtual server -t 10.200.1.2:30008', what: '-s wrr' },
  candidates: [
    { endpoint: '10.244.1.11:8080', pod: 'default/web-1', node: 'node1', probability: 0.25, weight: 1, masquerade: true },
    { endpoint: '10.244.2.21:8080', pod: null, node: null, probability: 0.75, weight: 3, masquerade: true },
  ],
  others: [{ endpoint: '10.244.1.12:8080', pod: 'default/web-3', node: 'node1', reason: 'not ready' }],
  masquerade: { applies: 'always', reason: 'externalTrafficPolicy is Cluster' },
  path: [
    { where: 'nat chain PREROUTING', what: '-j KUBE-SERVICES' },
    { where: 'nat chain KUBE-SERVICES', what: '-j KUBE-NODE-PORT' },
    { where: 'nat chain KUBE-SERVICES', what: '-j ACCEPT' },
  ],
  drifts: [],
  unsure: [],
}

function text(fields: Partial<TraceObject> = {}, options: Partial<Parameters<typeof traceText>[1]> = {}): readonly string[] {
  const paint = (style: string, words: string): string => (style === 'bad' ? `<${words.trim()}>` : words)
  return traceText({ ...trace, ...fields }, { paint, width: 80, path: false, most: undefined, ...options }).split('\n')
}

describe('the text of a trace', () => {
  it('has the verdict first, then whose address it is, who decides, and the endpoints', () => {
    assert.deepEqual(text(), [
      'ANSWERED  outside -> node:30008',
      '  192.0.2.1 (a client outside) -> 10.200.1.2:30008/TCP, on node node1, mode ipvs',
      '',
      '  Goes to one of 2 endpoints of default/web:http, with different chances.',
      '',
      'Service     default/web:http, type NodePort; this is its node port',
      'Policy      externalTrafficPolicy Cluster',
      'Decided by  virtual server -t 10.200.1.2:30008: -s wrr',
      'Masquerade  always: externalTrafficPolicy is Cluster',
      '',
      'ENDPOINT          CHANCE  WEIGHT  POD            NODE   WHY',
      '10.244.1.11:8080  25.0 %  1       default/web-1  node1',
      '10.244.2.21:8080  75.0 %  3       -              -',
      '10.244.1.12:8080  <none>          default/web-3  node1  not ready',
      '',
    ])
  })

  it('tells verdicts apart', () => {
    const first = (fields: Partial<TraceObject>): string | undefined => text(fields)[0]
    const none = { endpoints: 0, refused: 0, dropped: 0, untouched: 1 }
    assert.match(first({ verdict: 'refused', shares: none }) ?? '', /^<REFUSED> /)
    assert.match(first({ verdict: 'dropped', shares: none }) ?? '', /^<DROPPED> /)
    assert.match(first({ verdict: 'not a Service', shares: none }) ?? '', /^<NOT TAKEN> /)
    assert.match(first({ shares: { ...none, endpoints: 0.5, untouched: 0.5 } }) ?? '', /^<PARTLY ANSWERED> /)
  })

  it('has the path where it is asked for, a chain once', () => {
    const lines = text({}, { path: true })
    assert.deepEqual(lines.slice(lines.indexOf('Path: what it meets on its way')), [
      'Path: what it meets on its way',
      '  nat chain PREROUTING',
      '    -j KUBE-SERVICES',
      '  nat chain KUBE-SERVICES',
      '    -j KUBE-NODE-PORT',
      '    -j ACCEPT',
      '',
    ])
  })

  it('shows so many endpoints and says how many more there are', () => {
    assert.ok(text({}, { most: 1 }).includes('... 2 more (--all)'))
    assert.ok(!text({}, { most: 2 }).some(line => line.startsWith('...')), 'one more line is no longer than to say so')
  })

  it('says what differs, what that means, and what could not be judged', () => {
    const drift = { what: 'nat chain KUBE-SVC-X', kind: 'changed', service: 'default/web', meaning: 'some are missed' } as const
    const lines = text({ drifts: [drift], unsure: ['filter chain INPUT: rule -m bpf -j DROP: what it asks cannot be told'] })
    const start = lines.indexOf('Where the kernel is not as it should be')
    assert.deepEqual(lines.slice(start), [
      'Where the kernel is not as it should be',
      '  <changed> nat chain KUBE-SVC-X',
      '             some are missed',
      '',
      'What could not be judged',
      '  filter chain INPUT: rule -m bpf -j DROP: what it asks cannot be told',
      '',
    ])
  })

  it('lets nobody move the cursor', () => {
    const evil = text(
      { summary: ['a\u001b[2Jb'], unsure: ['c\r\nd'], path: [{ where: 'x\u0007', what: 'y\u009b' }] },
      { path: true },
    )
    assert.doesNotMatch(evil.join('\n').replaceAll('\n', ''), /\p{Cc}/u)
  })
})

it('lines are no longer than they may be, unless a word is', () => {
  assert.deepEqual(wrap('one two three', { width: 9, indent: '  ' }), ['  one two', '  three'])
  assert.deepEqual(wrap('a loooooooooong one', { width: 8, indent: '' }), ['a', 'loooooooooong', 'one'])
})
