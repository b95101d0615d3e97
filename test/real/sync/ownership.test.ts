// What is ours is swept, what belongs to others is never touched.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Backend, tables } from '../../../src/kernel/iptables.ts'
import { createNode, type TestNode } from '../../support/daemon/node.ts'
import { type Manifest, web } from '../../support/daemon/objects.ts'
import { chainFor, chainRules, chainsOf, endpointChains } from '../../support/daemon/rules.ts'
import { frequentChecks, manifestsOf, putManifest, startSwitchyard } from '../../support/daemon/switchyard.ts'

/** With a chain of every kind: SVC, SVL, EXT, FW, SEP, and a rule in every dispatch chain. */
const former: readonly Manifest[] = [
  ...web({
    name: 'former',
    number: 1,
    endpoints: ['10.244.0.1', '10.244.0.2'],
    spec: {
      type: 'LoadBalancer',
      loadBalancerSourceRanges: ['192.0.2.0/24'],
      ports: [{ name: 'http', port: 80, targetPort: 8080, protocol: 'TCP', nodePort: 30_080 }],
    },
  }).map(object =>
    object['kind'] === 'Service' ? { ...object, status: { loadBalancer: { ingress: [{ ip: '203.0.113.1' }] } } } : object,
  ),
  ...web({ name: 'former-local', number: 2, endpoints: ['10.244.0.3'], spec: { internalTrafficPolicy: 'Local' } }),
  ...web({ name: 'former-empty', number: 3, endpoints: [] }),
]
const present = web({ name: 'present', number: 4, endpoints: ['10.244.0.4'] })

/** What an administrator, kubelet and a former kube-proxy have on a node. */
const others = `*mangle
:KUBE-IPTABLES-HINT - [0:0]
:KUBE-KUBELET-CANARY - [0:0]
COMMIT
*nat
:KUBE-KUBELET-CANARY - [0:0]
:KUBE-MARK-DROP - [0:0]
:MY-NAT - [0:0]
:KUBE-SVC-MINE - [0:0]
-A KUBE-MARK-DROP -j MARK --set-xmark 0x8000/0x8000
-A MY-NAT -s 192.0.2.1/32 -j RETURN
-A KUBE-SVC-MINE -s 192.0.2.2/32 -j RETURN
-A PREROUTING -p tcp -m tcp --dport 2222 -j MY-NAT
-A OUTPUT -p tcp -m tcp --dport 2223 -j MY-NAT
-A POSTROUTING -s 192.0.2.0/24 -j KUBE-SVC-MINE
COMMIT
*filter
:KUBE-FIREWALL - [0:0]
:KUBE-KUBELET-CANARY - [0:0]
:KUBE-SVC-AAAAAAAAAAAAAAAA - [0:0]
:MY-FILTER - [0:0]
-A INPUT -j KUBE-FIREWALL
-A KUBE-FIREWALL -m comment --comment "kubernetes firewall for dropping marked packets" -m mark --mark 0x8000/0x8000 -j DROP
-A MY-FILTER -s 192.0.2.3/32 -j DROP
-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
-A FORWARD -j MY-FILTER
-A OUTPUT -d 192.0.2.4/32 -j DROP
COMMIT
`
/** As an administrator adds them while the daemon runs: at the top, above the daemon's, and at the end. */
const laterEdits = [
  '-t nat -I PREROUTING -s 198.51.100.1 -j ACCEPT',
  '-t nat -A PREROUTING -s 198.51.100.2 -j ACCEPT',
  '-I INPUT -s 198.51.100.3 -j ACCEPT',
  '-A INPUT -s 198.51.100.4 -j ACCEPT',
  '-I FORWARD -s 198.51.100.5 -j ACCEPT',
  '-A FORWARD -s 198.51.100.6 -j ACCEPT',
]

for (const backend of ['nft', 'legacy'] as const) {
  describe(`chains and rules of others, ${backend} backend`, { concurrency: true }, () => {
    it('stay as they are while stale ones of ours are swept', () => sweepAtStart(backend))
    it('keep a stale chain of ours alive by a rule that leads to it, and the log names both', () => keepReferenced(backend))
    it('are what nothing is swept for while a manifest cannot be read', () => unreadable(backend))
  })
}

async function sweepAtStart(backend: Backend): Promise<void> {
  await using node = await createNode('ownership')
  const run = await formerRun(node, backend)
  await node.restore({ backend }, others)
  await node.edit({ backend }, ['-P INPUT DROP', '-P FORWARD DROP'])
  const foreign = foreignParts(await node.save({ backend }))
  // kube-proxy's alarm chains are ours to sweep.
  await node.edit({ backend }, ['-t nat -N KUBE-PROXY-CANARY', '-t filter -N KUBE-PROXY-CANARY'])

  await using switchyard = await startSwitchyard(run)
  await switchyard.waitForSync()
  const save = await node.save({ backend })
  assert.doesNotMatch(save, /former|KUBE-PROXY-CANARY|10\.244\.0\.[123]:8080/)
  assert.match(save, /10\.244\.0\.4:8080/)
  assert.deepEqual(foreignParts(save), foreign)
  assert.match(save, /^:INPUT DROP /m)
  assert.match(save, /^:FORWARD DROP /m)

  await node.edit({ backend }, [...laterEdits, '-P OUTPUT DROP'])
  const laterForeign = foreignParts(await node.save({ backend }))
  const mark = switchyard.mark()
  await switchyard.put('present.yaml', [...present, ...web({ name: 'more', number: 5, endpoints: ['10.244.0.5'] })])
  await switchyard.waitForRules({ backend }, rules => rules.includes('10.244.0.5:8080'), 'a new Service')
  await node.edit({ backend }, ['-t nat -F KUBE-SERVICES'])
  await switchyard.waitForLog(/^repaired/, { since: mark })
  const repaired = await node.save({ backend })
  assert.deepEqual(foreignParts(repaired), laterForeign)
  assert.match(repaired, /^:OUTPUT DROP /m)
}

async function keepReferenced(backend: Backend): Promise<void> {
  await using node = await createNode('referenced')
  const run = await formerRun(node, backend)
  await node.restore({ backend }, others)
  const before = await node.save({ backend })
  const kept = chainFor(before, 'default/former-local:http cluster IP')
  await node.edit({ backend }, [`-t nat -A MY-NAT -p tcp -j ${kept}`])

  await using switchyard = await startSwitchyard(run)
  const named = await switchyard.waitForLog(/^left in place/)
  assert.match(named.msg, new RegExp(`nat chain ${kept} .* chain MY-NAT`))
  await switchyard.waitForSync()
  const after = await node.save({ backend })
  const family = [kept, ...endpointChains(before, kept)]
  assert.equal(family.length, 2)
  for (const chain of family) assert.deepEqual(chainRules(after, 'nat', chain), chainRules(before, 'nat', chain), chain)
  const leftOver = ourServiceChains(after).filter(chain => !family.includes(chain))
  assert.deepEqual(leftOver.toSorted(), chainsOfPresent(after).toSorted(), 'all else of the former run is gone')

  // A chain of a living Service that someone uses, too, when the Service goes.
  const used = chainFor(after, 'default/present:http cluster IP')
  await node.edit({ backend }, [`-t nat -A MY-NAT -p udp -j ${used}`])
  const mark = switchyard.mark()
  await switchyard.put('present.yaml', web({ name: 'other', number: 6, endpoints: ['10.244.0.6'] }))
  await switchyard.waitForRules({ backend }, rules => rules.includes('10.244.0.6:8080'), 'another Service')
  await switchyard.waitForLog(line => line.msg.startsWith('left in place') && line.msg.includes(used), { since: mark })
  const later = await node.save({ backend })
  assert.deepEqual(chainRules(later, 'nat', used), chainRules(after, 'nat', used))
  assert.throws(
    () => chainFor(later, 'default/present:http cluster IP'),
    /no rule of KUBE-SERVICES/,
    'nothing of ours leads there',
  )

  await node.edit({ backend }, ['-t nat -F MY-NAT'])
  await switchyard.waitForRules(
    { backend },
    rules => !rules.includes(kept) && !rules.includes(used) && ourServiceChains(rules).length === 2,
    'a sweep when the chains are free',
  )
  assert.deepEqual(switchyard.linesSince(0, /failed|quarantined/), [])
}

async function unreadable(backend: Backend): Promise<void> {
  await using node = await createNode('unreadable')
  const run = await formerRun(node, backend)
  const before = ourServiceChains(await node.save({ backend }))
  await putManifest(manifestsOf(node), 'broken.yaml', 'kind: Service\nmetadata: {name: former\n')

  await using switchyard = await startSwitchyard(run)
  await switchyard.waitForSync()
  const save = await switchyard.waitForRules({ backend }, rules => rules.includes('10.244.0.4:8080'), 'what can be read')
  for (const chain of before)
    assert.ok(chainsOf(save, 'nat').has(chain), `${chain} is swept although it may belong to what cannot be read`)
  assert.match(save, /default\/former:http cluster IP/)
  assert.match(save, /default\/former-empty:http has no endpoints/)
  const [complaint] = switchyard.linesSince(0, /broken\.yaml/)
  assert.match(complaint?.msg ?? '', /is no valid YAML at line 3.*Correct the file/s)

  // Everything else goes on: changes, and the repair of what someone breaks.
  const mark = switchyard.mark()
  await node.restore({ backend }, '*nat\n:KUBE-POSTROUTING - [0:0]\n-D PREROUTING 1\nCOMMIT\n')
  await switchyard.waitForLog(/someone changed.*KUBE-POSTROUTING/, { since: mark })
  const repaired = await switchyard.waitForRules({ backend }, rules => rules.includes('MASQUERADE'), 'a repair')
  assert.match(repaired, /^-A PREROUTING .*-j KUBE-SERVICES$/m)
  assert.match(repaired, /default\/former:http cluster IP/)

  await switchyard.put('broken.yaml', web({ name: 'mended', number: 7, endpoints: ['10.244.0.7'] }))
  const swept = await switchyard.waitForRules({ backend }, rules => !rules.includes('former'), 'the sweep')
  assert.match(swept, /10\.244\.0\.7:8080/)
  assert.equal(
    before.some(chain => chainsOf(swept, 'nat').has(chain)),
    false,
  )
}

/** What a run over other manifests leaves in the kernel, as iptables-save prints it: each backend's is recorded once. */
const formerRules = new Map<Backend, Promise<string>>()

async function recordFormerRun(backend: Backend): Promise<string> {
  await using node = await createNode('former')
  await putManifest(manifestsOf(node), 'former.yaml', former)
  await using switchyard = await startSwitchyard({ node, arguments: ['--iptables-backend', backend] })
  await switchyard.waitForSync()
  const save = await node.save({ backend })
  for (const prefix of ['SVC', 'SVL', 'EXT', 'FW', 'SEP']) assert.match(save, new RegExp(`^:KUBE-${prefix}-`, 'm'))
  return save
}

/** Leaves the node as a run over other manifests left it; gives how to start the next one. */
async function formerRun(node: TestNode, backend: Backend) {
  const recorded = formerRules.get(backend) ?? recordFormerRun(backend)
  formerRules.set(backend, recorded)
  await node.restore({ backend }, `${await recorded}\n`)
  await putManifest(manifestsOf(node), 'present.yaml', present)
  return { node, arguments: ['--iptables-backend', backend, '-v', '2'], config: frequentChecks }
}

/** By table and chain: chains that are not ours, and of the chains that all share the rules that are not ours. */
function foreignParts(save: string): Readonly<Record<string, readonly string[]>> {
  const parts = ['mangle', ...tables].flatMap(table =>
    [...chainsOf(save, table)]
      .filter(([chain]) => !isOurs(table, chain))
      .map(
        ([chain, rules]) =>
          [`${table} ${chain}`, rules.filter(rule => !/ -j KUBE-|"block incoming localnet/.test(` ${rule}`))] as const,
      ),
  )
  return Object.fromEntries(parts)
}

function isOurs(table: string, chain: string): boolean {
  const fixed = /^KUBE-(SERVICES|NODEPORTS|EXTERNAL-SERVICES|PROXY-FIREWALL|FORWARD|POSTROUTING|MARK-MASQ|PROXY-CANARY)$/
  return fixed.test(chain) || (table === 'nat' && isServiceChain(chain))
}

function isServiceChain(chain: string): boolean {
  return /^KUBE-(SVC|SVL|EXT|FW|SEP)-[A-Z2-7]{16}(-\d\d)?$/.test(chain)
}

function ourServiceChains(save: string): readonly string[] {
  return [...chainsOf(save, 'nat').keys()].filter(isServiceChain)
}

function chainsOfPresent(save: string): readonly string[] {
  const chain = chainFor(save, 'default/present:http cluster IP')
  return [chain, ...endpointChains(save, chain)]
}
