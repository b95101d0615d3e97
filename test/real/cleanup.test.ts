// `switchyard cleanup`: afterwards the kernel says what it said before the first start, and nothing of others was touched.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { CommandError, createExec, type Exec } from '../../src/kernel/exec.ts'
import { type Backend, parseSave, tableSection, tables, toolsOf } from '../../src/kernel/iptables.ts'
import { openStateFile } from '../../src/kernel/state-file.ts'
import { ipFamilies } from '../../src/model/address.ts'
import { iptablesMode } from '../../src/modes/iptables/index.ts'
import { createSyncEmitter } from '../../src/sync/events.ts'
import { FamilySync } from '../../src/sync/family-sync.ts'
import { createNamespace } from '../support/namespace.ts'
import { goldenFolder, loadScenario } from '../support/scenario.ts'

const program = join(import.meta.dirname, '../../bin/switchyard')

/** Rules of an administrator and of kubelet, in chains of theirs and in the built-in ones. */
const othersRules = `*filter
:MY-CHAIN - [0:0]
-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
-A FORWARD -j MY-CHAIN
-A MY-CHAIN -s 192.0.2.1/32 -j DROP
COMMIT
*nat
:MY-NAT - [0:0]
-A PREROUTING -d 192.0.2.9/32 -j MY-NAT
-A MY-NAT -p tcp -j DNAT --to-destination 192.0.2.10
COMMIT
*mangle
:KUBE-KUBELET-CANARY - [0:0]
:KUBE-IPTABLES-HINT - [0:0]
COMMIT
`

/** Chains with their rules, without tables that are empty: an empty base chain may stay. */
async function rulesOf(exec: Exec, backend: Backend): Promise<readonly string[]> {
  const found: string[] = []
  for (const family of ipFamilies) {
    const { stdout } = await exec({ argv: [toolsOf(family, backend).save] })
    for (const table of [...tables, 'mangle'] as const) {
      for (const { name, rules } of parseSave(tableSection(stdout, table as 'nat'))) {
        if (name.includes('-')) found.push(`${family} ${table} ${name}`)
        found.push(...rules.map(rule => `${family} ${table} ${name} ${rule}`))
      }
    }
  }
  return found
}

async function programNode(exec: Exec, backend: Backend): Promise<void> {
  const { cluster, node, settings } = loadScenario('kitchen-sink')
  for (const family of ipFamilies) {
    const mode = iptablesMode(family, toolsOf(family, backend))
    await new FamilySync({ mode, exec, cluster, events: createSyncEmitter(), now: () => performance.now() }).pass({
      node,
      // With chains of every name that there is.
      settings: { ...settings, dispatch: 'bucketed' },
      sweep: true,
    })
  }
}

for (const backend of ['nft', 'legacy'] as const) {
  describe(`cleanup, ${backend} backend`, () => {
    it('leaves the rules as they were before the first start', async () => {
      await using namespace = await createNamespace('cleanup')
      const exec = createExec({ prefix: namespace.prefix })
      await exec({ argv: [toolsOf('IPv4', backend).restore, '--noflush'], input: othersRules })
      const before = await rulesOf(exec, backend)
      await programNode(exec, backend)
      const programmed = await rulesOf(exec, backend)
      assert.ok(programmed.length > before.length + 50)

      const { stdout: wouldRemove } = await exec({ argv: [program, 'cleanup', '--dry-run'] })
      assert.match(wouldRemove, /would remove \d+ chains/)
      assert.deepEqual(await rulesOf(exec, backend), programmed, 'a dry run changes nothing')

      await exec({ argv: [program, 'cleanup'] })
      const after = await rulesOf(exec, backend)
      // KUBE-FIREWALL is kubelet's too, and kubelet is here.
      assert.deepEqual(
        after.filter(line => !line.includes('KUBE-FIREWALL') && !line.includes('block incoming localnet')),
        before,
      )
      const { stdout: again } = await exec({ argv: [program, '--cleanup'] })
      assert.doesNotMatch(again, /removed/)
    })
  })
}

describe('cleanup', () => {
  it('empties and keeps a chain that a rule of others jumps to, and says so', async () => {
    await using namespace = await createNamespace('cleanup')
    const exec = createExec({ prefix: namespace.prefix })
    await programNode(exec, 'nft')
    await exec({ argv: ['iptables-nft', '-t', 'nat', '-N', 'MY-CHAIN'] })
    await exec({ argv: ['iptables-nft', '-t', 'nat', '-A', 'MY-CHAIN', '-j', 'KUBE-MARK-MASQ'] })
    const { stdout } = await exec({ argv: [program, 'cleanup'] })
    assert.match(stdout, /kept, emptied: nat chain KUBE-MARK-MASQ: a rule of chain MY-CHAIN/)
    const { stdout: rules } = await exec({ argv: ['iptables-nft', '-t', 'nat', '-S'] })
    assert.match(rules, /-N KUBE-MARK-MASQ\n/)
    assert.doesNotMatch(rules, /KUBE-SVC|KUBE-SERVICES/)
  })

  it('copes with a jump that stands twice and with a rule of others to a chain that all Services share', async () => {
    await using namespace = await createNamespace('cleanup')
    const exec = createExec({ prefix: namespace.prefix })
    await programNode(exec, 'nft')
    const iptables = (...argv: readonly string[]) => exec({ argv: ['iptables-nft', '-t', 'nat', ...argv] })
    await iptables('-I', 'OUTPUT', '-m', 'comment', '--comment', 'kubernetes service portals', '-j', 'KUBE-SERVICES')
    await iptables('-N', 'MY-CHAIN')
    await iptables('-A', 'MY-CHAIN', '-j', 'KUBE-SERVICES')
    const { stdout } = await exec({ argv: [program, 'cleanup'] })
    assert.match(stdout, /kept, emptied: nat chain KUBE-SERVICES: a rule of chain MY-CHAIN/)
    const { stdout: rules } = await iptables('-S')
    assert.deepEqual(
      rules.split('\n').filter(line => /KUBE/.test(line)),
      ['-N KUBE-SERVICES', '-A MY-CHAIN -j KUBE-SERVICES'],
    )
  })

  it('keeps the guard of 127.0.0.0/8 while packets may come there from outside', async () => {
    await using namespace = await createNamespace('cleanup')
    const exec = createExec({ prefix: namespace.prefix })
    await programNode(exec, 'nft')
    await exec({ argv: ['sh', '-c', 'echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet'] })
    const { stdout } = await exec({ argv: [program, 'cleanup'] })
    assert.match(stdout, /KUBE-FIREWALL stays: net.ipv4.conf.all.route_localnet is 1/)
    const { stdout: rules } = await exec({ argv: ['iptables-nft', '-S'] })
    assert.match(rules, /-A INPUT -j KUBE-FIREWALL\n[\s\S]*-A KUBE-FIREWALL .*block incoming localnet/)
  })

  it('puts back kernel parameters as they were, and only then takes the guard of 127.0.0.0/8 away', async () => {
    await using namespace = await createNamespace('cleanup')
    const folder = await mkdtemp(join(tmpdir(), 'cleanup-'))
    const exec = createExec({ prefix: namespace.prefix })
    const sysctl = async (command: string): Promise<string> =>
      (await exec({ argv: ['sh', '-c', `cd /proc/sys/net/ipv4; ${command}`] })).stdout
    await programNode(exec, 'nft')
    await sysctl(
      'echo 1 > conf/all/route_localnet; echo 1 > conf/all/arp_ignore; echo 1 > conf/all/arp_announce; echo 1 > ip_forward',
    )
    const changed = (before: string, set: string) => ({ before, set })
    const state = await openStateFile({ path: join(folder, 'state.json'), warn: message => assert.fail(message) })
    await state.update({
      sysctls: {
        'net.ipv4.conf.all.route_localnet': changed('0', '1'),
        'net.ipv4.conf.all.arp_ignore': changed('0', '1'),
        'net.ipv4.conf.all.arp_announce': changed('0', '2'),
        'net.ipv4.ip_forward': changed('0', '1'),
      },
    })
    const command = [program, 'cleanup', '--state-dir', folder]
    const values = 'cat conf/all/route_localnet conf/all/arp_ignore conf/all/arp_announce ip_forward'

    const { stdout: would } = await exec({ argv: [...command, '--dry-run'] })
    assert.match(would, /^would set net\.ipv4\.conf\.all\.route_localnet: 1 -> 0, as it was before Switchyard\n/)
    assert.match(would, /-X KUBE-FIREWALL/)
    assert.equal(await sysctl(values), '1\n1\n1\n1\n', 'a dry run changes nothing')

    const { stdout } = await exec({ argv: command })
    assert.match(
      stdout,
      /^net\.ipv4\.conf\.all\.route_localnet: 1 -> 0[\s\S]*arp_ignore: 1 -> 0[\s\S]*arp_announce stays 1, which somebody/,
    )
    assert.equal(await sysctl(values), '0\n0\n1\n1\n')
    assert.doesNotMatch((await exec({ argv: ['iptables-nft', '-S'] })).stdout, /KUBE-FIREWALL/)
    assert.doesNotMatch((await exec({ argv: command })).stdout, /net\.ipv4/, 'nothing is left to say')
    await rm(folder, { recursive: true })
  })

  it('after a daemon every parameter below net is as before its first start, and so are both backends in both families', async () => {
    await using namespace = await createNamespace('cleanup')
    const folder = await mkdtemp(join(tmpdir(), 'cleanup-'))
    await mkdir(join(folder, 'm'))
    await writeFile(join(folder, 'm/objects.yaml'), readFileSync(join(goldenFolder, 'nodeport/objects.yaml')))
    const exec = createExec({ prefix: namespace.prefix })
    const shell = async (script: string): Promise<string> => (await exec({ argv: ['bash', '-c', script] })).stdout
    // What counts by itself is no setting.
    const parameters = () =>
      shell(
        'cd /proc/sys/net; grep -rs . ipv4 ipv6 netfilter core | grep -v "nf_conntrack_count\\|random\\|dentry\\|_use:" | sort',
      )
    // Loads connection tracking, which has parameters of its own.
    await programNode(exec, 'legacy')
    await exec({ argv: [program, 'cleanup', '--state-dir', folder] })
    const before = { parameters: await parameters(), nft: await rulesOf(exec, 'nft'), legacy: await rulesOf(exec, 'legacy') }

    const flags = `--manifests ${folder}/m --hostname-override node1 --state-dir ${folder} --conntrack-tcp-be-liberal`
    const isSet = 'grep -q 1 /proc/sys/net/ipv4/conf/all/route_localnet'
    await shell(`${program} ${flags} > ${folder}/log & until ${isSet}; do sleep 0.05; done; kill %1; wait %1`)
    assert.notEqual(await parameters(), before.parameters)
    // A kube-proxy's of the other backend, and its alarm.
    await exec({ argv: ['iptables-nft-restore', '--noflush'], input: '*mangle\n:KUBE-PROXY-CANARY - [0:0]\nCOMMIT\n' })
    const { stdout } = await exec({ argv: [program, 'cleanup', '--state-dir', folder] })
    assert.match(stdout, /route_localnet: 1 -> 0/)
    assert.deepEqual((await parameters()).split('\n'), before.parameters.split('\n'))
    assert.deepEqual(await rulesOf(exec, 'nft'), before.nft)
    assert.deepEqual(await rulesOf(exec, 'legacy'), before.legacy)
    await rm(folder, { recursive: true })
  })

  it('refuses while a Switchyard lives here, and names it', async () => {
    await using namespace = await createNamespace('cleanup')
    const folder = await mkdtemp(join(tmpdir(), 'cleanup-'))
    const exec = createExec({ prefix: namespace.prefix })
    const script = `${program} --manifests ${folder} --hostname-override node1 > ${folder}/log & until grep -q synced ${folder}/log; do sleep 0.05; done; ${program} cleanup --dry-run > ${folder}/dry; echo $? >> ${folder}/dry; ${program} cleanup; status=$?; kill %1; wait %1; exit $status`
    await assert.rejects(exec({ argv: ['bash', '-c', script] }), (error: unknown) => {
      assert.ok(error instanceof CommandError)
      assert.match(error.stderr, /switchyard .* \(process \d+\) programs this node; stop it first/)
      return true
    })
    const dry = await readFile(join(folder, 'dry'), 'utf8')
    assert.match(dry, /^switchyard \S+ \(process \d+\) programs this node: without --dry-run this is refused/)
    assert.match(dry, /would remove \d+ chains[\s\S]*\n0\n$/)
    await rm(folder, { recursive: true })
  })
})
