// One packet against virtual servers and sets: who is scheduled with which share, what sets hold, and in which order IPVS and the rules see the packet.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Address, IpFamily } from '../../../src/model/address.ts'
import { tracer } from '../../../src/modes/ipvs/trace.ts'
import type { Packet, Trace } from '../../../src/modes/trace.ts'

const nodeAddress = '10.200.1.2'

interface Kernel {
  readonly rules?: readonly string[]
  readonly filter?: readonly string[]
  readonly sets?: string
  readonly servers?: string
  /** On kube-ipvs0. */
  readonly addresses?: readonly string[]
  readonly family?: IpFamily
}

function trace(
  { rules = [], filter = [], sets = '', servers = '', addresses = ['10.96.0.1'], family = 'IPv4' }: Kernel,
  fields: Partial<Packet> = {},
): Trace {
  const table = (name: string, lines: readonly string[]): string =>
    [
      `*${name}`,
      ...['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'].map(chain => `:${chain} ACCEPT [0:0]`),
      ...lines.map(line => `-A ${line}`),
      'COMMIT',
    ].join('\n')
  const links = addresses.map(
    address =>
      `7: kube-ipvs0    inet${family === 'IPv6' ? '6' : ''} ${address}/${family === 'IPv6' ? 128 : 32} scope global kube-ipvs0`,
  )
  const packet: Packet = {
    family,
    protocol: 'TCP',
    source: '192.0.2.1' as Address,
    destination: '10.96.0.1' as Address,
    port: 80,
    origin: 'interface',
    interface: undefined,
    localAddresses: new Set(['127.0.0.1', nodeAddress] as Address[]),
    ...fields,
  }
  return tracer([`${table('nat', rules)}\n${table('filter', filter)}`, sets, servers, '', links.join('\n')], family)(packet)
}

function shares({ branches }: Trace): Readonly<Record<string, number>> {
  return Object.fromEntries(
    branches.map(({ endpoint, verdict, probability }) => [endpoint ?? verdict, Math.round(probability * 1000) / 1000]),
  )
}

function server(options: string, ...weights: readonly number[]): string {
  const real = weights.map((weight, index) => `-a -t 10.96.0.1:80 -r 10.244.1.${index + 1}:8080 -m -w ${weight}`)
  return [`-A -t 10.96.0.1:80 -s ${options}`, ...real].join('\n')
}

const [one, two, three] = ['10.244.1.1:8080', '10.244.1.2:8080', '10.244.1.3:8080'] as const

describe('a virtual server', () => {
  const cases: readonly (readonly [options: string, weights: readonly number[], expected: Readonly<Record<string, number>>])[] = [
    ['rr', [1, 1], { [one]: 0.5, [two]: 0.5 }],
    ['rr', [1, 5], { [one]: 0.5, [two]: 0.5 }],
    ['rr', [1, 0, 1], { [one]: 0.5, [three]: 0.5 }],
    ['rr', [0, 0], { refused: 1 }],
    ['rr', [], { refused: 1 }],
    ['wrr', [1, 3], { [one]: 0.25, [two]: 0.75 }],
    ['wlc', [1, 3], { [one]: 0.25, [two]: 0.75 }],
    ['lc', [1, 3], { [one]: 0.5, [two]: 0.5 }],
    ['fo', [1, 3, 2], { [two]: 1 }],
    ['sh', [1, 1, 0], { [one]: 0.333, [two]: 0.333, refused: 0.333 }],
    ['sh -b sh-fallback', [1, 1, 0], { [one]: 0.5, [two]: 0.5 }],
    ['mh -b mh-port', [1, 0], { [one]: 0.5, refused: 0.5 }],
    ['mh -b mh-fallback,mh-port', [1, 0], { [one]: 1 }],
    ['dh', [1, 1], { [one]: 0.5, [two]: 0.5 }],
    ['rr -p 10800', [1, 1], { [one]: 0.5, [two]: 0.5 }],
  ]
  for (const [options, weights, expected] of cases)
    it(`of scheduler ${options} shares among weights ${weights.join(', ') || '(none)'}`, () =>
      assert.deepEqual(shares(trace({ servers: server(options, ...weights) })), expected))

  it('says what the choice depends on where it is not by chance', () => {
    assert.equal(trace({ servers: server('rr', 1, 1) }).choice, undefined)
    assert.match(trace({ servers: server('sh', 1, 1) }).choice ?? '', /hash of the client's address/)
    assert.match(trace({ servers: server('lc', 1, 1) }).choice ?? '', /fewest connections/)
    assert.equal(trace({ servers: server('lc', 1) }).choice, undefined, 'there is no choice')
  })

  it('tells weights and names itself in the path', () => {
    const { branches } = trace({ servers: server('wrr', 7) })
    assert.equal(branches[0]?.weight, 7)
    assert.deepEqual(branches[0]?.path, [{ where: 'virtual server -t 10.96.0.1:80', what: '-s wrr' }])
  })

  it('takes only its own port, protocol and address', () => {
    for (const fields of [{ port: 81 }, { protocol: 'UDP' }, { destination: nodeAddress }] as const)
      assert.deepEqual(shares(trace({ servers: server('rr', 1) }, fields as Partial<Packet>)), { untouched: 1 })
  })

  it('of port 0 takes all ports, and one of a mark what is marked', () => {
    assert.deepEqual(
      shares(trace({ servers: '-A -t 10.96.0.1:0 -s rr -p 50\n-a -t 10.96.0.1:0 -r 10.244.1.1:8080 -m -w 1' }, { port: 99 })),
      { [one]: 1 },
    )
    const marked = {
      servers: '-A -f 5 -s rr\n-a -f 5 -r 10.244.1.1:8080 -m -w 1',
      rules: ['PREROUTING -j MARK --set-xmark 0x5/0xffffffff'],
    }
    assert.deepEqual(shares(trace(marked)), { [one]: 1 })
    assert.deepEqual(shares(trace({ servers: marked.servers })), { untouched: 1 })
  })

  it('of IPv6 is found as ipvsadm writes it', () => {
    const servers = '-A -t [fd00::a]:80 -s rr\n-a -t [fd00::a]:80 -r [fd00:1::1]:8080 -m -w 1'
    const fields = { source: '2001:db8::1', destination: 'fd00::a', localAddresses: new Set() } as unknown as Partial<Packet>
    assert.deepEqual(shares(trace({ servers, addresses: ['fd00::a'], family: 'IPv6' }, fields)), { '[fd00:1::1]:8080': 1 })
  })
})

describe('IPVS', () => {
  const servers = server('rr', 1)

  it('sees what has come to an address of the node, and nothing else', () => {
    assert.deepEqual(shares(trace({ servers })), { [one]: 1 })
    assert.deepEqual(shares(trace({ servers, addresses: [] })), { untouched: 1 }, 'the address is gone from kube-ipvs0')
    assert.deepEqual(shares(trace({ servers, addresses: [] }, { origin: 'node' })), { [one]: 1 }, "it sees all of the node's own")
  })

  it('comes after INPUT, which sees the address that the client asked for', () => {
    assert.deepEqual(shares(trace({ servers, filter: ['INPUT -d 10.96.0.1/32 -j DROP'] })), { dropped: 1 })
    assert.deepEqual(shares(trace({ servers, filter: ['INPUT -d 10.244.1.1/32 -j DROP', 'FORWARD -j DROP'] })), { [one]: 1 })
  })

  it('sends on by OUTPUT, which sees the endpoint', () => {
    assert.deepEqual(shares(trace({ servers, filter: ['OUTPUT -d 10.96.0.1/32 -j DROP'] })), { [one]: 1 })
    assert.deepEqual(shares(trace({ servers, filter: ['OUTPUT -d 10.244.1.1/32 -j DROP'] })), { dropped: 1 })
    assert.deepEqual(shares(trace({ servers, filter: ['OUTPUT -m ipvs --vproto 6 --vaddr 10.96.0.1 --vport 80 -j DROP'] })), {
      dropped: 1,
    })
    assert.deepEqual(shares(trace({ servers, filter: ['OUTPUT -m ipvs --vproto 6 --vaddr 10.96.0.2 --vport 80 -j DROP'] })), {
      [one]: 1,
    })
  })

  it('keeps the mark for POSTROUTING', () => {
    const rules = ['PREROUTING -j MARK --set-xmark 0x4000/0x4000', 'POSTROUTING -m mark --mark 0x4000/0x4000 -j MASQUERADE']
    assert.notEqual(trace({ servers, rules }).branches[0]?.masquerade, undefined)
  })

  it('makes a service address the node’s own, so it is the source of what the node sends there', () => {
    assert.equal(trace({ servers }, { origin: 'node', source: nodeAddress as Address }).source, '10.96.0.1')
    assert.equal(trace({ servers, addresses: [] }, { origin: 'node', source: nodeAddress as Address }).source, nodeAddress)
  })
})

describe('a set', () => {
  const rule = (question: string): readonly string[] => [`INPUT -m set ${question} -j DROP`]
  const dropped = (sets: string, question: string, fields?: Partial<Packet>): boolean | readonly string[] => {
    const { branches, unsure } = trace({ sets, filter: rule(question) }, fields)
    return unsure.length > 0 ? unsure : branches.every(({ verdict }) => verdict === 'dropped')
  }
  const cases: readonly (readonly [
    title: string,
    sets: string,
    question: string,
    expected: boolean,
    fields?: Partial<Packet>,
  ])[] = [
    ['of addresses', 'create A hash:ip family inet\nadd A 10.96.0.1', '--match-set A dst', true],
    ['of addresses, by the source', 'create A hash:ip family inet\nadd A 10.96.0.1', '--match-set A src', false],
    ['that is negated', 'create A hash:ip family inet\nadd A 10.96.0.1', '! --match-set A src', true],
    ['of addresses and ports', 'create A hash:ip,port family inet\nadd A 10.96.0.1,tcp:80', '--match-set A dst,dst', true],
    ['of another port', 'create A hash:ip,port family inet\nadd A 10.96.0.1,tcp:81', '--match-set A dst,dst', false],
    ['of another protocol', 'create A hash:ip,port family inet\nadd A 10.96.0.1,udp:80', '--match-set A dst,dst', false],
    ['of both ends', 'create A hash:ip,port,ip family inet\nadd A 10.96.0.1,tcp:80,192.0.2.1', '--match-set A dst,dst,src', true],
    [
      'of ranges',
      'create A hash:ip,port,net family inet\nadd A 10.96.0.1,tcp:80,192.0.2.0/24',
      '--match-set A dst,dst,src',
      true,
    ],
    [
      'of other ranges',
      'create A hash:ip,port,net family inet\nadd A 10.96.0.1,tcp:80,192.0.3.0/24',
      '--match-set A dst,dst,src',
      false,
    ],
    ['of ports', 'create A bitmap:port range 0-65535\nadd A 80', '--match-set A dst', true],
    [
      'of ports, for a protocol that it does not know',
      'create A bitmap:port range 0-65535\nadd A 80',
      '--match-set A dst',
      false,
      { protocol: 'SCTP' },
    ],
    ['that is empty', 'create A hash:ip family inet', '--match-set A dst', false],
    [
      'beside one whose name begins alike',
      'create A hash:ip family inet\ncreate AB hash:ip family inet\nadd AB 10.96.0.1',
      '--match-set A dst',
      false,
    ],
    ['of entries with a time', 'create A hash:ip family inet timeout 9\nadd A 10.96.0.1 timeout 7', '--match-set A dst', true],
  ]
  for (const [title, sets, question, expected, fields] of cases)
    it(title, () => assert.equal(dropped(sets, question, fields), expected))

  it('that cannot be told is said', () => {
    for (const sets of ['', 'create A list:set size 8', 'create A hash:net family inet\nadd A 10.96.0.0/16 nomatch'])
      assert.match(String(dropped(sets, '--match-set A dst')), /-m set --match-set/)
  })
})
