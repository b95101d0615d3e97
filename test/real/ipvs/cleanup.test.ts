// `switchyard cleanup` after ipvs mode, and after a kube-proxy in that mode: nothing of a service proxy's is left, everything of others is.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { it } from 'node:test'
import { createExec, type Exec } from '../../../src/kernel/exec.ts'
import { toolsOf } from '../../../src/kernel/iptables.ts'
import { ipFamilies } from '../../../src/model/address.ts'
import { ipvsMode } from '../../../src/modes/ipvs/index.ts'
import { createSyncEmitter } from '../../../src/sync/events.ts'
import { FamilySync } from '../../../src/sync/family-sync.ts'
import { createNamespace } from '../../support/namespace.ts'
import { loadScenario } from '../../support/scenario.ts'

const program = join(import.meta.dirname, '../../../bin/switchyard')

/** What a keepalived and an administrator have. */
const othersWork = `set -e
ip link set lo up
ip link add others0 type dummy; ip link set others0 up; ip addr add 192.0.2.1/32 dev others0
ip addr add 10.200.1.2/24 dev others0; ip addr add fd00:200:1::2/64 dev others0 nodad
ipvsadm -A -t 192.0.2.1:80 -s wlc; ipvsadm -a -t 192.0.2.1:80 -r 192.0.2.9:80 -m
ipvsadm -A -f 7 -s rr
ipset create OTHERS hash:ip; ipset add OTHERS 192.0.2.3
iptables -A INPUT -m set --match-set OTHERS src -j DROP`

const everything =
  'ipvsadm -Sn; ipset save | sed "s/ initval.*//"; ip -o addr; iptables-save | grep ^-; ip6tables-save | grep ^- || true'

async function programNode(exec: Exec): Promise<void> {
  const { cluster, node, settings } = loadScenario('kitchen-sink')
  for (const family of ipFamilies) {
    const mode = ipvsMode({ family, tools: toolsOf(family, 'legacy'), abilities: { hasScheduler: () => true } })
    const sync = new FamilySync({ mode, exec, cluster, events: createSyncEmitter(), now: () => performance.now() })
    await sync.pass({ node, settings, sweep: true })
  }
}

it('cleanup leaves the kernel as it was before ipvs mode, and says what it removes', async () => {
  await using namespace = await createNamespace('cleanup')
  const exec = createExec({ prefix: namespace.prefix })
  const shell = async (script: string): Promise<string> => (await exec({ argv: ['bash', '-c', script] })).stdout
  await shell(othersWork)
  const before = await shell(everything)
  await programNode(exec)
  const programmed = await shell(everything)
  assert.match(programmed, /-A -t 192.168.100.228:443/)

  const { stdout: dry } = await exec({ argv: [program, 'cleanup', '--dry-run'] })
  assert.match(dry, /IPVS, IPv4: would remove \d+ virtual servers, 4 addresses, 18 sets/)
  assert.equal(await shell(everything), programmed, 'a dry run changes nothing')

  const { stdout } = await exec({ argv: [program, 'cleanup'] })
  assert.match(stdout, /IPVS, IPv4: removed \d+ virtual servers/)
  assert.match(stdout, /and kube-ipvs0/)
  assert.equal(await shell(everything), before)
  assert.match((await exec({ argv: [program, 'cleanup'] })).stdout, /IPVS: nothing of ours/)
})
