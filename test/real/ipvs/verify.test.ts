// 15 kinds of damage to virtual servers, sets, addresses, rules and parameters of ipvs mode, each named rightly by `switchyard verify` with what it means,
// then repaired by the daemon.
import { after, before, describe, it } from 'node:test'
import { createNode, type TestNode } from '../../support/daemon/node.ts'
import { web } from '../../support/daemon/objects.ts'
import { manifestsOf, putManifest, type Switchyard, startSwitchyard, switchyardFlags } from '../../support/daemon/switchyard.ts'
import { type Damage, isFoundAndRepaired } from '../../support/damage.ts'
import { loadBalanced } from '../../support/ipvs-service.ts'

const config = { mode: 'ipvs', ipvs: { syncPeriod: '1s' } }

/** Seen at the next look at the rules, which all else is found by in user-mode Linux: complete looks are rare there, for what they cost. */
const masquerading: Damage = {
  title: 'masquerading removed',
  does: [
    'iptables-legacy -w -t nat -D KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully',
  ],
  finds: [
    { kind: 'changed', what: 'nat chain KUBE-POSTROUTING', service: null, meaning: 'what is marked may not be masqueraded' },
  ],
}

describe('switchyard verify, in ipvs mode,', { concurrency: false }, () => {
  const resources = new AsyncDisposableStack()
  let node: TestNode
  let switchyard: Switchyard
  let flags: readonly string[]

  before(async () => {
    node = resources.use(await createNode('verify'))
    await node.run(['ip', 'link', 'set', 'lo', 'up'])
    await node.run(['sh', '-ec', 'ip link add eth0 type dummy; ip link set eth0 up; ip addr add 10.200.1.2/24 dev eth0'])
    await putManifest(manifestsOf(node), 'cluster.yaml', [
      ...web({
        name: 'web',
        number: 1,
        endpoints: ['10.244.0.1', '10.244.0.2'],
        loadBalancer: '192.168.100.1',
        spec: loadBalanced(30_001),
      }),
      ...web({ name: 'sticky', number: 2, endpoints: ['10.244.0.3'], spec: { sessionAffinity: 'ClientIP' } }),
      ...web({ name: 'other', number: 3, endpoints: ['10.244.0.4', '10.244.0.5'] }),
    ])
    const options = { node, config, arguments: ['--iptables-backend', 'legacy'] }
    flags = (await switchyardFlags(options)).slice(1)
    switchyard = resources.use(await startSwitchyard(options))
    await switchyard.waitForSync()
    await switchyard.waitForSync({ family: 'IPv6' })
  })
  after(() => resources.disposeAsync())

  const found = (damages: readonly Damage[]): Promise<void> =>
    isFoundAndRepaired({ node, switchyard, flags, damages: [masquerading, ...damages] })

  it('finds damage to virtual servers and addresses', () =>
    found([
      {
        title: 'the weight of a real server edited',
        does: ['ipvsadm -e -t 10.96.0.1:80 -r 10.244.0.1:8080 -m -w 7'],
        finds: [
          {
            kind: 'changed',
            what: 'virtual server -t 10.96.0.1:80: real server 10.244.0.1:8080, expected -m -w 1',
            service: 'default/web',
            meaning: 'the share of new connections to default/web:http at 10.96.0.1:80 that endpoint 10.244.0.1:8080 gets',
          },
        ],
      },
      {
        title: 'a real server removed',
        does: ['ipvsadm -d -t 192.168.100.1:80 -r 10.244.0.2:8080'],
        finds: [
          {
            kind: 'missing',
            what: 'virtual server -t 192.168.100.1:80: real server 10.244.0.2:8080',
            service: 'default/web',
            meaning: 'new connections to default/web:http at 192.168.100.1:80 never go to endpoint 10.244.0.2:8080',
          },
        ],
      },
      {
        title: 'persistence changed',
        does: ['ipvsadm -E -t 10.96.0.2:80 -s rr -p 60'],
        finds: [
          {
            kind: 'changed',
            what: 'virtual server -t 10.96.0.2:80: options, expected -s rr -p 10800',
            service: 'default/sticky',
            meaning: 'default/sticky:http at 10.96.0.2:80 are spread in another way than by rr with session affinity of 10800 s',
          },
        ],
      },
      {
        title: 'the scheduler changed, and a real server more',
        does: ['ipvsadm -E -t 10.96.0.3:80 -s wlc', 'ipvsadm -a -t 10.96.0.3:80 -r 10.244.9.9:8080 -m'],
        finds: [
          {
            kind: 'changed',
            what: 'virtual server -t 10.96.0.3:80: options, expected -s rr',
            service: 'default/other',
            meaning: 'than by rr without session affinity',
          },
          {
            // Who looks from outside cannot know that it was not an endpoint until a moment ago.
            kind: 'changed',
            what: 'virtual server -t 10.96.0.3:80: real server 10.244.9.9:8080, expected -m -w 0',
            service: 'default/other',
            meaning: 'go to 10.244.9.9:8080, which should only keep those that it has',
          },
        ],
      },
      {
        title: 'an address removed',
        does: ['ip addr del 10.96.0.1/32 dev kube-ipvs0'],
        finds: [
          {
            kind: 'missing',
            what: 'kube-ipvs0: address 10.96.0.1',
            service: 'default/web',
            meaning: 'connections to 10.96.0.1 of default/web pass this node by',
          },
        ],
      },
      {
        title: 'a virtual server deleted, and one that nobody asked for at an address of ours',
        does: ['ipvsadm -D -t 10.200.1.2:30001', 'ipvsadm -A -t 10.96.0.1:81 -s rr'],
        finds: [
          {
            kind: 'missing',
            what: 'virtual server -t 10.200.1.2:30001',
            service: 'default/web',
            meaning: 'connections to default/web:http at 10.200.1.2:30001 are refused or reach nothing',
          },
          {
            kind: 'unexpected',
            what: 'virtual server -t 10.96.0.1:81',
            service: null,
            meaning: 'a virtual server at 10.96.0.1:81 that no Service wants',
          },
        ],
      },
    ]))

  it('finds damage to sets and kernel parameters, and the link deleted', () =>
    found([
      {
        title: 'an entry missing',
        does: ['ipset del KUBE-LOOP-BACK 10.244.0.3,tcp:8080,10.244.0.3'],
        finds: [
          {
            kind: 'missing',
            what: 'set KUBE-LOOP-BACK: 10.244.0.3,tcp:8080,10.244.0.3',
            service: 'default/sticky',
            meaning: 'a pod that reaches itself by its Service gets no answer',
          },
        ],
      },
      {
        title: 'an entry added',
        does: ['ipset add KUBE-CLUSTER-IP 10.96.0.99,tcp:80'],
        finds: [
          {
            kind: 'unexpected',
            what: 'set KUBE-CLUSTER-IP: 10.96.0.99,tcp:80',
            service: null,
            meaning: "packets there are taken for a Service's",
          },
        ],
      },
      {
        title: 'a set flushed',
        does: ['ipset flush KUBE-NODE-PORT-TCP'],
        finds: [
          {
            kind: 'missing',
            what: 'set KUBE-NODE-PORT-TCP: 30001',
            service: 'default/web',
            meaning: 'connections to that node port are not masqueraded',
          },
        ],
      },
      {
        title: 'a set destroyed',
        does: ['ipset destroy KUBE-NODE-PORT-UDP'],
        finds: [
          {
            kind: 'missing',
            what: 'set KUBE-NODE-PORT-UDP',
            service: null,
            meaning: 'connections to that node port are not masqueraded',
          },
        ],
      },
      {
        title: 'a kernel parameter set back',
        does: ['echo 0 > /proc/sys/net/ipv4/vs/conntrack'],
        finds: [
          {
            kind: 'changed',
            what: 'kernel parameter net.ipv4.vs.conntrack: 0, expected 1',
            service: null,
            meaning: 'answers to masqueraded clients get lost',
          },
        ],
      },
      {
        title: 'the link deleted',
        does: ['ip link del kube-ipvs0'],
        finds: [
          { kind: 'missing', what: 'link kube-ipvs0', service: null, meaning: 'no service address is on this node' },
          {
            kind: 'missing',
            what: 'link kube-ipvs0',
            service: null,
            meaning: 'no service address is on this node',
            family: 'IPv6',
          },
          ...[
            ['10.96.0.1', 'web'],
            ['192.168.100.1', 'web'],
            ['10.96.0.2', 'sticky'],
            ['10.96.0.3', 'other'],
          ].map(
            ([address, name]) =>
              ({
                kind: 'missing',
                what: `kube-ipvs0: address ${address}`,
                service: `default/${name}`,
                meaning: `connections to ${address}`,
              }) as const,
          ),
        ],
      },
    ]))
})
