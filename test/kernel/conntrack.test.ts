import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  countDeleted,
  deletionSteps,
  isFlowGone,
  parseUdpFlows,
  type UdpRoute,
  udpFlowsQuery,
} from '../../src/kernel/conntrack.ts'
import { type Address, parseAddress } from '../../src/model/address.ts'

function route(destination: string, destinationPort: number, replySource: string, replyPort: number): UdpRoute {
  return { destination: destination as Address, destinationPort, replySource: replySource as Address, replyPort }
}

const toDns = route('10.96.0.10', 53, '10.244.1.12', 5353)

describe('parseUdpFlows', () => {
  // As conntrack 1.4.7 prints them.
  const flows: readonly { title: string; line: string; expected: readonly UdpRoute[] }[] = [
    {
      title: 'reads a flow that nobody answered',
      line: 'udp      17 29 src=10.244.1.11 dst=10.96.0.10 sport=41000 dport=53 [UNREPLIED] src=10.244.1.12 dst=10.244.1.11 sport=5353 dport=41000 mark=0 use=1',
      expected: [toDns],
    },
    {
      title: 'reads an assured one',
      line: 'udp      17 177 src=10.244.1.11 dst=10.96.0.10 sport=41000 dport=53 src=10.244.1.12 dst=10.244.1.11 sport=5353 dport=41000 [ASSURED] mark=0 use=1',
      expected: [toDns],
    },
    {
      title: 'reads one with counters',
      line: 'udp      17 29 src=10.244.1.11 dst=10.96.0.10 sport=41000 dport=53 packets=1 bytes=33 [UNREPLIED] src=10.244.1.12 dst=10.244.1.11 sport=5353 dport=41000 packets=0 bytes=0 mark=0 use=1',
      expected: [toDns],
    },
    {
      title: 'reads an offloaded one, which has no timeout',
      line: 'udp      17 src=10.244.1.11 dst=10.96.0.10 sport=41000 dport=53 src=10.244.1.12 dst=10.244.1.11 sport=5353 dport=41000 [OFFLOAD] mark=0 use=2',
      expected: [toDns],
    },
    {
      title: 'reads IPv6, and a mark and a security context behind',
      line: 'udp      17 29 src=fd00:10:244:1::11 dst=fd00:10:96::a sport=41000 dport=53 src=fd00:10:244:1::12 dst=fd00:10:244:1::11 sport=5353 dport=41000 mark=16384 secctx=system_u:object_r:unlabeled_t:s0 use=1',
      expected: [route('fd00:10:96::a', 53, 'fd00:10:244:1::12', 5353)],
    },
    {
      title: 'reads one that was not translated',
      line: 'udp      17 29 src=10.244.1.11 dst=10.96.0.10 sport=41000 dport=53 [UNREPLIED] src=10.96.0.10 dst=10.244.1.11 sport=53 dport=41000 mark=0 use=1',
      expected: [route('10.96.0.10', 53, '10.96.0.10', 53)],
    },
    {
      title: 'passes over a zone',
      line: 'udp      17 29 src=10.0.0.9 dst=10.96.0.10 sport=1001 dport=53 [UNREPLIED] src=10.244.1.3 dst=10.0.0.9 sport=5353 dport=1001 mark=0 zone=5 use=1',
      expected: [],
    },
    {
      title: 'passes over a zone of the original direction',
      line: 'udp      17 29 src=10.0.0.9 dst=10.96.0.10 sport=1002 dport=53 zone-orig=7 [UNREPLIED] src=10.244.1.3 dst=10.0.0.9 sport=5353 dport=1002 mark=0 use=1',
      expected: [],
    },
    {
      title: 'passes over a zone of the reply direction',
      line: 'udp      17 29 src=10.0.0.9 dst=10.96.0.10 sport=1003 dport=53 [UNREPLIED] src=10.244.1.3 dst=10.0.0.9 sport=5353 dport=1003 zone-reply=8 mark=0 use=1',
      expected: [],
    },
    {
      title: 'passes over another protocol',
      line: 'tcp      6 86399 ESTABLISHED src=10.0.0.9 dst=10.96.0.10 sport=1001 dport=53 src=10.244.1.3 dst=10.0.0.9 sport=5353 dport=1001 [ASSURED] mark=0 use=1',
      expected: [],
    },
    {
      title: 'passes over a line that was cut off',
      line: 'udp      17 29 src=10.244.1.11 dst=10.96.0.10 sport=41',
      expected: [],
    },
    { title: 'finds nothing in nothing', line: '', expected: [] },
  ]
  for (const { title, line, expected } of flows) {
    it(title, () => {
      assert.deepEqual([...parseUdpFlows(`${line}\n`)], expected)
    })
  }

  it('reads all lines of a listing in order, and a zone in one of them hides no other', () => {
    const listing = flows.map(({ line }) => line).join('\n')
    assert.deepEqual(
      [...parseUdpFlows(listing)],
      flows.flatMap(({ expected }) => expected),
    )
  })

  it('reads back whatever addresses and ports the kernel prints', () => {
    const port = fc.integer({ min: 1, max: 65_535 })
    const address = fc.oneof(fc.ipV4(), fc.ipV6()).map(parseAddress)
    fc.assert(
      fc.property(address, port, address, port, (destination, destinationPort, replySource, replyPort) => {
        fc.pre(destination !== undefined && replySource !== undefined)
        const original = `src=10.0.0.1 dst=${destination} sport=1 dport=${destinationPort}`
        const line = `udp      17 29 ${original} src=${replySource} dst=10.0.0.1 sport=${replyPort} dport=1 [ASSURED] mark=0 use=1`
        assert.deepEqual([...parseUdpFlows(line)], [{ destination, destinationPort, replySource, replyPort }])
      }),
    )
  })
})

describe('udpFlowsQuery', () => {
  it('asks for one family', () => {
    assert.deepEqual(udpFlowsQuery('IPv6').argv, ['conntrack', '-L', '-f', 'ipv6', '-p', 'udp'])
  })
})

describe('deletionSteps', () => {
  it('names a route once, however many flows take it, and no conntrack zone', () => {
    const other = route('10.96.0.10', 53, '10.96.0.10', 53)
    const [step, ...rest] = deletionSteps('IPv4', [toDns, other, { ...toDns }])
    assert.deepEqual(rest, [])
    assert.deepEqual(step?.argv, ['sh', '-c', 'cat | conntrack --load-file -'])
    const zone = '-w 0 --orig-zone 0 --reply-zone 0'
    assert.deepEqual(
      [...(step?.input ?? [])].flatMap(({ lines }) => lines),
      [
        `-D -f ipv4 -p udp ${zone} -d 10.96.0.10 --dport 53 -r 10.244.1.12 --reply-port-src 5353`,
        `-D -f ipv4 -p udp ${zone} -d 10.96.0.10 --dport 53 -r 10.96.0.10 --reply-port-src 53`,
      ],
    )
  })

  it('deletes nothing where there is nothing', () => {
    assert.deepEqual(deletionSteps('IPv4', []), [])
  })

  it('spreads many routes over several processes, each line once', () => {
    const routes = Array.from({ length: 125 }, (_, number) => ({ ...toDns, replyPort: number + 1 }))
    const lines = deletionSteps('IPv4', routes).map(({ input }) => [...input].flatMap(chunk => chunk.lines))
    assert.deepEqual(
      lines.map(({ length }) => length),
      [50, 50, 25],
    )
    assert.equal(new Set(lines.flat()).size, 125)
  })
})

describe('what conntrack says of a deletion', () => {
  it('is one line for each flow', () => {
    const line =
      'udp      17 29 src=10.0.0.9 dst=10.96.0.10 sport=1 dport=53 src=10.244.1.3 dst=10.0.0.9 sport=53 dport=1 mark=0 use=1\n'
    assert.equal(countDeleted(line.repeat(3)), 3)
    assert.equal(countDeleted(''), 0)
  })

  it('tells a flow that expired meanwhile from other failures', () => {
    assert.ok(isFlowGone("conntrack v1.4.7 (conntrack-tools): Operation failed: such conntrack doesn't exist"))
    assert.ok(!isFlowGone('conntrack v1.4.7 (conntrack-tools): Operation failed: sorry, you must be root'))
  })
})
