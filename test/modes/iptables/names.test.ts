// Chain names equal kube-proxy's, and which chains are ours.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { endpointsOf } from '../../../src/model/endpoint.ts'
import type { Protocol } from '../../../src/model/objects.ts'
import { type ServicePort, servicePorts } from '../../../src/model/service-port.ts'
import { iptablesRoles } from '../../../src/modes/iptables/base-chains.ts'
import {
  clusterPolicyChain,
  endpointChain,
  externalChain,
  firewallChain,
  localPolicyChain,
} from '../../../src/modes/iptables/names.ts'
import type { ChainKind } from '../../../src/modes/rules/chains.ts'
import { endpoint, service, slice } from '../../support/cluster.ts'

const portOf = (namespace: string, name: string, portName: string, protocol: Protocol = 'TCP'): ServicePort =>
  servicePorts(
    service({ namespace, name, ports: [{ name: portName, protocol, port: 80, nodePort: 0 }] }),
    'IPv4',
  )[0] as ServicePort

describe('chain names', () => {
  // Recorded from clusters that kube-proxy runs in; everyone who debugs Services has met the first two.
  const known: readonly (readonly [namespace: string, name: string, port: string, protocol: Protocol, chain: string])[] = [
    ['default', 'kubernetes', 'https', 'TCP', 'KUBE-SVC-NPX46M4PTMTKRN6Y'],
    ['kube-system', 'kube-dns', 'dns', 'UDP', 'KUBE-SVC-TCOU7JCQXEZGVUNU'],
    ['kube-system', 'kube-dns', 'dns-tcp', 'TCP', 'KUBE-SVC-ERIFXISQEP7F7OF4'],
    ['kube-system', 'kube-dns', 'metrics', 'TCP', 'KUBE-SVC-JD5MR3NA4I4DYORP'],
  ]
  for (const [namespace, name, port, protocol, chain] of known) {
    it(`of ${namespace}/${name}:${port} is ${chain}`, () =>
      assert.equal(clusterPolicyChain(portOf(namespace, name, port, protocol)), chain))
  }

  it('of one service port differ by their prefix alone', () => {
    const port = portOf('default', 'kubernetes', 'https')
    const hash = 'NPX46M4PTMTKRN6Y'
    assert.deepEqual(
      [clusterPolicyChain, localPolicyChain, externalChain, firewallChain].map(name => name(port)),
      ['KUBE-SVC', 'KUBE-SVL', 'KUBE-EXT', 'KUBE-FW'].map(prefix => `${prefix}-${hash}`),
    )
  })

  it('are the first 16 characters of the base32 form of SHA-256 over name, protocol and endpoint', () => {
    const texts = fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/)
    fc.assert(
      fc.property(texts, texts, texts, fc.constantFrom<Protocol>('TCP', 'UDP', 'SCTP'), (namespace, name, portName, protocol) => {
        const port = portOf(namespace, name, portName, protocol)
        const text = `${namespace}/${name}:${portName}${protocol.toLowerCase()}`
        assert.equal(clusterPolicyChain(port), `KUBE-SVC-${base32(text)}`)
        const slices = [slice({ ports: [{ name: portName, protocol, port: 8080 }], endpoints: [endpoint('10.244.1.1')] })]
        const [pod] = endpointsOf(port, slices, 'node1')
        assert.equal(pod && endpointChain(port, pod), `KUBE-SEP-${base32(`${text}10.244.1.1:8080`)}`)
      }),
    )
  })

  it('of IPv6 endpoints hash the brackets', () => {
    const port = servicePorts(service({ ipFamilies: ['IPv6'] }), 'IPv6')[0] as ServicePort
    const [pod] = endpointsOf(port, [slice({ family: 'IPv6', endpoints: [endpoint('fd00::1')] })], 'node1')
    assert.equal(pod && endpointChain(port, pod), `KUBE-SEP-${base32('default/webtcp[fd00::1]:8080')}`)
  })

  it('are at most 28 characters long, which is what the kernel takes', () => {
    assert.ok(
      endpointChain(portOf('n'.repeat(63), 's'.repeat(63), 'p'.repeat(63)), { hostPort: '[::1]:1' } as never).length <= 28,
    )
  })
})

describe('the roles of chains', () => {
  const rows: readonly (readonly [name: string, nat: ChainKind, filter: ChainKind])[] = [
    ['KUBE-SERVICES', 'dispatch', 'dispatch'],
    ['KUBE-NODEPORTS', 'dispatch', 'dispatch'],
    ['KUBE-EXTERNAL-SERVICES', 'foreign', 'dispatch'],
    ['KUBE-PROXY-FIREWALL', 'foreign', 'dispatch'],
    ['KUBE-FORWARD', 'foreign', 'leaf'],
    ['KUBE-MARK-MASQ', 'leaf', 'foreign'],
    ['KUBE-POSTROUTING', 'leaf', 'foreign'],
    ['KUBE-PROXY-CANARY', 'leaf', 'leaf'],
    ['KUBE-SVC-NPX46M4PTMTKRN6Y', 'leaf', 'foreign'],
    ['KUBE-SVL-NPX46M4PTMTKRN6Y', 'leaf', 'foreign'],
    ['KUBE-EXT-NPX46M4PTMTKRN6Y', 'leaf', 'foreign'],
    ['KUBE-FW-NPX46M4PTMTKRN6Y', 'leaf', 'foreign'],
    ['KUBE-SEP-NPX46M4PTMTKRN6Y', 'leaf', 'foreign'],
    ['KUBE-SVC-NPX46M4PTMTKRN6', 'foreign', 'foreign'],
    ['KUBE-SVC-NPX46M4PTMTKRN6YZ', 'foreign', 'foreign'],
    ['KUBE-SVC-npx46m4ptmtkrn6y', 'foreign', 'foreign'],
    ['KUBE-SVC-MY-OWN-CHAIN-01', 'foreign', 'foreign'],
    ['KUBE-XLB-NPX46M4PTMTKRN6Y', 'foreign', 'foreign'],
    ['MY-KUBE-SVC-NPX46M4PTMTKRN6Y', 'foreign', 'foreign'],
    ['KUBE-FIREWALL', 'foreign', 'shared'],
    ['KUBE-MARK-DROP', 'foreign', 'foreign'],
    ['KUBE-KUBELET-CANARY', 'foreign', 'foreign'],
    ['KUBE-IPTABLES-HINT', 'foreign', 'foreign'],
    ['PREROUTING', 'shared', 'foreign'],
    ['POSTROUTING', 'shared', 'foreign'],
    ['OUTPUT', 'shared', 'shared'],
    ['INPUT', 'foreign', 'shared'],
    ['FORWARD', 'foreign', 'shared'],
    ['DOCKER', 'foreign', 'foreign'],
    ['KUBE-ROUTER-INPUT', 'foreign', 'foreign'],
  ]
  for (const [name, nat, filter] of rows) {
    it(`of ${name} is ${nat} in nat and ${filter} in filter`, () =>
      assert.deepEqual([iptablesRoles('nat', name), iptablesRoles('filter', name)], [nat, filter]))
  }
})

/** RFC 4648 over SHA-256, bit by bit; written apart from the code under test. */
function base32(text: string): string {
  const bits = [...createHash('sha256').update(text).digest()].map(byte => byte.toString(2).padStart(8, '0')).join('')
  const groups = bits.slice(0, 80).match(/.{5}/g) ?? []
  return groups.map(group => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'[Number.parseInt(group, 2)]).join('')
}
