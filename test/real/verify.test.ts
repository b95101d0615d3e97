// 25 kinds of damage to iptables mode's rules, each named rightly by `switchyard verify` with what it means, then repaired by the daemon; and what verify
// and plan say where all is well, and where nothing runs.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { createNode, type TestNode } from '../support/daemon/node.ts'
import { type Manifest, web } from '../support/daemon/objects.ts'
import { chainFor, endpointChains } from '../support/daemon/rules.ts'
import { runOnce } from '../support/daemon/run-once.ts'
import {
  frequentChecks,
  manifestsOf,
  putManifest,
  type Switchyard,
  startSwitchyard,
  switchyardFlags,
} from '../support/daemon/switchyard.ts'
import { type Damage, isFoundAndRepaired, verification } from '../support/damage.ts'

const httpPort = (nodePort: number): Manifest => ({ name: 'http', port: 80, targetPort: 8080, protocol: 'TCP', nodePort })

const objects: readonly Manifest[] = [
  ...web({
    name: 'web',
    number: 1,
    endpoints: ['10.244.0.1', '10.244.0.2', '10.244.0.3'],
    loadBalancer: '192.168.100.1',
    spec: { type: 'LoadBalancer', ports: [httpPort(30_001)], loadBalancerSourceRanges: ['203.0.113.0/24'] },
  }),
  ...web({ name: 'api', number: 2, endpoints: ['10.244.0.4', '10.244.0.5'] }),
  ...web({ name: 'one', number: 3, endpoints: ['10.244.0.6'], spec: { type: 'NodePort', ports: [httpPort(30_003)] } }),
  ...web({ name: 'empty', number: 4, endpoints: [] }),
]

describe('switchyard verify, in iptables mode,', { concurrency: false }, () => {
  const resources = new AsyncDisposableStack()
  let node: TestNode
  let switchyard: Switchyard
  let flags: readonly string[]
  /** Chains of default/web, default/api and default/one, each with those of its endpoints. */
  let chains: Readonly<Record<'web' | 'api' | 'one', { readonly service: string; readonly endpoints: readonly string[] }>>

  before(async () => {
    node = resources.use(await createNode('verify'))
    await node.run(['ip', 'link', 'set', 'lo', 'up'])
    await forward(1)
    await putManifest(manifestsOf(node), 'cluster.yaml', objects)
    const options = { node, config: frequentChecks, arguments: ['--iptables-backend', 'nft'] }
    flags = (await switchyardFlags(options)).slice(1)
    switchyard = resources.use(await startSwitchyard(options))
    await switchyard.waitForSync()
    await switchyard.waitForSync({ family: 'IPv6' })
    const save = await node.save({ backend: 'nft' })
    const of = (name: string) => {
      const service = chainFor(save, `default/${name}:http cluster IP`)
      return { service, endpoints: endpointChains(save, service) }
    }
    chains = { web: of('web'), api: of('api'), one: of('one') }
  })
  after(() => resources.disposeAsync())

  const forward = (value: 0 | 1) => node.run(['sh', '-c', `echo ${value} > /proc/sys/net/ipv4/ip_forward`])
  const nat = (line: string): string => `iptables-nft -t nat ${line}`
  const filter = (line: string): string => `iptables-nft ${line}`
  const found = (damages: readonly Damage[]): Promise<void> => isFoundAndRepaired({ node, switchyard, flags, damages })

  it('says that all is well, by the flags of run and by what the daemon knows, and plan has nothing to do', async () => {
    for (const command of [['verify', ...flags], ['verify'], ['plan', ...flags], ['plan']]) {
      const { exitStatus, said } = await runOnce({ node, arguments: command })
      assert.equal(exitStatus, 0, said.join('\n'))
      assert.match(
        said[0] ?? '',
        /^(The kernel is as it should be: IPv4 and IPv6 of|Nothing to do on) node node1, mode iptables, by manifests in /,
      )
    }
  })

  it('names forwarding that is off, and so does the status; the daemon leaves it', async () => {
    await forward(0)
    const named = /kernel parameter net\.ipv4\.ip_forward: 0, expected 1/
    for (const [command, status] of [
      [['verify', ...flags], 1],
      [['verify'], 1],
      [['status'], 0],
    ] as const) {
      // What the daemon read a moment ago serves a second question.
      const { exitStatus, said } = await switchyard.waitFor(async () => {
        const answer = await runOnce({ node, arguments: command })
        return named.test(answer.said.join('\n')) ? answer : undefined
      }, `${command[0]} to name it`)
      assert.equal(exitStatus, status, said.join('\n'))
    }
    assert.equal((await runOnce({ node, arguments: ['plan', ...flags] })).exitStatus, 0, 'it is not ours to change')
    await forward(1)
  })

  it('finds damage in the chains of Services', async () => {
    const { web: ofWeb, api, one } = chains
    const [external, firewall] = [ofWeb.service.replace('SVC', 'EXT'), ofWeb.service.replace('SVC', 'FW')]
    const [first = '', second = ''] = api.endpoints
    await found([
      {
        title: 'a rule deleted',
        does: [nat(`-D ${ofWeb.service} 1`)],
        finds: [
          {
            kind: 'changed',
            what: `nat chain ${ofWeb.service}`,
            service: 'default/web',
            meaning: 'default/web:http by policy Cluster are not spread evenly over its 3 endpoints',
          },
        ],
      },
      {
        title: 'a probability changed',
        does: [
          nat(
            `-R ${api.service} 2 -m comment --comment "default/api:http -> 10.244.0.4:8080" -m statistic --mode random --probability 0.9 -j ${first}`,
          ),
        ],
        finds: [
          {
            kind: 'changed',
            what: `nat chain ${api.service}`,
            service: 'default/api',
            meaning: 'default/api:http by policy Cluster are not spread evenly over its 2 endpoints',
          },
        ],
      },
      {
        title: 'a rule inserted before ours',
        does: [nat(`-I ${one.service} -s 192.0.2.1/32 -j RETURN`)],
        finds: [
          {
            kind: 'changed',
            what: `nat chain ${one.service}`,
            service: 'default/one',
            meaning: 'default/one:http by policy Cluster may not reach its one endpoint',
          },
        ],
      },
      {
        title: "an endpoint's chain flushed",
        does: [nat(`-F ${ofWeb.endpoints[1]}`)],
        finds: [
          {
            kind: 'missing',
            what: `nat chain ${ofWeb.endpoints[1]}: all its rules`,
            service: 'default/web',
            meaning:
              'one in 3 new connections to default/web:http, that for endpoint 10.244.0.2:8080, goes to the endpoints whose rules follow',
          },
        ],
      },
      {
        title: "the last endpoint's chain flushed",
        does: [nat(`-F ${ofWeb.endpoints[2]}`)],
        finds: [
          {
            kind: 'missing',
            what: `nat chain ${ofWeb.endpoints[2]}: all its rules`,
            service: 'default/web',
            meaning: 'one in 3 new connections to default/web:http, that for endpoint 10.244.0.3:8080, stays untranslated',
          },
        ],
      },
      {
        title: "an endpoint's DNAT edited",
        does: [nat(`-R ${second} 2 -p tcp -m comment --comment "default/api:http" -m tcp -j DNAT --to-destination 10.9.9.9:1`)],
        finds: [
          {
            kind: 'changed',
            what: `nat chain ${second}`,
            service: 'default/api',
            meaning: 'one in 2 new connections to default/api:http, that for endpoint 10.244.0.5:8080, goes elsewhere',
          },
        ],
      },
      {
        title: 'the chain of external ways flushed',
        does: [nat(`-F ${external}`)],
        finds: [
          {
            kind: 'missing',
            what: `nat chain ${external}: all its rules`,
            service: 'default/web',
            meaning:
              'connections from outside to default/web:http (node port 30001, load balancer 192.168.100.1:80) stay untranslated',
          },
        ],
      },
      {
        title: 'a source range removed',
        does: [nat(`-D ${firewall} 1`)],
        finds: [
          {
            kind: 'changed',
            what: `nat chain ${firewall}`,
            service: 'default/web',
            meaning: 'loadBalancerSourceRanges of default/web:http let in others than they should',
          },
        ],
      },
    ])
  })

  it('finds damage in the chains that Services share', async () => {
    const { api } = chains
    await found([
      {
        title: "a Service's rule deleted",
        does: [
          nat(
            `-D KUBE-SERVICES -d 10.96.0.2/32 -p tcp -m comment --comment "default/api:http cluster IP" -m tcp --dport 80 -j ${api.service}`,
          ),
        ],
        finds: [
          {
            kind: 'missing',
            what: 'nat chain KUBE-SERVICES: rule -d 10.96.0.2/32 ',
            service: 'default/api',
            meaning: 'connections to default/api:http at cluster IP 10.96.0.2:80 stay untranslated',
          },
        ],
      },
      {
        title: "somebody else's rule in our chain",
        does: [nat('-I KUBE-SERVICES -d 10.96.0.1/32 -m comment --comment "not ours" -j RETURN')],
        finds: [
          {
            kind: 'unexpected',
            what: 'nat chain KUBE-SERVICES: rule -d 10.96.0.1/32 ',
            service: null,
            meaning: 'connections to 10.96.0.1 may be led past the rules that follow; its comment says "not ours"',
          },
        ],
      },
      {
        title: 'a rule that stands twice',
        does: [
          nat(
            `-A KUBE-NODEPORTS -p tcp -m comment --comment "default/one:http" -m tcp --dport 30003 -j ${chains.one.service.replace('SVC', 'EXT')}`,
          ),
        ],
        finds: [
          {
            kind: 'changed',
            what: 'nat chain KUBE-NODEPORTS: order of its rules, or one that stands twice',
            service: null,
            meaning: 'connections go where they should',
          },
        ],
      },
      {
        title: 'the refusal of a Service without endpoints removed',
        does: [filter('-F KUBE-SERVICES')],
        finds: [
          {
            kind: 'missing',
            what: 'filter chain KUBE-SERVICES: all its rules',
            service: null,
            meaning: 'connections to Services without endpoints time out instead of being refused',
          },
        ],
      },
      {
        title: 'the rule that enforces source ranges removed',
        does: [filter('-D KUBE-PROXY-FIREWALL 1'), filter('-A KUBE-PROXY-FIREWALL -s 192.0.2.1/32 -j ACCEPT')],
        finds: [
          {
            kind: 'missing',
            what: 'filter chain KUBE-PROXY-FIREWALL: rule -d 192.168.100.1/32 ',
            service: 'default/web',
            meaning: 'clients outside of loadBalancerSourceRanges are not dropped at 192.168.100.1:80 of default/web:http',
          },
          {
            kind: 'unexpected',
            what: 'filter chain KUBE-PROXY-FIREWALL: rule -s 192.0.2.1/32 -j ACCEPT',
            service: null,
            meaning: 'may be let through past our rules',
          },
        ],
      },
    ])
  })

  it('finds damage in what all Services hang on', async () => {
    const jump = (table: string, chain: string): string => `${table} chain ${chain}: rule `
    await found([
      {
        title: 'the jump from PREROUTING removed',
        does: [nat('-D PREROUTING 1')],
        finds: [
          {
            kind: 'missing',
            what: jump('nat', 'PREROUTING'),
            service: null,
            meaning: 'new connections from pods and from outside reach no Service',
          },
        ],
      },
      {
        title: 'the jump from OUTPUT removed',
        does: [nat('-D OUTPUT 1')],
        finds: [
          {
            kind: 'missing',
            what: jump('nat', 'OUTPUT'),
            service: null,
            meaning: "new connections of this node's own processes reach no Service",
          },
        ],
      },
      {
        title: 'the jump from POSTROUTING removed',
        does: [nat('-D POSTROUTING 1')],
        finds: [{ kind: 'missing', what: jump('nat', 'POSTROUTING'), service: null, meaning: 'nothing is masqueraded' }],
      },
      {
        title: 'a jump of filter removed',
        does: [
          filter(
            '-D INPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL',
          ),
        ],
        finds: [
          {
            kind: 'missing',
            what: jump('filter', 'INPUT'),
            service: null,
            meaning: 'loadBalancerSourceRanges are not enforced for what is delivered on this node',
          },
        ],
      },
      {
        title: 'the mark changed',
        does: [nat('-R KUBE-MARK-MASQ 1 -j MARK --or-mark 0x8000')],
        finds: [
          {
            kind: 'changed',
            what: 'nat chain KUBE-MARK-MASQ',
            service: null,
            meaning: 'what should be masqueraded may not be marked',
          },
        ],
      },
      {
        title: 'masquerading removed',
        does: [nat('-D KUBE-POSTROUTING 3')],
        finds: [
          {
            kind: 'changed',
            what: 'nat chain KUBE-POSTROUTING',
            service: null,
            meaning: 'what is marked may not be masqueraded',
          },
        ],
      },
      {
        title: 'the chain of forwarding flushed',
        does: [filter('-F KUBE-FORWARD')],
        finds: [
          {
            kind: 'missing',
            what: 'filter chain KUBE-FORWARD: all its rules',
            service: null,
            meaning: 'connections through this node may be dropped',
          },
        ],
      },
      {
        title: 'the guard of 127.0.0.0/8 removed',
        does: [filter('-F KUBE-FIREWALL')],
        finds: [
          { kind: 'missing', what: 'filter chain KUBE-FIREWALL: rule ', service: null, meaning: '127.0.0.0/8 is not guarded' },
        ],
      },
      {
        title: 'a node port closed',
        does: [
          nat(
            `-D KUBE-NODEPORTS -p tcp -m comment --comment "default/one:http" -m tcp --dport 30003 -j ${chains.one.service.replace('SVC', 'EXT')}`,
          ),
        ],
        finds: [
          {
            kind: 'missing',
            what: 'nat chain KUBE-NODEPORTS: rule -p tcp ',
            service: 'default/one',
            meaning: 'connections to default/one:http at node port 30003 stay untranslated',
          },
        ],
      },
      {
        title: 'a kernel parameter set back',
        does: ['echo 0 > /proc/sys/net/ipv4/conf/all/route_localnet'],
        finds: [
          {
            kind: 'changed',
            what: 'kernel parameter net.ipv4.conf.all.route_localnet: 0, expected 1',
            service: null,
            meaning: 'node ports do not answer on 127.0.0.1',
          },
        ],
      },
    ])
  })

  it('finds a flushed table of Services, and a chain of nobody', async () => {
    await found([
      {
        title: 'KUBE-SERVICES flushed',
        does: [nat('-F KUBE-SERVICES')],
        finds: [
          {
            kind: 'missing',
            what: 'nat chain KUBE-SERVICES: all its rules',
            service: null,
            meaning: 'new connections to every Service stay untranslated',
          },
        ],
      },
      {
        title: 'a chain that no Service wants',
        does: [nat('-N KUBE-SEP-AAAAAAAAAAAAAAAA')],
        finds: [
          {
            kind: 'unexpected',
            what: 'nat chain KUBE-SEP-AAAAAAAAAAAAAAAA',
            service: null,
            meaning: 'a chain that no Service wants',
          },
        ],
      },
    ])
  })

  it('says first where nothing is there at all', async () => {
    const bare = resources.use(await createNode('verify'))
    const { exitStatus, said } = await runOnce({ node: bare, arguments: ['verify', ...flags] })
    assert.equal(exitStatus, 1)
    assert.match(said[1] ?? '', /^No rule of Switchyard is here at all \(IPv4 and IPv6\)/)
    const traced = await runOnce({ node: bare, arguments: ['trace', 'outside', 'svc/api', ...flags] })
    assert.match(traced.said.join(' '), /No rule of Switchyard is here at all \(IPv4\)/)
  })

  it('says what to do where no daemon answers, and plan what the next one would do', async () => {
    assert.equal((await verification(node))?.clean, true)
    await switchyard.stop()
    const silent = await runOnce({ node, arguments: ['verify'] })
    assert.equal(silent.exitStatus, 1)
    assert.match(silent.said.join('\n'), /nothing answers at 127\.0\.0\.1:10249 .* name the cluster's objects: --config FILE/)
    await using fresh = await createNode('fresh')
    const cutOff = await runOnce({ node: fresh, arguments: ['verify'] })
    assert.match(
      cutOff.said.join('\n'),
      /nothing answers at 127\.0\.0\.1:10249 \(ENETUNREACH: is the loopback link up in this network namespace\?/,
    )
    const missing = await runOnce({ node, arguments: ['plan', '--manifests', '/nonexistent'] })
    assert.equal(missing.exitStatus, 1)
    assert.match(missing.said.join('\n'), /there is no such folder/)
    await node.run(['iptables-nft', '-t', 'nat', '-F', 'KUBE-SERVICES'])
    const nameless = flags.filter((flag, index) => !/hostname-override/.test(`${flags[index - 1]} ${flag}`))
    assert.notDeepEqual(nameless, flags)
    const guessed = await runOnce({ node, arguments: ['verify', ...nameless] })
    assert.match(
      guessed.said.join('\n'),
      /nothing in manifests in .* is on a node \S+, which is the host's name: .*--hostname-override names the node/,
    )
    const { exitStatus, said } = await runOnce({ node, arguments: ['plan', ...flags] })
    assert.equal(exitStatus, 2)
    assert.ok(
      said.some(line => line.startsWith('      + -d 10.96.0.2/32 ')),
      said.join('\n'),
    )
  })
})
