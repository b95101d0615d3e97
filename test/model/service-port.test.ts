// Which Services this proxy programs, and what their ports are in each family.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { IpFamily } from '../../src/model/address.ts'
import { isExternallyAccessible, isProxied, type ServicePort, servicePorts } from '../../src/model/service-port.ts'
import { address, cidr, type ServiceFields, service } from '../support/cluster.ts'

describe('isProxied', () => {
  const rows: readonly (readonly [title: string, fields: ServiceFields, proxied: boolean])[] = [
    ['takes a cluster IP Service', {}, true],
    ['takes a node port Service', { type: 'NodePort' }, true],
    ['takes a load balancer Service', { type: 'LoadBalancer' }, true],
    ['takes a Service that no API server gave an address', { clusterIPs: [] }, true],
    ['leaves a headless Service alone', { headless: true, clusterIPs: [] }, false],
    ['leaves an ExternalName Service alone', { type: 'ExternalName', clusterIPs: [] }, false],
    ["leaves another proxy's Service alone", { serviceProxyName: 'other' }, false],
    ['leaves a Service alone whose proxy name is empty but set', { serviceProxyName: '' }, false],
  ]
  for (const [title, fields, proxied] of rows) {
    it(title, () => {
      assert.equal(isProxied(service(fields)), proxied)
      assert.equal(servicePorts(service(fields), 'IPv4').length, proxied ? 1 : 0)
    })
  }
})

describe('servicePorts', () => {
  const dual = service({
    namespace: 'team',
    clusterIPs: ['fd00:10:96::7', '10.96.0.7'].map(address),
    ipFamilies: ['IPv6', 'IPv4'],
    externalIPs: ['192.0.2.7', '2001:db8::7', '192.0.2.8'].map(address),
    loadBalancerAddresses: ['2001:db8:1::7', '198.51.100.7'].map(address),
    loadBalancerSourceRanges: ['203.0.113.0/24', '2001:db8:2::/48'].map(cidr),
    externalTrafficPolicy: 'Local',
    internalTrafficPolicy: 'Local',
    affinityTimeoutSeconds: 10_800,
    healthCheckNodePort: 32_000,
    ports: [
      { name: 'https', protocol: 'TCP', port: 443, nodePort: 30_443 },
      { name: 'dns', protocol: 'UDP', port: 53, nodePort: 0 },
    ],
  })

  it('gives each port with what is of its family, in the order of the object', () => {
    const shared = {
      service: 'team/web',
      internalTrafficPolicy: 'Local',
      externalTrafficPolicy: 'Local',
      affinityTimeoutSeconds: 10_800,
      healthCheckNodePort: 32_000,
      ipvsScheduler: undefined,
    }
    const ofIPv4 = {
      ...shared,
      family: 'IPv4',
      clusterIP: '10.96.0.7',
      externalIPs: ['192.0.2.7', '192.0.2.8'],
      loadBalancerAddresses: ['198.51.100.7'],
      loadBalancerSourceRanges: ['203.0.113.0/24'],
    }
    const ofIPv6 = {
      ...shared,
      family: 'IPv6',
      clusterIP: 'fd00:10:96::7',
      externalIPs: ['2001:db8::7'],
      loadBalancerAddresses: ['2001:db8:1::7'],
      loadBalancerSourceRanges: ['2001:db8:2::/48'],
    }
    const https = { name: 'team/web:https', portName: 'https', protocol: 'TCP', port: 443, nodePort: 30_443 }
    const dns = { name: 'team/web:dns', portName: 'dns', protocol: 'UDP', port: 53, nodePort: 0 }
    assert.deepEqual(servicePorts(dual, 'IPv4'), [
      { ...ofIPv4, ...https },
      { ...ofIPv4, ...dns },
    ])
    assert.deepEqual(servicePorts(dual, 'IPv6'), [
      { ...ofIPv6, ...https },
      { ...ofIPv6, ...dns },
    ])
  })

  it('names the unnamed port after the Service alone', () => {
    const [port] = servicePorts(service(), 'IPv4')
    assert.equal(port?.name, 'default/web')
    assert.equal(port?.portName, '')
  })

  const families: readonly (readonly [title: string, fields: ServiceFields, family: IpFamily, count: number])[] = [
    ['gives nothing in a family that the Service does not have', {}, 'IPv6', 0],
    [
      'gives the port without a cluster IP where none was allocated',
      { clusterIPs: [], externalIPs: [address('192.0.2.7')] },
      'IPv4',
      1,
    ],
    ['gives nothing for an address of a family that is not in ipFamilies', { externalIPs: [address('2001:db8::7')] }, 'IPv6', 0],
  ]
  for (const [title, fields, family, count] of families) {
    it(title, () => assert.equal(servicePorts(service(fields), family).length, count))
  }
  it('knows no cluster IP where none was allocated', () =>
    assert.equal(servicePorts(service({ clusterIPs: [] }), 'IPv4')[0]?.clusterIP, undefined))
})

describe('isExternallyAccessible', () => {
  const rows: readonly (readonly [title: string, fields: ServiceFields, accessible: boolean])[] = [
    ['no address but the cluster IP', {}, false],
    ['a node port', { ports: [{ name: '', protocol: 'TCP', port: 80, nodePort: 30_080 }] }, true],
    ['a load balancer address', { loadBalancerAddresses: [address('192.0.2.1')] }, true],
    ['an external address', { externalIPs: [address('192.0.2.1')] }, true],
    ['source ranges alone', { loadBalancerSourceRanges: [cidr('192.0.2.0/24')] }, false],
    ['an external address of the other family', { externalIPs: [address('2001:db8::1')] }, false],
  ]
  for (const [title, fields, accessible] of rows) {
    it(`is ${accessible} with ${title}`, () => {
      const [port] = servicePorts(service(fields), 'IPv4')
      assert.equal(isExternallyAccessible(port as ServicePort), accessible)
    })
  }
})
