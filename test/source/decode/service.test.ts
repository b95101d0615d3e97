// Services: defaults, each bad field, and what a field that is wrong only in part leaves standing.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Service } from '../../../src/model/objects.ts'
import { decodeObject, problemText } from '../../../src/source/decode.ts'
import { type Raw, rawService } from '../support/objects.ts'

const loadBalancer = (spec: Raw = {}, ingress: readonly Raw[] = [{ ip: '192.0.2.1' }]): Raw =>
  rawService({ type: 'LoadBalancer', ...spec }, { status: { loadBalancer: { ingress } } })

function decode(raw: Raw): { service: Service; warnings: readonly string[] } {
  const result = decodeObject(raw)
  assert.equal(result.outcome, 'decoded', JSON.stringify(result))
  assert.ok(result.outcome === 'decoded' && result.object.kind === 'Service')
  return { service: result.object, warnings: result.warnings.map(problemText) }
}

describe('a Service', () => {
  it('takes the documented defaults for everything that is absent', () => {
    const { service, warnings } = decode({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web' },
      spec: { clusterIP: '10.96.0.7', ports: [{ port: 80 }] },
    })
    assert.deepEqual(service, {
      kind: 'Service',
      namespace: 'default',
      name: 'web',
      uid: '',
      type: 'ClusterIP',
      headless: false,
      serviceProxyName: undefined,
      clusterIPs: ['10.96.0.7'],
      ipFamilies: ['IPv4'],
      externalIPs: [],
      loadBalancerAddresses: [],
      loadBalancerSourceRanges: [],
      externalTrafficPolicy: 'Cluster',
      internalTrafficPolicy: 'Cluster',
      affinityTimeoutSeconds: undefined,
      healthCheckNodePort: 0,
      ports: [{ name: '', protocol: 'TCP', port: 80, nodePort: 0 }],
      annotations: undefined,
    })
    assert.deepEqual(warnings, [])
  })

  it('reads null as absent, as an API server means it', () => {
    const nulls = Object.fromEntries(
      [
        'type',
        'clusterIPs',
        'ipFamilies',
        'externalIPs',
        'loadBalancerSourceRanges',
        'externalTrafficPolicy',
        'internalTrafficPolicy',
        'sessionAffinity',
        'sessionAffinityConfig',
        'healthCheckNodePort',
      ].map(field => [field, null]),
    )
    const raw = rawService(
      { ...nulls, ports: [{ name: null, protocol: null, port: 80, nodePort: null }] },
      { metadata: { labels: null, annotations: null } },
    )
    assert.deepEqual(decode({ ...raw, status: null }), decode(rawService()))
  })

  const rows: readonly { title: string; raw: Raw; expect: Partial<Service> }[] = [
    {
      title: 'takes the families from its cluster IPs',
      raw: rawService({ clusterIP: 'fd00::7', clusterIPs: ['fd00::7', '10.96.0.7'] }),
      expect: { clusterIPs: ['fd00::7', '10.96.0.7'] as never, ipFamilies: ['IPv6', 'IPv4'] },
    },
    {
      title: 'takes the families from its other addresses where it has no cluster IP',
      raw: rawService({ clusterIP: undefined, externalIPs: ['2001:db8::7'] }),
      expect: { clusterIPs: [], ipFamilies: ['IPv6'] },
    },
    {
      title: 'is of IPv4 where nothing tells its family',
      raw: rawService({ clusterIP: 'None' }),
      expect: { headless: true, ipFamilies: ['IPv4'] },
    },
    {
      title: 'keeps the families that are given',
      raw: rawService({ ipFamilies: ['IPv4', 'IPv6'] }),
      expect: { ipFamilies: ['IPv4', 'IPv6'] },
    },
    {
      title: 'writes addresses in their canonical form',
      raw: rawService({ clusterIP: 'FD00:0:0::7' }),
      expect: { clusterIPs: ['fd00::7'] as never },
    },
    {
      title: 'is headless by its label',
      raw: rawService({}, { metadata: { labels: { 'service.kubernetes.io/headless': '' } } }),
      expect: { headless: true },
    },
    {
      title: 'belongs to another proxy by its label',
      raw: rawService({}, { metadata: { labels: { 'service.kubernetes.io/service-proxy-name': 'other' } } }),
      expect: { serviceProxyName: 'other' },
    },
    {
      title: 'needs no ports where it is headless',
      raw: rawService({ clusterIP: 'None', ports: undefined }),
      expect: { headless: true, ports: [] },
    },
    {
      title: 'needs no ports and no address where it is an ExternalName',
      raw: rawService({ type: 'ExternalName', clusterIP: undefined, ports: undefined }),
      expect: { type: 'ExternalName', ports: [] },
    },
    {
      title: 'has the default affinity timeout',
      raw: rawService({ sessionAffinity: 'ClientIP' }),
      expect: { affinityTimeoutSeconds: 10_800 },
    },
    {
      title: 'has its own affinity timeout',
      raw: rawService({ sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 3600 } } }),
      expect: { affinityTimeoutSeconds: 3600 },
    },
    {
      title: 'has no timeout where affinity is off',
      raw: rawService({ sessionAffinityConfig: { clientIP: { timeoutSeconds: 3600 } } }),
      expect: { affinityTimeoutSeconds: undefined },
    },
    {
      title: 'has no external policy where nobody outside can reach it',
      raw: rawService({ externalTrafficPolicy: 'Local' }),
      expect: { externalTrafficPolicy: 'Cluster' },
    },
    {
      title: 'has an external policy where it has external IPs',
      raw: rawService({ externalTrafficPolicy: 'Local', externalIPs: ['192.0.2.9'] }),
      expect: { externalTrafficPolicy: 'Local' },
    },
    {
      title: 'has an external policy where it is a NodePort',
      raw: rawService({ externalTrafficPolicy: 'Local', type: 'NodePort' }),
      expect: { externalTrafficPolicy: 'Local' },
    },
    {
      title: 'answers health checks as a local load balancer',
      raw: loadBalancer({ externalTrafficPolicy: 'Local', healthCheckNodePort: 31000 }),
      expect: { healthCheckNodePort: 31000 },
    },
    {
      title: 'answers no health checks as a load balancer of policy Cluster',
      raw: loadBalancer({ healthCheckNodePort: 31000 }),
      expect: { healthCheckNodePort: 0 },
    },
    {
      title: 'answers no health checks as a NodePort',
      raw: rawService({ type: 'NodePort', externalTrafficPolicy: 'Local', healthCheckNodePort: 31000 }),
      expect: { healthCheckNodePort: 0 },
    },
    {
      title: 'skips load balancer addresses of mode Proxy and host names',
      raw: loadBalancer({}, [
        { ip: '192.0.2.1', ipMode: 'Proxy' },
        { hostname: 'lb.example.com' },
        { ip: '192.0.2.2', ipMode: 'VIP' },
        { ip: '192.0.2.3' },
      ]),
      expect: { loadBalancerAddresses: ['192.0.2.2', '192.0.2.3'] as never },
    },
    {
      title: 'names each address once',
      raw: rawService({ externalIPs: ['192.0.2.9', '192.0.2.9'] }),
      expect: { externalIPs: ['192.0.2.9'] as never },
    },
    {
      title: 'tolerates blanks around source ranges and clears their host bits',
      raw: loadBalancer({ loadBalancerSourceRanges: [' 198.51.100.7/24 '] }),
      expect: { loadBalancerSourceRanges: ['198.51.100.0/24'] as never },
    },
    {
      title: 'has source ranges only as a load balancer',
      raw: rawService({ loadBalancerSourceRanges: ['198.51.100.0/24'] }),
      expect: { loadBalancerSourceRanges: [] },
    },
    {
      title: 'uses one port number for two protocols',
      raw: rawService({
        ports: [
          { name: 'dns', port: 53, protocol: 'UDP' },
          { name: 'dns-tcp', port: 53 },
        ],
      }),
      expect: {
        ports: [
          { name: 'dns', protocol: 'UDP', port: 53, nodePort: 0 },
          { name: 'dns-tcp', protocol: 'TCP', port: 53, nodePort: 0 },
        ],
      },
    },
    {
      title: 'keeps the annotations that are ours to read',
      raw: rawService(
        {},
        { metadata: { annotations: { 'switchyard/scheduler': 'rr', 'kube-router.io/service.dsr': 'tunnel', other: 'x' } } },
      ),
      expect: { annotations: { 'switchyard/scheduler': 'rr', 'kube-router.io/service.dsr': 'tunnel' } },
    },
    {
      title: 'has a name of up to 63 characters',
      raw: rawService({}, { metadata: { name: 'a'.repeat(63) } }),
      expect: { name: 'a'.repeat(63) as never },
    },
  ]
  for (const { title, raw, expect } of rows) {
    it(title, () => {
      const { service, warnings } = decode(raw)
      for (const [field, value] of Object.entries(expect)) assert.deepEqual(service[field as keyof Service], value, field)
      const noClusterIP = (raw['spec'] as Raw)['clusterIP'] === undefined && service.type !== 'ExternalName'
      assert.equal(warnings.length, noClusterIP ? 1 : 0, warnings.join('\n'))
    })
  }
})

describe('a Service that would make wrong rules is refused', () => {
  const named = (...ports: readonly Raw[]): Raw => rawService({ type: 'NodePort', ports })
  const rows: readonly { title: string; raw: Raw; problem: RegExp }[] = [
    {
      title: 'without a name',
      raw: rawService({}, { metadata: { name: undefined } }),
      problem: /^metadata\.name is missing; expected a DNS label/,
    },
    {
      title: 'with a newline in its name',
      raw: rawService({}, { metadata: { name: 'web\n-A INPUT' } }),
      problem: /^metadata\.name is "web\\n-A INPUT"; expected a DNS label/,
    },
    {
      title: 'with a subdomain for a name',
      raw: rawService({}, { metadata: { name: 'web.old' } }),
      problem: /^metadata\.name is "web\.old"/,
    },
    {
      title: 'with a name of 64 characters',
      raw: rawService({}, { metadata: { name: 'a'.repeat(64) } }),
      problem: /^metadata\.name is "a{60}\.\.\."/,
    },
    { title: 'with a number for a name', raw: rawService({}, { metadata: { name: 7 } }), problem: /^metadata\.name is 7;/ },
    {
      title: 'with a bad namespace',
      raw: rawService({}, { metadata: { namespace: 'Default' } }),
      problem: /^metadata\.namespace is "Default"/,
    },
    {
      title: 'with text for metadata',
      raw: { ...rawService(), metadata: 'web' },
      problem: /^metadata is "web"; expected an object/,
    },
    { title: 'with a list for spec', raw: { ...rawService(), spec: [] }, problem: /^spec is a list; expected an object/ },
    {
      title: 'with an unknown type',
      raw: rawService({ type: 'Loadbalancer' }),
      problem: /^spec\.type is "Loadbalancer"; expected ClusterIP, NodePort, LoadBalancer or ExternalName$/,
    },
    {
      title: 'with a host name for an address',
      raw: rawService({ clusterIP: 'example.com' }),
      problem: /^spec\.clusterIP is "example\.com"; expected an IPv4 or IPv6 address/,
    },
    {
      title: 'with leading zeros in its address',
      raw: rawService({ clusterIP: '10.096.0.7' }),
      problem: /^spec\.clusterIP is "10\.096\.0\.7"/,
    },
    {
      title: 'with loopback for an address',
      raw: rawService({ clusterIP: '127.0.0.1' }),
      problem: /expected an address that is not loopback$/,
    },
    {
      title: 'with the unspecified address',
      raw: rawService({ clusterIP: '::' }),
      problem: /expected an address that is not unspecified$/,
    },
    {
      title: 'with None beside an address',
      raw: rawService({ clusterIP: undefined, clusterIPs: ['10.96.0.7', 'None'] }),
      problem: /^spec\.clusterIPs\[1\] is "None"/,
    },
    {
      title: 'with two addresses of one family',
      raw: rawService({ clusterIP: undefined, clusterIPs: ['10.96.0.7', '10.96.0.8'] }),
      problem: /^spec\.clusterIPs is 10\.96\.0\.7, 10\.96\.0\.8; expected at most one address of each family$/,
    },
    {
      title: 'with three addresses',
      raw: rawService({ clusterIP: undefined, clusterIPs: ['10.96.0.7', 'fd00::7', 'fd00::8'] }),
      problem: /at most one address of each family$/,
    },
    {
      title: 'with clusterIP and clusterIPs that disagree',
      raw: rawService({ clusterIP: '10.96.0.8', clusterIPs: ['10.96.0.7'] }),
      problem: /^spec\.clusterIP is "10\.96\.0\.8"; expected the same as spec\.clusterIPs\[0\], "10\.96\.0\.7"$/,
    },
    {
      title: 'with an unknown family',
      raw: rawService({ ipFamilies: ['ipv4'] }),
      problem: /^spec\.ipFamilies\[0\] is "ipv4"; expected IPv4 or IPv6$/,
    },
    { title: 'with one family twice', raw: rawService({ ipFamilies: ['IPv4', 'IPv4'] }), problem: /expected each family once$/ },
    {
      title: 'with an address of another family than it says',
      raw: rawService({ ipFamilies: ['IPv6'] }),
      problem: /^spec\.ipFamilies is IPv6; expected the family of the cluster IP 10\.96\.0\.7 among them$/,
    },
    { title: 'with text for its ports', raw: rawService({ ports: '80' }), problem: /^spec\.ports is "80"; expected a list$/ },
    { title: 'without ports', raw: rawService({ ports: [] }), problem: /^spec\.ports is empty; expected at least one port$/ },
    {
      title: 'with a number in place of a port',
      raw: rawService({ ports: [80] }),
      problem: /^spec\.ports\[0\] is 80; expected an object/,
    },
    {
      title: 'without a port number',
      raw: rawService({ ports: [{ name: 'http' }] }),
      problem: /^spec\.ports\[0\]\.port is missing; expected a whole number from 1 to 65535$/,
    },
    { title: 'with port 0', raw: rawService({ ports: [{ port: 0 }] }), problem: /^spec\.ports\[0\]\.port is 0;/ },
    { title: 'with port 65536', raw: rawService({ ports: [{ port: 65536 }] }), problem: /^spec\.ports\[0\]\.port is 65536;/ },
    {
      title: 'with a fraction for a port',
      raw: rawService({ ports: [{ port: 80.5 }] }),
      problem: /^spec\.ports\[0\]\.port is 80\.5;/,
    },
    { title: 'with a quoted port', raw: rawService({ ports: [{ port: '80' }] }), problem: /^spec\.ports\[0\]\.port is "80";/ },
    {
      title: 'with an unknown protocol',
      raw: rawService({ ports: [{ port: 80, protocol: 'tcp' }] }),
      problem: /^spec\.ports\[0\]\.protocol is "tcp"; expected TCP, UDP or SCTP$/,
    },
    {
      title: 'with a bad port name',
      raw: rawService({ ports: [{ port: 80, name: 'http"x' }] }),
      problem: /^spec\.ports\[0\]\.name is "http\\"x"; expected a DNS label/,
    },
    {
      title: 'with a node port out of range',
      raw: named({ port: 80, nodePort: 70000 }),
      problem: /^spec\.ports\[0\]\.nodePort is 70000;/,
    },
    {
      title: 'with two ports and one name',
      raw: named({ port: 80, name: 'http' }, { port: 81 }),
      problem: /^spec\.ports\[1\]\.name is missing; expected a name/,
    },
    {
      title: 'with one name twice',
      raw: named({ port: 80, name: 'http' }, { port: 81, name: 'http' }),
      problem: /^spec\.ports\[1\]\.name is "http"; expected a value of its own; spec\.ports\[0\] has the same$/,
    },
    {
      title: 'with one port and protocol twice',
      raw: named({ port: 80, name: 'a' }, { port: 80, name: 'b' }),
      problem: /^spec\.ports\[1\]\.port is "80\/TCP"/,
    },
    {
      title: 'with one node port and protocol twice',
      raw: named({ port: 80, nodePort: 30080, name: 'a' }, { port: 81, nodePort: 30080, name: 'b' }),
      problem: /^spec\.ports\[1\]\.nodePort is "30080\/TCP"/,
    },
    {
      title: 'with an unknown external policy',
      raw: rawService({ externalTrafficPolicy: 'local' }),
      problem: /^spec\.externalTrafficPolicy is "local"; expected Cluster or Local$/,
    },
    {
      title: 'with an unknown internal policy',
      raw: rawService({ internalTrafficPolicy: 'Node' }),
      problem: /^spec\.internalTrafficPolicy is "Node"/,
    },
    {
      title: 'with an unknown affinity',
      raw: rawService({ sessionAffinity: 'Cookie' }),
      problem: /^spec\.sessionAffinity is "Cookie"; expected None or ClientIP$/,
    },
    {
      title: 'with an affinity of no time',
      raw: rawService({ sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 0 } } }),
      problem: /timeoutSeconds is 0; expected a whole number from 1 to 86400$/,
    },
    {
      title: 'with an affinity of more than a day',
      raw: rawService({ sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 86_401 } } }),
      problem: /timeoutSeconds is 86401;/,
    },
    {
      title: 'with text for its external IPs',
      raw: rawService({ externalIPs: '192.0.2.9' }),
      problem: /^spec\.externalIPs is "192\.0\.2\.9"; expected a list$/,
    },
    {
      title: 'with text for its source ranges',
      raw: loadBalancer({ loadBalancerSourceRanges: '198.51.100.0/24' }),
      problem: /^spec\.loadBalancerSourceRanges is "198\.51\.100\.0\/24"; expected a list$/,
    },
    {
      title: 'with a label that is no text',
      raw: rawService({}, { metadata: { labels: { 'service.kubernetes.io/service-proxy-name': 1 } } }),
      problem: /^metadata\.labels\["service\.kubernetes\.io\/service-proxy-name"\] is 1; expected text$/,
    },
  ]
  for (const { title, raw, problem } of rows) {
    it(title, () => {
      const result = decodeObject(raw)
      assert.ok(result.outcome === 'refused', JSON.stringify(result))
      assert.match(problemText(result.error), problem)
      assert.match(result.error.advice, /^[A-Z].*\.$/)
      assert.ok(result.name.startsWith('Service '))
      assert.doesNotMatch(result.name, /\n/)
    })
  }

  it('and still says who it is, so that its last good version can stay', () => {
    const result = decodeObject(rawService({ ports: [] }))
    assert.ok(result.outcome === 'refused')
    assert.equal(result.id, 'Service default/web')
    assert.equal(result.name, 'Service default/web')
  })
})

describe('a Service that is wrong in a part keeps the rest', () => {
  const rows: readonly { title: string; raw: Raw; expect: Partial<Service>; warnings: readonly RegExp[] }[] = [
    {
      title: 'without a cluster IP its other addresses work',
      raw: rawService({ clusterIP: '', externalIPs: ['192.0.2.9'] }),
      expect: { clusterIPs: [], externalIPs: ['192.0.2.9'] as never },
      warnings: [/^spec\.clusterIP is missing; expected an address$/],
    },
    {
      title: 'a bad external IP is left out',
      raw: rawService({ externalIPs: ['192.0.2.9', 'x', '127.0.0.1', '169.254.1.1', '224.0.0.1', '0.0.0.0'] }),
      expect: { externalIPs: ['192.0.2.9'] as never },
      warnings: [
        /\[1\] is "x"/,
        /\[2\].*not loopback$/,
        /\[3\].*not link-local$/,
        /\[4\].*not multicast$/,
        /\[5\].*not unspecified$/,
      ],
    },
    {
      title: 'a bad load balancer address is left out',
      raw: loadBalancer({}, [{ ip: '192.0.2.300' }, { ip: '192.0.2.2' }]),
      expect: { loadBalancerAddresses: ['192.0.2.2'] as never },
      warnings: [/^status\.loadBalancer\.ingress\[0\]\.ip is "192\.0\.2\.300"/],
    },
    {
      title: 'an unknown mode of a load balancer address leaves it out',
      raw: loadBalancer({}, [{ ip: '192.0.2.2', ipMode: 'vip' }]),
      expect: { loadBalancerAddresses: [] },
      warnings: [/^status\.loadBalancer\.ingress\[0\]\.ipMode is "vip"; expected VIP or Proxy$/],
    },
    {
      title: 'load balancer addresses of another type are not served',
      raw: { ...loadBalancer(), spec: { clusterIP: '10.96.0.7', ports: [{ port: 80 }] } },
      expect: { loadBalancerAddresses: [] },
      warnings: [/^status\.loadBalancer\.ingress is set; expected nothing, as spec\.type is ClusterIP$/],
    },
    {
      title: 'a node port of a ClusterIP is not opened',
      raw: rawService({ ports: [{ port: 80, nodePort: 30080 }] }),
      expect: { ports: [{ name: '', protocol: 'TCP', port: 80, nodePort: 0 }] },
      warnings: [/^spec\.ports\[0\]\.nodePort is 30080; expected none, as spec\.type is ClusterIP$/],
    },
    {
      title: 'a bad health check port is not answered',
      raw: loadBalancer({ externalTrafficPolicy: 'Local', healthCheckNodePort: 99999 }),
      expect: { healthCheckNodePort: 0 },
      warnings: [/^spec\.healthCheckNodePort is 99999;/],
    },
    {
      title: 'an annotation that is no text is left out',
      raw: rawService({}, { metadata: { annotations: { 'switchyard/x': 1 } } }),
      expect: { annotations: undefined },
      warnings: [/^metadata\.annotations\["switchyard\/x"\] is 1; expected text$/],
    },
    {
      title: 'a bad source range is left out beside a good one',
      raw: loadBalancer({ loadBalancerSourceRanges: ['198.51.100.0/24', '203.0.113.0/33'] }),
      expect: { loadBalancerSourceRanges: ['198.51.100.0/24'] as never },
      warnings: [/^spec\.loadBalancerSourceRanges\[1\] is "203\.0\.113\.0\/33"; expected a range in CIDR form/],
    },
    {
      title: 'a range of no known family is left out where every family keeps another',
      raw: loadBalancer({ loadBalancerSourceRanges: ['198.51.100.0/24', 'office'] }),
      expect: { loadBalancerSourceRanges: ['198.51.100.0/24'] as never },
      warnings: [/\[1\] is "office"/],
    },
    {
      title: 'a bad IPv6 range leaves IPv4 open where no IPv4 range was given',
      raw: loadBalancer({ clusterIPs: ['10.96.0.7', 'fd00::7'], loadBalancerSourceRanges: ['2001:db8::/32', '2001:db9::/129'] }),
      expect: { loadBalancerSourceRanges: ['2001:db8::/32'] as never },
      warnings: [/\[1\]/],
    },
  ]
  for (const { title, raw, expect, warnings } of rows) {
    it(title, () => {
      const result = decode(raw)
      for (const [field, value] of Object.entries(expect)) assert.deepEqual(result.service[field as keyof Service], value, field)
      assert.equal(result.warnings.length, warnings.length, result.warnings.join('\n'))
      for (const [index, pattern] of warnings.entries()) assert.match(result.warnings[index] ?? '', pattern)
    })
  }
})

describe('a bad source range never opens a load balancer', () => {
  const dualStack = { clusterIPs: ['10.96.0.7', 'fd00::7'] }
  const rows: readonly { title: string; raw: Raw }[] = [
    { title: 'where it is the only one', raw: loadBalancer({ loadBalancerSourceRanges: ['198.51.100.0/33'] }) },
    { title: 'where it is empty', raw: loadBalancer({ loadBalancerSourceRanges: [''] }) },
    { title: 'where it is null', raw: loadBalancer({ loadBalancerSourceRanges: [null] }) },
    { title: 'where all are bad', raw: loadBalancer({ loadBalancerSourceRanges: ['a', 'b'] }) },
    {
      title: 'where the other ranges are of the other family',
      raw: loadBalancer({ ...dualStack, loadBalancerSourceRanges: ['198.51.100.0/33', '2001:db8::/32'] }),
    },
    {
      title: 'where it may have been meant for either family',
      raw: loadBalancer({ ...dualStack, loadBalancerSourceRanges: ['198.51.100.0/24', 'office'] }),
    },
    {
      title: 'where only the load balancer has the family',
      raw: loadBalancer({ loadBalancerSourceRanges: ['198.51.100.0/24', 'fd00::/x'] }, [{ ip: '2001:db8::1' }]),
    },
    {
      title: 'where the load balancer has no address yet',
      raw: loadBalancer({ loadBalancerSourceRanges: ['198.51.100.0/33'] }, []),
    },
  ]
  for (const { title, raw } of rows) {
    it(title, () => {
      const result = decodeObject(raw)
      assert.ok(result.outcome === 'refused', JSON.stringify(result))
      assert.match(problemText(result.error), /^spec\.loadBalancerSourceRanges\[\d\] is .*; expected a range in CIDR form/)
      assert.match(result.error.advice, /would be open to all/)
    })
  }
})
