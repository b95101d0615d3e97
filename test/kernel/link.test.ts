// What ip prints of links and addresses, and takes. The outputs are a real one's: iproute2 6.1 over kernel 6.1.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseComplaint } from '../../src/kernel/iptables.ts'
import {
  addAddress,
  addDummyLink,
  deleteAddress,
  deleteLink,
  dummyAddressesQuery,
  hasLink,
  parseAddresses,
} from '../../src/kernel/link.ts'
import { address } from '../support/cluster.ts'

const links = `3: kube-ipvs0: <BROADCAST,NOARP> mtu 1500 qdisc noop state DOWN mode DEFAULT group default qlen 1000\\    link/ether 7e:a2:11:4a:5e:5d brd ff:ff:ff:ff:ff:ff
4: nodelocaldns@kube-ipvs: <BROADCAST,NOARP> mtu 1500 qdisc noop state DOWN mode DEFAULT group default qlen 1000\\    link/ether 16:1e:34:cd:1f:b0 brd ff:ff:ff:ff:ff:ff
`
const addresses4 = `1: lo    inet 127.0.0.1/8 scope host lo\\       valid_lft forever preferred_lft forever
3: kube-ipvs0    inet 10.96.0.1/32 scope global kube-ipvs0\\       valid_lft forever preferred_lft forever
3: kube-ipvs0    inet 198.51.100.7/32 scope global kube-ipvs0\\       valid_lft forever preferred_lft forever
4: nodelocaldns    inet 169.254.20.10/32 scope global nodelocaldns\\       valid_lft forever preferred_lft forever
`
const addresses6 = `3: kube-ipvs0    inet6 fd00:10:96::1/128 scope global \\       valid_lft forever preferred_lft forever
3: kube-ipvs0    inet6 fe80::7ca2:11ff:fe4a:5e5d/64 scope link \\       valid_lft forever preferred_lft forever
`

describe('hasLink', () => {
  it('finds a link by its whole name', () => {
    assert.ok(hasLink(links, 'kube-ipvs0'))
    assert.ok(hasLink(links, 'nodelocaldns'))
    for (const name of ['kube-ipvs', 'kube-ipvs00', 'ipvs0', 'noop']) assert.ok(!hasLink(links, name), name)
    assert.ok(!hasLink('', 'kube-ipvs0'))
  })
})

describe('parseAddresses', () => {
  it('gives those of the link alone, though others are printed', () => {
    assert.deepEqual(parseAddresses(addresses4, 'kube-ipvs0'), new Set(['10.96.0.1', '198.51.100.7']))
  })
  it('gives none that the kernel gave by itself', () => {
    assert.deepEqual(parseAddresses(addresses6, 'kube-ipvs0'), new Set(['fd00:10:96::1']))
  })
  it('gives nothing for nothing', () => assert.equal(parseAddresses('', 'kube-ipvs0').size, 0))
})

it('each family is asked for by itself', () => {
  assert.deepEqual(dummyAddressesQuery('IPv4').argv, ['ip', '-4', '-o', 'addr', 'show', 'type', 'dummy'])
  assert.deepEqual(dummyAddressesQuery('IPv6').argv, ['ip', '-6', '-o', 'addr', 'show', 'type', 'dummy'])
})

it('what is fed is as ip -batch takes it', () => {
  assert.equal(addDummyLink('kube-ipvs0'), 'link add kube-ipvs0 type dummy')
  assert.equal(deleteLink('kube-ipvs0'), 'link del kube-ipvs0')
  assert.equal(addAddress('kube-ipvs0', address('10.96.0.1')), 'addr add 10.96.0.1/32 dev kube-ipvs0')
  assert.equal(deleteAddress('kube-ipvs0', address('fd00::1')), 'addr del fd00::1/128 dev kube-ipvs0')
})

it('a complaint names the line', () => {
  assert.deepEqual(parseComplaint('RTNETLINK answers: File exists\nCommand failed -:2'), { line: 2 })
  assert.deepEqual(parseComplaint('Error: any valid prefix is expected rather than "x".\nCommand failed -:14'), { line: 14 })
})
