// From a kube-proxy in IPVS mode to Switchyard, in place and to iptables mode, and the way back, while clients connect: no connection fails, one that is
// open drains, and what others have in IPVS stays. kube-proxy is what it leaves: test/golden's rules, sets, virtual servers and addresses.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { nodeIn, type TestNode } from '../../support/daemon/node.ts'
import { runOnce } from '../../support/daemon/run-once.ts'
import { goldenObjects, withoutBuiltInChains } from '../../support/flows/golden-rules.ts'
import { describeLoad, startLoad } from '../../support/flows/load.ts'
import { type Lab, startLab } from '../../support/lab/lab.ts'
import { type RunningProxy, startProxy } from '../../support/lab/proxy.ts'

const clusterIP = '10.102.83.10'
const nodePort = { address: '10.200.1.2', port: 30123 }

const golden = (file: string): string => readFileSync(new URL(`../../golden/nodeport/ipvs.${file}`, import.meta.url), 'utf8')
const rules = golden('ipv4.nat') + golden('ipv4.filter')

/** `ipset save` sorted: what makes a set after what fills it. */
const sets = ['create', 'add']
  .map(verb =>
    golden('ipset')
      .split('\n')
      .filter(line => line.startsWith(`${verb} `))
      .join('\n'),
  )
  .join('\n')

describe('switchyard takeover of IPVS', () => {
  let lab: Lab
  let node: TestNode
  let proxy: RunningProxy

  before(async () => {
    lab = await startLab()
    node = nodeIn({ namespace: lab.node.namespace, directory: lab.directory })
    proxy = await startProxy({ lab, config: { mode: 'ipvs' }, starts: false })
    await proxy.write(goldenObjects('nodeport'))
    await node.run(['sh', '-c', 'echo 1 > /proc/sys/net/ipv4/vs/conntrack'])
    await node.run(['ipset', 'restore'], `${sets}\n`)
    await node.run(['iptables-restore'], rules)
    // Of somebody else; at an address of its own.
    await node.run(
      ['ipvsadm', '-R'],
      `${golden('services')}-A -t 192.0.2.1:80 -s wlc\n-a -t 192.0.2.1:80 -r 192.0.2.9:80 -m -w 5\n`,
    )
    const addresses = [...golden('addresses').matchAll(/^inet (\S+)/gm)].map(
      ([, address]) => `addr add ${address} dev kube-ipvs0`,
    )
    await node.run(['ip', '-batch', '-'], `${['link add kube-ipvs0 type dummy', ...addresses].join('\n')}\n`)
  })
  after(async () => {
    await proxy?.[Symbol.asyncDispose]()
    await lab?.[Symbol.asyncDispose]()
  })

  const command = async (name: string, ...words: readonly string[]): Promise<string> => {
    const { exitStatus, said } = await runOnce({ node, arguments: [name, ...words] })
    assert.equal(exitStatus, 0, said.join('\n'))
    return said.join('\n')
  }
  const everything = async (): Promise<string> =>
    [await node.save({ backend: 'legacy' }), await node.run(['ipset', 'save']), await node.run(['ipvsadm', '-Sn'])].join('\n')

  it('fails no connection, there and back', async t => {
    const loads = await Promise.all([
      startLoad(lab, { from: 'c', address: clusterIP, port: 80, perSecond: 100 }),
      startLoad(lab, { from: 'client', ...nodePort, perSecond: 100 }),
    ])
    const held = await lab.agent('client').ask('hold', { protocol: 'TCP', ...nodePort, timeoutMs: 15_000 })
    const isHeld = async (): Promise<boolean> => (await lab.agent('client').ask('pingHeld', { held, timeoutMs: 15_000 })).ok
    const moreConnections = async (): Promise<void> => {
      const reached = (await loads[0].attempts()) + 100
      await loads[0].reach(reached)
    }

    const untouched = await everything()
    assert.match(
      await command('takeover', '--dry-run', ...proxy.flags),
      /IPVS, IPv4 +3 virtual servers with 4 real servers, 2 addresses on kube-ipvs0, \d+ sets; 1 virtual server of others/,
    )
    assert.equal(await everything(), untouched)

    const inPlace = await command('takeover', ...proxy.flags)
    assert.match(inPlace, /Programmed, ipvs mode, legacy backend/)
    assert.doesNotMatch(inPlace, /Left for Switchyard/)
    await moreConnections()

    // The way back, in the same mode: only Switchyard's own goes.
    assert.match(await node.run(['ipset', 'list', '-name']), /^SWITCHYARD-NO-LOCAL$/m)
    await command('handover')
    assert.doesNotMatch(await everything(), /SWITCHYARD-/)
    await node.run(['iptables-restore', '--noflush'], withoutBuiltInChains(rules))
    await moreConnections()
    assert.ok(await isHeld())

    await proxy.configure({ mode: 'iptables' })
    const toIptables = await command('takeover', ...proxy.flags)
    assert.match(toIptables, /Left for Switchyard:\n +\d+ real servers? of IPVS with \d+ connections?, at weight 0/)
    await moreConnections()
    assert.ok(await isHeld(), 'an open connection is not cut')
    assert.match(await node.run(['ipvsadm', '-Sn']), /-a -t 192\.0\.2\.1:80 -r 192\.0\.2\.9:80 -m -w 5/)

    for (const load of loads) {
      const { name, report } = await load.stop()
      t.diagnostic(describeLoad(name, report))
      assert.deepEqual(report.failures.slice(0, 5), [], name)
      assert.ok(report.attempts > 200)
    }
  })
})
