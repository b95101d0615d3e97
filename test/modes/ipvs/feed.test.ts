// The order in which no packet finds a hole, and what is said to be missing when the kernel was asked again.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { address, cidr, gone, put, service } from '../../support/cluster.ts'
import { createHarness, linesOf } from '../../sync/support/harness.ts'
import type { IpvsHarness } from '../../sync/support/ipvs-harness.ts'
import { desiredOf, everywhere, ipvsHarness, mode, pods, web, webServer } from './support.ts'

const restricted = () => everywhere({ loadBalancerSourceRanges: [cidr('203.0.113.0/24')], externalTrafficPolicy: 'Local' })

async function fedBy(harness: IpvsHarness, act: () => Promise<unknown>) {
  const before = harness.kernel.fed.length
  await act()
  return harness.kernel.fed.slice(before).map(({ argv: [tool = ''], input }) => ({ tool, lines: linesOf(input) }))
}

describe('what comes', () => {
  it('is fed as sets, rules, virtual servers, addresses: one run of each tool', async () => {
    const harness = ipvsHarness()
    const fed = await fedBy(harness, () => harness.programmed(put(restricted()), put(pods(['10.244.1.1']))))
    assert.deepEqual(
      fed.map(({ tool }) => tool),
      ['ipset', 'iptables-legacy-restore', 'ipvsadm', 'ip'],
    )
    const [sets = [], , servers = [], addresses = []] = fed.map(({ lines }) => lines)
    const firstOf = (set: string): number => sets.findIndex(line => line.startsWith(`add ${set} `))
    assert.ok(
      firstOf('KUBE-LOAD-BALANCER-SOURCE-CIDR') < firstOf('KUBE-LOAD-BALANCER-FW'),
      'who may enter, before all others may not',
    )
    assert.ok(firstOf('KUBE-CLUSTER-IP') !== -1)
    assert.equal(addresses[0], 'link add kube-ipvs0 type dummy')
    assert.ok(servers.indexOf(`-A ${webServer} -s rr`) < servers.indexOf(`-a ${webServer} -r 10.244.1.1:8080 -m -w 1`))
  })

  it('begins with what others depend on, line by line', async () => {
    const harness = ipvsHarness()
    const dns = service({
      namespace: 'kube-system',
      name: 'kube-dns',
      clusterIPs: [address('10.96.0.10')],
      ports: [{ name: '', protocol: 'UDP', port: 53, nodePort: 0 }],
    })
    const fed = await fedBy(harness, () => harness.programmed(put(service()), put(pods(['10.244.1.1'])), put(dns)))
    const linesOfTool = (name: string): readonly string[] => fed.find(({ tool }) => tool === name)?.lines ?? []
    assert.deepEqual(
      linesOfTool('ipvsadm').filter(line => line.startsWith('-A ')),
      ['-A -u 10.96.0.10:53 -s rr', `-A ${webServer} -s rr`],
    )
    assert.deepEqual(
      linesOfTool('ip').flatMap(line => /10\.96\.\S+/.exec(line)?.[0] ?? []),
      ['10.96.0.10/32', '10.96.0.7/32'],
    )
  })

  it('in a live change: the new real server is there for certain before the old one loses its weight', async () => {
    const harness = ipvsHarness()
    await harness.programmed(put(service()), put(pods(['10.244.1.1'])))
    harness.kernel.connections.set(`${webServer} 10.244.1.1:8080`, 1)
    const fed = await fedBy(harness, () => harness.programmed(put(pods(['10.244.1.2']))))
    assert.deepEqual(
      fed.filter(({ tool }) => tool === 'ipvsadm').map(({ lines }) => lines),
      [[`-a ${webServer} -r 10.244.1.2:8080 -m -w 1`], [`-e ${webServer} -r 10.244.1.1:8080 -m -w 0`]],
    )
    assert.deepEqual(
      fed.map(({ tool }) => tool),
      ['ipset', 'ipvsadm', 'ipvsadm', 'ipset'],
    )
  })
})

describe('what goes', () => {
  it('is fed in reverse: addresses, virtual servers, rules, entries', async () => {
    const harness = ipvsHarness({ drainDeadlineMs: 0 })
    await harness.programmed(put(restricted()), put(pods(['10.244.1.1'])))
    const fed = await fedBy(harness, () => harness.programmed(gone(restricted()), gone(pods([]))))
    assert.deepEqual(
      fed.map(({ tool }) => tool),
      ['ip', 'ipvsadm', 'iptables-legacy-restore', 'ipset'],
    )
    const entries = fed.at(-1)?.lines ?? []
    const firewall = entries.findIndex(line => line.includes('KUBE-LOAD-BALANCER-FW'))
    const ranges = entries.findIndex(line => line.includes('SOURCE-CIDR'))
    assert.ok(firewall !== -1 && firewall < ranges, 'nobody is shut out who may still enter')
    assert.doesNotMatch(harness.kernel.iptables.IPv4.save(), /--match-set KUBE-LOAD-BALANCER-FW/)
  })
})

describe("where iptables mode's rules stand", () => {
  it('they give way last, when all else is ready', async () => {
    const before = createHarness()
    await before.programmed(put(service()), put(pods(['10.244.1.1'])))
    const harness = ipvsHarness()
    for (const table of ['nat', 'filter'] as const) {
      const chains = before.kernel.chains(table).filter(name => name.startsWith('KUBE-'))
      const rules = before.kernel
        .save()
        .split('\n')
        .filter(line => line.startsWith('-A '))
      const ours = rules.filter(line => before.kernel.rules(table, line.split(' ')[1] ?? '')?.some(rule => line.endsWith(rule)))
      harness.kernel.iptables.IPv4.edit(table, ...chains.map(name => `:${name} - [0:0]`), ...ours)
    }
    assert.match(harness.kernel.iptables.IPv4.save(), /KUBE-SVC-/)
    const fed = await fedBy(harness, () => harness.programmed(put(service()), put(pods(['10.244.1.1']))))
    assert.deepEqual(
      fed.map(({ tool }) => tool),
      ['ipset', 'ipvsadm', 'ip', 'iptables-legacy-restore', 'iptables-legacy-restore'],
    )
    assert.doesNotMatch(harness.kernel.iptables.IPv4.save(), /KUBE-SVC-|KUBE-SEP-/)
    assert.equal((await harness.restarted().pass()).lines, 0)
  })
})

describe('what is read back', () => {
  const objects = [service(), pods(['10.244.1.1']), service({ name: 'other', clusterIPs: [address('10.96.0.8')] })]
  const [, , adding] = mode.diff({
    desired: desiredOf(objects),
    observed: mode.parse([], 'everything', new Map()),
    touched: 'everything',
    sweep: true,
  }).steps
  const whole = `-A ${webServer} -s rr\n-a ${webServer} -r 10.244.1.1:8080 -m -w 1\n-A -t 10.96.0.8:80 -s rr\n`
  const missing = (output: string) => adding?.readBack?.missing(output).map(({ owner }) => owner)

  it('is always asked for where everything was compared', () => assert.equal(adding?.readBack?.when, 'always'))
  const rows: readonly (readonly [title: string, output: string, owners: readonly string[]])[] = [
    ['nothing', '', ['default/web', 'default/other']],
    ['all', whole, []],
    ['a virtual server without its real server', whole.replace(/-a .*\n/, ''), [web]],
    ['one with other options', whole.replace('10.96.0.8:80 -s rr', '10.96.0.8:80 -s wrr'), ['default/other']],
    ['a real server of another weight', whole.replace('-w 1', '-w 2'), [web]],
    ['one more, of others', `${whole}-A -t 192.0.2.1:80 -s rr\n`, []],
  ]
  for (const [title, output, owners] of rows) it(`shows ${title}`, () => assert.deepEqual(missing(output), owners))

  it('is asked for in a small change only where ipvsadm complains', async () => {
    const harness = ipvsHarness()
    await harness.programmed(...objects.map(put))
    const commands = harness.kernel.commands.length
    await harness.programmed(put(pods(['10.244.1.2'])))
    assert.ok(harness.kernel.commands.slice(commands).every(argv => !argv.includes('-Sn')))
  })

  it('shows that a removal did not happen', async () => {
    const harness = ipvsHarness({ drainDeadlineMs: 0 })
    await harness.programmed(...objects.map(put))
    harness.kernel.refuses = line => line.startsWith('-d ')
    await harness.programmed(put(pods([])))
    assert.match(harness.sync.quarantined.get(web) ?? '', /-d -t 10\.96\.0\.7:80 -r 10\.244\.1\.1:8080/)
  })
})
