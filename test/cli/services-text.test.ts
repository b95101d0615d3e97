// What `switchyard status services` shows, by the line.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { serviceDetailText, serviceListText } from '../../src/cli/services-text.ts'
import type { EndpointDetail, ServiceDetail, ServiceList, ServiceState } from '../../src/explain/services-object.ts'

const about = { apiVersion: 'switchyard/v1', time: '2026-08-02T12:00:00.000Z', node: 'node1', mode: 'iptables' } as const
const yes: ServiceState = { programmed: 'yes', remarks: [] }

function list(services: ServiceList['services'], total = services.length): readonly string[] {
  return serviceListText({ ...about, kind: 'ServiceList', total, services }, (_, text) => text).split('\n')
}

const endpoint: EndpointDetail = {
  ...{
    endpoint: '10.244.1.1:8080',
    pod: 'default/web-1',
    node: 'node1',
    local: true,
    ready: true,
    serving: true,
    terminating: false,
  },
  cluster: { share: 1, reason: null },
  localPolicy: null,
}

function detail(endpoints: readonly EndpointDetail[], state = yes): string {
  const fates = (['pod', 'node', 'outside'] as const).map(client => ({
    client,
    fate: client === 'outside' ? ('dropped' as const) : { to: 'Cluster' as const },
  }))
  const object: ServiceDetail = {
    ...{ ...about, kind: 'ServiceDetail', service: 'default/web', type: 'LoadBalancer', state },
    ports: [
      {
        ...{
          name: 'default/web:http',
          family: 'IPv4',
          protocol: 'TCP',
          port: 80,
          affinitySeconds: 60,
          scheduler: null,
          endpoints,
        },
        addresses: [{ kind: 'load balancer', address: '192.168.100.9:80', sourceRanges: ['10.0.0.0/8'], fates }],
      },
    ],
  }
  return serviceDetailText(object, (_, text) => text)
}

describe('a list of Services', () => {
  it('has a line each, without what a terminal would obey', () => {
    const web = {
      service: 'default/web\u001b[2J',
      type: 'ClusterIP',
      addresses: ['10.96.0.7'],
      ports: ['80/TCP http'],
      state: yes,
    }
    const [title, line, more] = list([{ ...web, endpoints: { total: 3, ready: 2, local: 1 } }], 7)
    assert.match(title ?? '', /^SERVICE +TYPE +PROGRAMMED +READY +HERE +PORTS +ADDRESSES$/)
    assert.match(line ?? '', /^default\/web \[2J +ClusterIP +yes +2\/3 +1 +80\/TCP +10\.96\.0\.7$/)
    assert.equal(more, '... 6 more; --search narrows it down')
  })

  it('says that nothing matches', () => assert.deepEqual(list([]), ['No Service matches.', '']))
})

describe('one Service', () => {
  it('says where it answers, for whom, and which endpoints get how much', () => {
    const text = detail([
      endpoint,
      { ...endpoint, endpoint: '10.244.2.1:8080', node: 'node2', local: false, cluster: { share: 0, reason: 'not ready' } },
    ])
    assert.match(text, /^default\/web, LoadBalancer, on node node1 in mode iptables, programmed: yes$/m)
    assert.match(text, /^default\/web:http {2}IPv4 TCP, a client stays with its endpoint for 60 s$/m)
    assert.match(text, /^192\.168\.100\.9:80 +load balancer +endpoints +endpoints +dropped +only from 10\.0\.0\.0\/8$/m)
    assert.match(text, /^10\.244\.1\.1:8080 +100\.0 % +default\/web-1 +node1 \(this\)$/m)
    assert.match(text, /^10\.244\.2\.1:8080 +none +default\/web-1 +node2 +not ready$/m)
  })

  it('keeps the two policies apart', () => {
    const text = detail([{ ...endpoint, localPolicy: { share: 0, reason: 'on node node2' } }])
    assert.match(text, /^ENDPOINT +SHARE +LOCAL SHARE +POD +NODE +WHY$/m)
    assert.match(text, /100\.0 % +none .* local: on node node2$/m)
  })

  it('says why it is not programmed, and that nobody is there', () => {
    const text = detail([], { programmed: 'quarantined', remarks: ['the kernel says no'] })
    assert.match(text, /programmed: quarantined\n! the kernel says no\n/)
    assert.match(text, /no EndpointSlice names an endpoint/)
  })
})
