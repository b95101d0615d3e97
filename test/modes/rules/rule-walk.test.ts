// One packet against rules: each match with and without `!`, the order of rules, jumps, returns, policies, marks, chance.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Address } from '../../../src/model/address.ts'
import { tracer as iptablesTracer } from '../../../src/modes/iptables/trace.ts'
import type { Branch, Packet, Trace } from '../../../src/modes/trace.ts'

const pod = '10.244.1.11' as Address
const nodeAddress = '10.200.1.2' as Address

function packet(fields: Partial<Packet> = {}): Packet {
  return {
    family: 'IPv4',
    protocol: 'TCP',
    source: '192.0.2.1' as Address,
    destination: '10.96.0.1' as Address,
    port: 80,
    origin: 'interface',
    interface: 'eth0',
    localAddresses: new Set(['127.0.0.1', nodeAddress] as Address[]),
    ...fields,
  }
}

interface Tables {
  readonly nat?: readonly string[]
  readonly filter?: readonly string[]
  readonly mangle?: readonly string[]
  readonly raw?: readonly string[]
  /** Of filter's built-in chains. */
  readonly policy?: string
}

const builtIn = ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING']

/** iptables-save of rules that are written `CHAIN rule`. Chains are there because a rule names them. */
function save({ policy = 'ACCEPT', ...tables }: Tables): string {
  return Object.entries(tables)
    .map(([table, rules]) => {
      const own = new Set(rules.map(rule => rule.split(' ')[0] ?? '').filter(chain => !builtIn.includes(chain)))
      return [
        `*${table}`,
        ...builtIn.map(chain => `:${chain} ${table === 'filter' ? policy : 'ACCEPT'} [0:0]`),
        ...[...own].map(chain => `:${chain} - [0:0]`),
        ...rules.map(rule => `-A ${rule}`),
        'COMMIT',
      ].join('\n')
    })
    .join('\n')
}

function trace(tables: Tables, fields: Partial<Packet> = {}): Trace {
  return iptablesTracer([save(tables)])(packet(fields))
}

function verdicts({ branches }: Trace): readonly string[] {
  return branches.map(({ verdict, endpoint, probability }) => {
    const share = probability === 1 ? '' : ` ${probability.toFixed(3)}`
    return `${endpoint ?? verdict}${share}`
  })
}

/** Whether a rule with this question matches. */
function isMatched(question: string, fields: Partial<Packet> = {}): boolean {
  const { branches, unsure } = trace({ filter: [`FORWARD ${question} -j DROP`, `INPUT ${question} -j DROP`] }, fields)
  assert.deepEqual(unsure, [])
  return branches.every(({ verdict }) => verdict === 'dropped')
}

describe('a question of a rule', () => {
  const matching: readonly (readonly [question: string, fields?: Partial<Packet>])[] = [
    [''],
    ['-d 10.96.0.1/32'],
    ['-d 10.96.0.0/12'],
    ['-d 0.0.0.0/0'],
    ['-s 192.0.2.0/24'],
    ['-s 192.0.2.1/32 -d 10.96.0.1/32'],
    ['-i eth0'],
    ['-i eth+'],
    ['-p tcp'],
    ['-p 6'],
    ['-p all'],
    ['-p tcp -m tcp --dport 80'],
    ['-p tcp -m tcp --dport 79:81'],
    ['-p tcp -m tcp --dport :80'],
    ['-p tcp -m multiport --dports 22,80,443'],
    ['-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN'],
    ['-p udp -m udp --dport 80', { protocol: 'UDP' }],
    ['-p sctp -m sctp --dport 80', { protocol: 'SCTP' }],
    ['-m comment --comment "two words, \\"quoted\\" -j ACCEPT"'],
    ['-m conntrack --ctstate NEW'],
    ['-m conntrack --ctstate RELATED,NEW'],
    ['-m state --state NEW'],
    ['-m conntrack --ctorigdst 10.96.0.1/32 --ctorigdstport 80 --ctdir ORIGINAL'],
    ['-m addrtype --dst-type UNICAST'],
    ['-m addrtype --dst-type LOCAL', { destination: nodeAddress }],
    ['-m addrtype --src-type UNICAST'],
    ['-m recent --set --name KUBE-SEP-A --mask 255.255.255.255 --rsource'],
    ['-m mark --mark 0x0/0x4000'],
    ['-m statistic --mode random --probability 1.00000000000'],
    ['-m pkttype --pkt-type unicast'],
  ]
  for (const [question, fields] of matching)
    it(`matches: ${question || 'none'}`, () => assert.equal(isMatched(question, fields), true))

  const missing: readonly (readonly [question: string, fields?: Partial<Packet>])[] = [
    ['-d 10.96.0.2/32'],
    ['-d 10.112.0.0/12'],
    ['-s 192.0.3.0/24'],
    ['-s 192.0.2.1/32 -d 10.96.0.2/32'],
    ['-i eth1'],
    ['-i cni+'],
    ['-i lo'],
    ['-p udp'],
    ['-p icmp'],
    ['-p tcp -m tcp --dport 81'],
    ['-p tcp -m multiport --dports 22,443'],
    ['-p tcp -m tcp --tcp-flags SYN,ACK SYN,ACK'],
    ['-m conntrack --ctstate RELATED,ESTABLISHED'],
    ['-m conntrack --ctstate INVALID'],
    ['-m conntrack --ctstate DNAT'],
    ['-m conntrack --ctorigdst 10.96.0.2/32'],
    ['-m addrtype --dst-type LOCAL'],
    ['-m addrtype --src-type LOCAL'],
    ['-m recent --rcheck --seconds 10 --reap --name KUBE-SEP-A --mask 255.255.255.255 --rsource'],
    ['-m mark --mark 0x4000/0x4000'],
    ['-m statistic --mode random --probability 0.00000000000'],
    ['-m physdev --physdev-is-in'],
    ['-m ipvs --vproto 6 --vaddr 10.96.0.1 --vport 80'],
  ]
  for (const [question, fields] of missing)
    it(`does not match: ${question}`, () => assert.equal(isMatched(question, fields), false))

  it('is turned round by `!`', () => {
    const simple = [...matching, ...missing].filter(([question]) => /^(-[sdip] \S+|-m \S+ --\S+ \S+)$/.test(question))
    assert.ok(simple.length > 20)
    for (const [question, fields] of simple) {
      const negated = question.startsWith('-m ') ? question.replace(' --', ' ! --') : `! ${question}`
      assert.equal(isMatched(negated, fields), !isMatched(question, fields), negated)
    }
  })

  it('of IPv6 takes a range for a range', () => {
    const v6 = { family: 'IPv6', source: '2001:db8::1', destination: 'fd00::1' } as unknown as Partial<Packet>
    assert.equal(isMatched('-d fd00::/32', v6), true)
    assert.equal(isMatched('-d fd00::1/128', v6), true)
    assert.equal(isMatched('-d fd00::2/128', v6), false)
  })

  it('that nobody knows is taken as not matching, and said where it could have mattered', () => {
    const rules = (question: string) => trace({ filter: [`FORWARD ${question} -j DROP`] })
    for (const question of ['-m bpf --bytecode x', '-p tcp -m tcp --sport 99', '-m set --match-set blocked src', '-o eth7']) {
      const { branches, unsure } = rules(question)
      assert.deepEqual(
        branches.map(({ verdict }) => verdict),
        ['untouched'],
      )
      assert.equal(unsure.length, 1, question)
      assert.match(unsure[0] ?? '', /filter chain FORWARD: rule .*taken as not matching/)
    }
    assert.deepEqual(rules('-p udp -m bpf --bytecode x').unsure, [], 'it does not match anyway')
    assert.deepEqual(trace({ filter: ['FORWARD -m bpf --bytecode x -j LOG'] }).unsure, [], 'a log changes nothing')
    assert.deepEqual(trace({ filter: ['INPUT -m bpf --bytecode x -j DROP'] }).unsure, [], 'it is not on the way')
  })
})

describe('rules', () => {
  const cases: readonly (readonly [title: string, tables: Tables, expected: readonly string[], fields?: Partial<Packet>])[] = [
    ['count in their order', { filter: ['FORWARD -j ACCEPT', 'FORWARD -j DROP'] }, ['untouched']],
    ['are followed by the policy', { filter: [], policy: 'DROP' }, ['dropped']],
    ['may accept before the policy', { filter: ['FORWARD -p tcp -j ACCEPT'], policy: 'DROP' }, ['untouched']],
    ['refuse', { filter: ['FORWARD -j REJECT --reject-with icmp-port-unreachable'] }, ['refused']],
    ['may only count', { filter: ['FORWARD -p tcp', 'FORWARD -j DROP'] }, ['dropped']],
    ['of a chain that is jumped to count there', { filter: ['FORWARD -j A', 'A -j DROP'] }, ['dropped']],
    ['go on after a chain', { filter: ['FORWARD -j A', 'FORWARD -j DROP', 'A -p udp -j ACCEPT'] }, ['dropped']],
    ['go on after RETURN', { filter: ['FORWARD -j A', 'FORWARD -j REJECT', 'A -j RETURN', 'A -j DROP'] }, ['refused']],
    [
      'return to where the caller was called after goto',
      { filter: ['FORWARD -j A', 'FORWARD -j REJECT', 'A -g B', 'A -j DROP', 'B -p udp -j DROP'] },
      ['refused'],
    ],
    [
      'RETURN from a built-in chain meets the policy',
      { filter: ['FORWARD -j RETURN', 'FORWARD -j ACCEPT'], policy: 'DROP' },
      ['dropped'],
    ],
    [
      'translate, and others see what was translated',
      {
        nat: ['PREROUTING -d 10.96.0.1/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.244.1.11:8080'],
        filter: ['FORWARD -d 10.96.0.1/32 -j DROP'],
      },
      ['10.244.1.11:8080'],
    ],
    [
      'may drop what was translated',
      {
        nat: ['PREROUTING -j DNAT --to-destination 10.244.1.11:8080'],
        filter: ['FORWARD -d 10.244.1.11/32 -p tcp -m tcp --dport 8080 -j DROP'],
      },
      ['dropped'],
    ],
    [
      'ask what it came with',
      {
        nat: ['PREROUTING -j DNAT --to-destination 10.244.1.11:8080'],
        filter: ['FORWARD -m conntrack --ctorigdst 10.96.0.1/32 --ctorigdstport 80 --ctstate DNAT -j DROP'],
      },
      ['dropped'],
    ],
    [
      'end nat at the first that accepts',
      { nat: ['PREROUTING -j ACCEPT', 'PREROUTING -j DNAT --to-destination 10.244.1.11:8080'] },
      ['untouched'],
    ],
    [
      'of INPUT see what is for the node',
      { filter: ['INPUT -j DROP', 'FORWARD -j REJECT'] },
      ['dropped'],
      { destination: nodeAddress },
    ],
    ['of OUTPUT see what the node sends', { filter: ['OUTPUT -j DROP', 'FORWARD -j REJECT'] }, ['dropped'], { origin: 'node' }],
    [
      'of INPUT see what the node sends to itself',
      { filter: ['INPUT -i lo -j REJECT'] },
      ['refused'],
      { origin: 'node', destination: nodeAddress },
    ],
    [
      'of PREROUTING do not translate what the node sends',
      { nat: ['PREROUTING -j DNAT --to-destination 10.244.1.11:8080'] },
      ['untouched'],
      { origin: 'node' },
    ],
    [
      'of nat see nothing that is not tracked',
      { raw: ['PREROUTING -j CT --notrack'], nat: ['PREROUTING -j DNAT --to-destination 10.244.1.11:8080'] },
      ['untouched'],
    ],
    ['of mangle drop as well', { mangle: ['FORWARD -j DROP'] }, ['dropped']],
    [
      'by chance share what comes so far',
      {
        nat: [
          'PREROUTING -j S',
          'S -m statistic --mode random --probability 0.25 -j DNAT --to-destination 10.244.1.1:80',
          'S -m statistic --mode random --probability 0.5 -j DNAT --to-destination 10.244.1.2:80',
          'S -j DNAT --to-destination 10.244.1.3:80',
        ],
      },
      ['10.244.1.1:80 0.250', '10.244.1.2:80 0.375', '10.244.1.3:80 0.375'],
    ],
    [
      'by chance may leave some',
      { nat: ['PREROUTING -m statistic --mode random --probability 0.75 -j DNAT --to-destination 10.244.1.1:80'] },
      ['10.244.1.1:80 0.750', 'untouched 0.250'],
    ],
    [
      'by turns share as well',
      { nat: ['PREROUTING -m statistic --mode nth --every 4 --packet 0 -j DNAT --to-destination 10.244.1.1:80'] },
      ['10.244.1.1:80 0.250', 'untouched 0.750'],
    ],
    ['of a chain that is missing are none', { nat: ['PREROUTING -p udp -j A', 'A -j ACCEPT'] }, ['untouched']],
  ]
  for (const [title, tables, expected, fields] of cases)
    it(title, () => assert.deepEqual(verdicts(trace(tables, fields)), expected))
})

describe('marks', () => {
  const postrouting = [
    'POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN',
    'POSTROUTING -j MARK --set-xmark 0x4000/0x0',
    'POSTROUTING -j MASQUERADE --random-fully',
  ]
  const masquerade = (...rules: readonly string[]): Branch['masquerade'] =>
    trace({ nat: [...rules, ...postrouting] }).branches[0]?.masquerade

  it('ask for masquerading', () => {
    assert.deepEqual(masquerade('PREROUTING -j MARK --set-xmark 0x4000/0x4000'), {
      where: 'nat chain POSTROUTING',
      what: '-j MASQUERADE --random-fully',
    })
    assert.equal(masquerade(), undefined)
  })

  it('of others are left as they are, and taken off by value', () => {
    const kept = masquerade('PREROUTING -j MARK --set-xmark 0x8000/0x8000', 'PREROUTING -j MARK --set-xmark 0x4000/0x4000')
    assert.notEqual(kept, undefined)
    assert.equal(
      masquerade('PREROUTING -j MARK --set-xmark 0x4000/0x4000', 'PREROUTING -j MARK --set-xmark 0x4000/0x0'),
      undefined,
    )
    assert.equal(
      masquerade('PREROUTING -j MARK --set-xmark 0x4000/0x4000', 'PREROUTING -j MARK --set-xmark 0x1/0xffffffff'),
      undefined,
    )
  })

  it('may be made before in mangle', () => {
    const { branches } = trace({ mangle: ['PREROUTING -j MARK --set-xmark 0x4000/0x4000'], nat: postrouting })
    assert.notEqual(branches[0]?.masquerade, undefined)
  })
})

it('what the node sends to an address of its own has that as its source', () => {
  const rules = { nat: ['OUTPUT -s 10.200.1.2/32 -d 10.200.1.2/32 -j DNAT --to-destination 10.244.1.11:8080'] }
  const { source, branches } = trace(rules, { origin: 'node', source: pod, destination: nodeAddress })
  assert.equal(source, nodeAddress)
  assert.equal(branches[0]?.endpoint, '10.244.1.11:8080')
})

it('the path names the rules that matched and did something, in their order', () => {
  const { branches } = trace({
    nat: [
      'PREROUTING -p udp -j A',
      'PREROUTING -p tcp -j A',
      'A -m comment --comment counted',
      'A -j LOG',
      'A -j DNAT --to-destination 10.244.1.11:8080',
    ],
    filter: ['FORWARD -j ACCEPT'],
  })
  assert.deepEqual(branches[0]?.path, [
    { where: 'nat chain PREROUTING', what: '-p tcp -j A' },
    { where: 'nat chain A', what: '-j DNAT --to-destination 10.244.1.11:8080' },
    { where: 'filter chain FORWARD', what: '-j ACCEPT' },
  ])
})

it('ends where chains call each other for ever, and where ways double without end', () => {
  const circle = trace({ filter: ['FORWARD -j A', 'A -j A', 'A -j DROP'] })
  assert.deepEqual(
    circle.branches.map(({ verdict }) => verdict),
    ['dropped'],
  )
  const half = '-m statistic --mode random --probability 0.5'
  const doubling = Array.from({ length: 40 }, () => `PREROUTING ${half} -j A`)
  const { unsure } = trace({ nat: [...doubling, 'A -p udp -j ACCEPT'] })
  assert.match(unsure.join(' '), /more ways through the rules/)
})

it('does not look at the rules of other addresses: 250 endpoints past those of 20,000 refused Services are within what it looks at', () => {
  const refused = Array.from({ length: 20_000 }, (_, index) => {
    const own = `-d 10.97.${index >> 8}.${index & 255}/32 -p tcp -m comment --comment "default/none:http has no endpoints"`
    return `KUBE-SERVICES ${own} -m tcp --dport 80 -j REJECT --reject-with icmp-port-unreachable`
  })
  const endpoints = Array.from({ length: 250 }, (_, index) => {
    const chance = index < 249 ? `-m statistic --mode random --probability ${1 / (250 - index)} ` : ''
    return `PREROUTING ${chance}-j DNAT --to-destination 10.244.1.${index + 1}:80`
  })
  const { branches, unsure } = trace({ nat: endpoints, filter: ['FORWARD -j KUBE-SERVICES', ...refused] })
  assert.deepEqual([branches.length, unsure], [250, []])
})
