// Addresses and ranges: what is accepted, in which words it comes out, and that nothing else gets through.
import assert from 'node:assert/strict'
import { SocketAddress } from 'node:net'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  contains,
  familyOf,
  hostCidr,
  hostPort,
  isLoopback,
  isWholeFamily,
  ofFamily,
  parseAddress,
  parseCidr,
} from '../../src/model/address.ts'
import { address, cidr } from '../support/cluster.ts'

describe('parseAddress', () => {
  const accepted: readonly (readonly [text: string, canonical: string])[] = [
    ['10.96.0.1', '10.96.0.1'],
    ['0.0.0.0', '0.0.0.0'],
    ['255.255.255.255', '255.255.255.255'],
    ['::', '::'],
    ['::1', '::1'],
    ['FD00:10:244::A', 'fd00:10:244::a'],
    ['fd00:0010:0244:0000:0000:0000:0000:000a', 'fd00:10:244::a'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['64:ff9b::192.0.2.1', '64:ff9b::c000:201'],
    ['fe80::1', 'fe80::1'],
  ]
  for (const [text, canonical] of accepted) {
    it(`gives ${canonical} for ${text}`, () => assert.equal(parseAddress(text), canonical))
  }

  const refused: readonly (readonly [text: string, why: string])[] = [
    ['', 'nothing'],
    ['example.org', 'a host name, which iptables-restore would look up'],
    ['localhost', 'a host name'],
    ['10.96.0', 'too few numbers'],
    ['10.96.0.1.2', 'too many numbers'],
    ['10.96.0.256', 'a number above 255'],
    ['010.96.0.1', 'a leading zero, octal to some'],
    ['0x0a.96.0.1', 'hexadecimal'],
    ['10.96.0.1 ', 'a trailing blank'],
    [' 10.96.0.1', 'a leading blank'],
    ['10.96.0.1\n-A INPUT -j ACCEPT', 'a rule of its own'],
    ['10.96.0.1\n', 'a newline'],
    ['::1\n', 'a newline after IPv6'],
    ['10.96.0.1\0', 'a NUL'],
    ['10.96.0.1/32', 'a range'],
    ['10.96.0.1:80', 'a port'],
    ['[::1]', 'brackets'],
    ['fe80::1%eth0', 'a zone'],
    ['fe80::1%', 'an empty zone'],
    ['::ffff:10.96.0.1', 'an IPv4-mapped address'],
    ['::ffff:a60:1', 'an IPv4-mapped address in hexadecimal'],
    ['1::2::3', 'two gaps'],
    ['12345::', 'a group of five digits'],
    ['１０.96.0.1', 'digits of another script'],
  ]
  for (const [text, why] of refused)
    it(`refuses ${why}: ${JSON.stringify(text)}`, () => assert.equal(parseAddress(text), undefined))

  it('writes IPv6 as the C library does, outside ::/96 where that differs from one C library to the next', () => {
    const groups = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff })), { minLength: 8, maxLength: 8 })
    fc.assert(
      fc.property(
        groups.filter(values => values.slice(0, 5).some(value => value !== 0)),
        values => {
          const text = values.map(value => value.toString(16)).join(':')
          assert.equal(parseAddress(text), new SocketAddress({ address: text, family: 'ipv6' }).address)
        },
      ),
    )
  })

  it('gives canonical text, which parses to itself', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), text => {
        const parsed = parseAddress(text)
        if (parsed !== undefined) assert.equal(parseAddress(parsed), parsed)
      }),
    )
  })
})

describe('parseCidr', () => {
  const accepted: readonly (readonly [text: string, canonical: string])[] = [
    ['10.244.0.0/16', '10.244.0.0/16'],
    ['10.244.7.9/16', '10.244.0.0/16'],
    ['10.244.7.9/32', '10.244.7.9/32'],
    ['10.244.7.255/31', '10.244.7.254/31'],
    ['10.244.7.9/0', '0.0.0.0/0'],
    ['255.255.255.255/1', '128.0.0.0/1'],
    ['FD00:10:244::5/56', 'fd00:10:244::/56'],
    ['fd00:10:244:1:2:3:4:5/128', 'fd00:10:244:1:2:3:4:5/128'],
    ['fd00::1/127', 'fd00::/127'],
    ['ffff::/3', 'e000::/3'],
    ['2001:db8::1/0', '::/0'],
    [' 10.0.0.0/8 ', '10.0.0.0/8'],
  ]
  for (const [text, canonical] of accepted) {
    it(`gives ${canonical} for ${JSON.stringify(text)}`, () => assert.equal(parseCidr(text), canonical))
  }

  const refused = [
    '',
    '/',
    '10.0.0.0',
    '10.0.0.0/',
    '10.0.0.0/33',
    'fd00::/129',
    '10.0.0.0/08',
    '10.0.0.0/+8',
    '10.0.0.0/-1',
    '10.0.0.0/8.0',
    '10.0.0.0/1e1',
    '10.0.0.0/255.0.0.0',
    '10.0.0.0/8/8',
    '10.0.0.0 /8',
    '10.0.0.0/ 8',
    '10.0.0.0/8\n-A INPUT',
    'example.org/8',
    '010.0.0.0/8',
    '::ffff:10.0.0.0/104',
    'fe80::%eth0/64',
  ]
  for (const text of refused) it(`refuses ${JSON.stringify(text)}`, () => assert.equal(parseCidr(text), undefined))

  it('clears exactly the host bits, in both families', () => {
    const bits = { IPv4: 32, IPv6: 128 } as const
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), fc.nat(128), (text, length) => {
        const parsed = parseAddress(text)
        if (parsed === undefined || length > bits[familyOf(parsed)]) return
        const range = parseCidr(`${text}/${length}`)
        assert.ok(range !== undefined)
        const [network = '', suffix] = range.split('/')
        const host = BigInt(bits[familyOf(parsed)] - length)
        assert.equal(numberOf(network), (numberOf(parsed) >> host) << host)
        assert.equal(suffix, `${length}`)
      }),
    )
  })
})

describe('questions about addresses', () => {
  it('tells the families apart', () => {
    assert.equal(familyOf(address('10.0.0.1')), 'IPv4')
    assert.equal(familyOf(address('::1')), 'IPv6')
    assert.equal(familyOf(cidr('fd00::/56')), 'IPv6')
    assert.deepEqual(ofFamily(['10.0.0.1', 'fd00::1', '10.0.0.2'].map(address), 'IPv4'), ['10.0.0.1', '10.0.0.2'])
  })

  it('makes the range that holds one address', () => {
    assert.equal(hostCidr(address('10.0.0.1')), '10.0.0.1/32')
    assert.equal(hostCidr(address('fd00::1')), 'fd00::1/128')
  })

  it('puts IPv6 into brackets before a port', () => {
    assert.equal(hostPort(address('10.0.0.1'), 80), '10.0.0.1:80')
    assert.equal(hostPort(address('fd00::1'), 80), '[fd00::1]:80')
  })

  const inside: readonly (readonly [range: string, inside: string, holds: boolean])[] = [
    ['10.0.0.0/8', '10.255.255.255', true],
    ['10.0.0.0/8', '11.0.0.0', false],
    ['10.0.0.7/32', '10.0.0.7', true],
    ['0.0.0.0/0', '203.0.113.1', true],
    ['0.0.0.0/0', '::1', false],
    ['::/0', '10.0.0.1', false],
    ['fd00:10::/32', 'fd00:10:ffff::1', true],
    ['fd00:10::/32', 'fd00:11::1', false],
  ]
  for (const [range, member, holds] of inside) {
    it(`says that ${member} is ${holds ? '' : 'not '}in ${range}`, () =>
      assert.equal(contains(cidr(range), address(member)), holds))
  }

  const whole: readonly (readonly [range: string, is: boolean])[] = [
    ['0.0.0.0/0', true],
    ['::/0', true],
    ['0.0.0.0/1', false],
    ['10.0.0.0/10', false],
    ['fd00::/100', false],
  ]
  for (const [range, is] of whole) {
    it(`says that ${range} is ${is ? '' : 'not '}a whole family`, () => assert.equal(isWholeFamily(cidr(range)), is))
  }

  const loopback: readonly (readonly [text: string, is: boolean])[] = [
    ['127.0.0.1', true],
    ['127.255.255.254', true],
    ['128.0.0.1', false],
    ['12.7.0.1', false],
    ['::1', true],
    ['::1:1', false],
  ]
  for (const [text, is] of loopback) {
    it(`says that ${text} is ${is ? '' : 'not '}loopback`, () => assert.equal(isLoopback(address(text)), is))
  }
})

/** The address as one number; written apart from the code under test. */
function numberOf(text: string): bigint {
  if (!text.includes(':')) return text.split('.').reduce((sum, part) => (sum << 8n) | BigInt(part), 0n)
  const [before = '', after] = text.split('::')
  const groups = (part: string | undefined): string[] => (part === undefined || part === '' ? [] : part.split(':'))
  const zeros = after === undefined ? 0 : 8 - groups(before).length - groups(after).length
  const all = [...groups(before), ...Array<string>(zeros).fill('0'), ...groups(after)]
  return all.reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n)
}
