// From a kube-proxy to Switchyard and back, in iptables and nftables mode, while clients connect: no connection fails, nothing of kube-proxy's is left, and
// what others have stays. kube-proxy is what it leaves: test/golden's rules.
import assert from 'node:assert/strict'
import { copyFile, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { startBackground } from '../support/daemon/background.ts'
import { nodeIn, type TestNode } from '../support/daemon/node.ts'
import { type Ended, runOnce } from '../support/daemon/run-once.ts'
import { goldenObjects, goldenRules, loadRules, withoutBuiltInChains } from '../support/flows/golden-rules.ts'
import { describeLoad, type RunningLoad, startLoad } from '../support/flows/load.ts'
import { nftablesRules } from '../support/flows/nftables-rules.ts'
import { type Lab, startLab } from '../support/lab/lab.ts'
import { type RunningProxy, startProxy } from '../support/lab/proxy.ts'

const scenario = 'nodeport'
const clusterIP = '10.102.83.10'
const nodePort = { address: '10.200.1.2', port: 30123 }

/** An administrator's and kubelet's. */
const othersRules = `*nat
:MY-CHAIN - [0:0]
-A PREROUTING -d 192.0.2.9/32 -j MY-CHAIN
-A MY-CHAIN -p tcp -j DNAT --to-destination 192.0.2.10
COMMIT
*mangle
:KUBE-KUBELET-CANARY - [0:0]
:KUBE-IPTABLES-HINT - [0:0]
:KUBE-PROXY-CANARY - [0:0]
COMMIT
`

describe('switchyard takeover and handover', () => {
  let lab: Lab
  let node: TestNode
  let proxy: RunningProxy
  let loads: readonly RunningLoad[] = []
  /** A connection of the first kube-proxy's. */
  let held: number

  before(async () => {
    lab = await startLab()
    node = nodeIn({ namespace: lab.node.namespace, directory: lab.directory })
    await loadRules(lab, goldenRules(scenario))
    await node.restore({ backend: 'nft' }, othersRules)
    await node.run(['nft', '-f', '-'], 'table ip others {\n  chain mine {\n    ip saddr 192.0.2.1 drop\n  }\n}\n')
    proxy = await startProxy({ lab, config: { mode: 'iptables' }, starts: false })
    await proxy.write(goldenObjects(scenario))
    loads = await Promise.all([
      startLoad(lab, { from: 'c', address: clusterIP, port: 80, perSecond: 100 }),
      startLoad(lab, { from: 'client', ...nodePort, perSecond: 100 }),
    ])
    held = await lab.agent('client').ask('hold', { protocol: 'TCP', ...nodePort, timeoutMs: 15_000 })
  })
  after(async () => {
    await proxy?.[Symbol.asyncDispose]()
    await lab?.[Symbol.asyncDispose]()
  })

  const all = async (): Promise<string> => {
    const saves = [node.save({ backend: 'nft' }), node.save({ backend: 'nft', family: 'IPv6' }), node.save({ backend: 'legacy' })]
    return [...(await Promise.all(saves)), await node.run(['nft', 'list', 'ruleset'])]
      .join('\n')
      .replaceAll(/counter packets \d+ bytes \d+/g, '')
  }
  const command = async (name: string, ...words: readonly string[]): Promise<string> => {
    const ended = await switchyard(name, ...words)
    assert.equal(ended.exitStatus, 0, ended.said.join('\n'))
    return ended.said.join('\n')
  }
  const switchyard = (name: string, ...words: readonly string[]): Promise<Ended> =>
    runOnce({ node, arguments: [name, ...(name === 'takeover' ? proxy.flags : []), ...words] })
  const moreConnections = async (): Promise<void> => {
    const reached = await Promise.all(loads.map(load => load.attempts()))
    await Promise.all(loads.map((load, index) => load.reach((reached[index] ?? 0) + 100)))
  }
  const checkOthers = async (): Promise<void> => {
    const save = await node.save({ backend: 'nft' })
    for (const line of [
      '-A MY-CHAIN -p tcp -j DNAT',
      '-A PREROUTING -d 192.0.2.9/32 -j MY-CHAIN',
      ':KUBE-KUBELET-CANARY',
      ':KUBE-IPTABLES-HINT',
    ])
      assert.ok(save.includes(line), `of others: ${line}`)
    assert.match(await node.run(['nft', 'list', 'table', 'ip', 'others']), /ip saddr 192\.0\.2\.1 drop/)
    assert.doesNotMatch(save, /KUBE-PROXY-CANARY/)
  }

  /** A process of that name, in the node's network namespace. */
  const startKubeProxy = async () => {
    const program = join(lab.directory, 'kube-proxy')
    await copyFile(await realpath('/bin/sleep'), program)
    return startBackground(node, [program, '1000'])
  }

  it('refuses while a kube-proxy lives, and names it', async () => {
    await using _kubeProxy = await startKubeProxy()
    const { exitStatus, said } = await switchyard('takeover')
    assert.equal(exitStatus, 1)
    assert.match(said.join('\n'), /^switchyard: kube-proxy \(process \d+\) still programs this node.*Stop it first/)
  })

  it('from iptables mode: in place, the other backend swept; a dry run changes nothing', async () => {
    await node.restore({ backend: 'legacy' }, goldenRules(scenario))
    const untouched = await all()
    const dry = await command('takeover', '--dry-run')
    assert.match(dry, /iptables legacy, IPv4 +iptables mode: \d+ chains with \d+ rules; KUBE-PROXY-CANARY in nat, filter/)
    assert.match(dry, /Would remove:[\s\S]*IPv4, legacy backend: \d+ chains\n +-D PREROUTING/)
    assert.equal(await all(), untouched)

    const said = await command('takeover')
    assert.match(
      said,
      /Programmed, iptables mode, nft backend of iptables:[\s\S]*Removed:\n[\s\S]*IPv4, legacy backend: \d+ chains/,
    )
    assert.match(said, /After:[\s\S]*iptables legacy, IPv4 +nothing/)
    assert.doesNotMatch(await node.save({ backend: 'legacy' }), /^:KUBE-(?!FIREWALL)/m)
    assert.match(await node.save({ backend: 'nft' }), /-A KUBE-SVC-I7N7KMHXLRZOPONX .*-j KUBE-SEP-6VHFROI4IWDONISZ/)
    await checkOthers()
    await moreConnections()
  })

  it('beside a Switchyard that runs: only what is left, and handover refuses', async () => {
    proxy.daemon.start()
    await proxy.settle()
    await node.restore({ backend: 'legacy' }, goldenRules(scenario))
    const said = await command('takeover')
    assert.match(said, /programs this node already, in iptables mode \(nft backend of iptables\), and is ready/)
    assert.match(said, /Removed:\n +IPv4, legacy backend: \d+ chains/)
    assert.doesNotMatch(said, /Programmed/)
    const { exitStatus, said: refusal } = await switchyard('handover')
    assert.equal(exitStatus, 1)
    const dry = await command('handover', '--dry-run')
    assert.match(dry, /^switchyard \S+ \(process \d+\) programs this node: without --dry-run this is refused[\s\S]*Before:/)
    assert.match(dry, /Nothing was changed: this was a dry run/)
    assert.match(refusal.join('\n'), /switchyard \S+ \(process \d+\) programs this node.*Stop it first; its rules stay/)
  })

  it('back to iptables mode: nothing to remove, kube-proxy writes over what stands', async () => {
    assert.equal(await proxy.stop(), 'code 0')
    const before = await all()
    assert.match(await command('handover'), /Nothing to remove: kube-proxy uses all that is there/)
    assert.equal(await all(), before)
    await node.restore({ backend: 'nft' }, withoutBuiltInChains(goldenRules(scenario)))
    await moreConnections()
  })

  it('to nftables mode: what stands stays until kube-proxy has its tables, then all of it goes', async () => {
    const before = await all()
    assert.match(await command('handover', '--to', 'nftables'), /What is there stays[\s\S]*2\. switchyard handover --to nftables/)
    assert.equal(await all(), before)
    await node.run(['nft', '-f', '-'], nftablesRules)
    const untouched = await all()
    const { exitStatus, said } = await switchyard('handover', '--to', 'nftables')
    assert.equal(exitStatus, 1)
    assert.match(said.join('\n'), /no kube-proxy lives here, so they may be stale: start kube-proxy in nftables mode/)
    await using _kubeProxy = await startKubeProxy()
    await command('handover', '--to', 'nftables', '--dry-run')
    assert.equal(await all(), untouched)
    await command('handover', '--to', 'nftables')
    assert.doesNotMatch(await node.save({ backend: 'nft' }), /KUBE-S/)
    await moreConnections()
  })

  it('from nftables mode: its tables go when all is programmed', async () => {
    const said = await command('takeover')
    assert.match(said, /Before:[\s\S]*nftables +table ip kube-proxy: \d+ chains, 4 maps; table ip6 kube-proxy/)
    assert.match(said, /Removed:\n[\s\S]*table ip kube-proxy of nftables[\s\S]*table ip6 kube-proxy of nftables/)
    assert.doesNotMatch(await node.run(['nft', 'list', 'tables']), /kube-proxy/)
    await checkOthers()
    await moreConnections()
  })

  it('the daemon alone removes the tables of nftables after its first sync, too', async () => {
    await node.run(['nft', '-f', '-'], nftablesRules)
    {
      await using _kubeProxy = await startKubeProxy()
      await command('handover', '--to', 'nftables')
    }
    await moreConnections()
    proxy.daemon.start()
    for (const table of ['ip', 'ip6']) {
      const isSaid = ({ msg }: { readonly msg: string }): boolean =>
        msg.startsWith(`removed table ${table} kube-proxy of nftables`)
      await proxy.daemon.waitForLog(isSaid, { what: `table ${table} kube-proxy to go`, deadlineMs: 30_000 })
    }
    assert.doesNotMatch(await node.run(['nft', 'list', 'tables']), /kube-proxy/)
    await moreConnections()
  })

  it('no connection failed meanwhile, and one that was open all the time goes on', async t => {
    assert.ok((await lab.agent('client').ask('pingHeld', { held, timeoutMs: 15_000 })).ok)
    for (const load of loads) {
      const { name, report } = await load.stop()
      t.diagnostic(describeLoad(name, report))
      assert.deepEqual(report.failures.slice(0, 5), [], name)
      assert.ok(report.attempts > 500)
    }
  })
})
