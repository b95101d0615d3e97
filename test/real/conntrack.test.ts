// Stale UDP flows in a real kernel: clients that keep their source port, rules of our own, conntrack's own list before and after.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createExec, type Exec } from '../../src/kernel/exec.ts'
import { type Address, hostPort, type IpFamily, ipFamilies } from '../../src/model/address.ts'
import type { CleanOutcome } from '../../src/sync/clean-conntrack.ts'
import { type Lab, startLab } from '../support/lab/lab.ts'
import { poll } from '../support/lab/poll.ts'
import { createNamespace } from '../support/namespace.ts'
import { UdpClient, type UdpTarget } from '../support/udp-client.ts'
import { FlowCleaning, nodeFlows, objectsFor, type Places, places, pods } from '../support/udp-flows.ts'

for (const family of ipFamilies) {
  describe(`${family}: stale UDP flows`, () => {
    it('are deleted after each kind of change, and no other flow is', () => followChanges(family))
    it('are all deleted although some vanish by themselves meanwhile', () => deleteWithRival(family))
  })
}

it('says what is missing where conntrack is not permitted', async () => {
  await using namespace = await createNamespace('conntrack')
  const withoutPrivilege = ['setpriv', '--bounding-set=-net_admin', '--inh-caps=-net_admin']
  const cluster = new FlowCleaning('IPv4', createExec({ prefix: [...namespace.prefix, ...withoutPrivilege] }))
  const outcome = await cluster.clean(objectsFor({ dns: [] }, 'IPv4'))
  assert.ok(outcome.kind === 'failed')
  assert.match(outcome.error.message, /clients that keep their port .* run as root or with CAP_NET_ADMIN/)
})

async function followChanges(family: IpFamily): Promise<void> {
  const at = places[family]
  await using lab = await startLab({ nodes: [{ name: 'node1', pods: ['a', 'b', 'c'] }] })
  await using pod = new UdpClient(lab.pod('c').namespace)
  await using outside = new UdpClient(lab.plan.client.namespace)
  const node = nodeFlows(lab, family)
  const flows = {
    clusterIP: { client: pod, from: 41001, address: at.dns, port: 53 },
    nodePort: { client: outside, from: 41002, address: lab.node[at.key], port: 30053 },
    externalIP: { client: outside, from: 41003, address: at.external, port: 53 },
    loadBalancer: { client: outside, from: 41004, address: at.loadBalancer, port: 53 },
    steady: { client: pod, from: 41005, address: at.steady, port: 53 },
    late: { client: pod, from: 41006, address: at.late, port: 53 },
    foreign: { client: outside, from: 41007, address: at.foreign, port: 53 },
    otherHost: { client: pod, from: 41008, address: at.otherHost, port: 30053 },
  }
  const { clusterIP, nodePort, externalIP, loadBalancer, steady, late, foreign, otherHost } = flows
  const throughDns = [clusterIP, nodePort, externalIP, loadBalancer]
  const ask = ({ client, ...target }: UdpTarget & { client: UdpClient }): Promise<string> => client.ask(target)

  await node.program({ dns: ['a'], steady: ['b'] })
  await addForeignFlows({ lab, family, at })
  for (const target of [...throughDns, foreign]) assert.equal(await ask(target), 'a')
  assert.equal(await ask(steady), 'b')
  for (const { client, ...target } of [late, otherHost]) client.send(target)
  const before = await node.flowsOnceThere(Object.values(flows).map(({ from }) => from))

  // The start of a daemon over a kernel full of healthy flows.
  assert.equal(cleaned(await node.clean()), 0)
  assert.deepEqual(await node.flows(), before)

  // An endpoint is replaced, and a Service comes whose clients were there before it.
  await node.program({ dns: ['b'], steady: ['b'], late: ['b'] })
  assert.equal(await ask(clusterIP), 'a', 'the kernel by itself keeps to the old endpoint')
  assert.equal(cleaned(await node.clean()), 5)
  assert.deepEqual(await node.flows(), without(before, [...throughDns, late]))
  for (const target of [...throughDns, late, steady]) assert.equal(await ask(target), 'b')
  assert.equal(await ask(foreign), 'a')

  // All endpoints are gone; then the other Service itself. Both times pod b lives on and answers others.
  const allThere = await node.flows()
  await node.program({ dns: [], steady: ['b'], late: ['b'] })
  assert.equal(cleaned(await node.clean()), 4)
  assert.deepEqual(await node.flows(), without(allThere, throughDns))
  await node.program({ dns: [], steady: ['b'] })
  assert.equal(cleaned(await node.clean()), 1)
  assert.deepEqual(await node.flows(), without(allThere, [...throughDns, late]))

  // They come back, and the same sockets reach them.
  await node.program({ dns: ['a'], steady: ['b'] })
  await node.clean()
  for (const target of throughDns) assert.equal(await ask(target), 'a')
  assert.deepEqual(await node.clean(), { kind: 'not needed' })

  // A daemon that was away while the endpoint changed finds out at its start.
  const withDns = await node.flows()
  const restarted = nodeFlows(lab, family)
  await restarted.program({ dns: ['b'], steady: ['b'] })
  assert.equal(cleaned(await restarted.clean()), 4)
  assert.deepEqual(await node.flows(), without(withDns, throughDns))
}

/** What looks much like ours and is not: another's translation to our endpoint, a conntrack zone, TCP. */
async function addForeignFlows({ lab, family, at }: { lab: Lab; family: IpFamily; at: Places }): Promise<void> {
  const a = lab.pod('a')[at.key]
  const c = lab.pod('c')[at.key]
  const iptables = family === 'IPv4' ? 'iptables-nft' : 'ip6tables-nft'
  const translation = `-d ${at.foreign} -p udp --dport 53 -j DNAT --to-destination ${hostPort(a as Address, 5353)}`
  await lab.run(lab.node.name, [iptables, '-t', 'nat', '-I', 'PREROUTING', ...translation.split(' ')])
  const insert = (source: number, ...more: readonly string[]) => {
    const original = ['-s', c, '-d', at.dns, '--sport', String(source), '--dport', '53']
    const reply = ['-r', a, '-q', c, '--reply-port-src', '5353', '--reply-port-dst', String(source)]
    return lab.run(lab.node.name, ['conntrack', '-I', ...more, '-t', '3600', ...original, ...reply])
  }
  await insert(42001, '-p', 'udp', '-w', '5')
  await insert(42002, '-p', 'udp', '--orig-zone', '6')
  await insert(42003, '-p', 'udp', '--reply-zone', '7')
  await insert(42004, '-p', 'tcp', '--state', 'ESTABLISHED')
}

/**
 * conntrack(8) gives up at a flow that is gone when it comes to delete it: in life because it expired just then, here because a
 * rival deletes the same ones. Rounds go on until that has happened.
 */
async function deleteWithRival(family: IpFamily): Promise<void> {
  await using namespace = await createNamespace('conntrack')
  const exec = createExec({ prefix: namespace.prefix })
  let interruptions = 0
  const withRival: Exec = async command => {
    if (command.argv[0] !== 'sh') return exec(command)
    const rival = exec(command).catch(() => undefined)
    try {
      return await exec(command)
    } catch (error) {
      interruptions++
      throw error
    } finally {
      await rival
    }
  }
  const round = async (): Promise<true | undefined> => {
    await insertFlows(family, exec)
    const outcome = await new FlowCleaning(family, withRival).clean(objectsFor({ dns: ['a'] }, family))
    assert.equal(outcome.kind, 'cleaned')
    const { stdout } = await exec({ argv: ['conntrack', '-L', '-f', places[family].key, '-p', 'udp'] })
    assert.deepEqual([countReplies(stdout, pods[family].b), countReplies(stdout, pods[family].a)], [0, healthyFlows])
    return interruptions > 0 ? true : undefined
  }
  await poll(round, { what: 'conntrack to be interrupted', everyMs: 0 })
}

const staleCount = 4000
const healthyFlows = 100

/** To the Service dns: many to pod b, a few to pod a. */
async function insertFlows(family: IpFamily, exec: Exec): Promise<void> {
  const { dns } = places[family]
  const { a, b } = pods[family]
  const line = (number: number): string => {
    const source = family === 'IPv4' ? `10.9.${number >> 8}.${number & 255}` : `fd00:9::${number.toString(16)}`
    const original = `-s ${source} -d ${dns} -p udp --sport 4000 --dport 53`
    return `-A -t 3600 ${original} -r ${number < healthyFlows ? a : b} -q ${source} --reply-port-src 5353 --reply-port-dst 4000`
  }
  const input = Array.from({ length: healthyFlows + staleCount }, (_, number) => line(number)).join('\n')
  await exec({ argv: ['sh', '-c', 'cat | conntrack --load-file -'], input })
}

function countReplies(listing: string, from: string): number {
  return listing.split(`src=${from} `).length - 1
}

function cleaned(outcome: CleanOutcome): number {
  if (outcome.kind === 'failed') throw outcome.error
  assert.equal(outcome.kind, 'cleaned')
  return outcome.kind === 'cleaned' ? outcome.deleted : 0
}

function without(flows: Readonly<Record<string, string>>, targets: readonly UdpTarget[]): Readonly<Record<string, string>> {
  const gone = new Set(targets.map(({ from }) => String(from)))
  return Object.fromEntries(Object.entries(flows).filter(([port]) => !gone.has(port)))
}
