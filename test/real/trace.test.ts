// `switchyard trace` on a node: asked of the daemon and read by itself, as it should be and damaged, beside what real connections meet.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { execa } from 'execa'
import type { TraceObject } from '../../src/explain/trace-object.ts'
import { type Lab, startLab } from '../support/lab/lab.ts'
import { startProxy } from '../support/lab/proxy.ts'

const program = new URL('../../bin/switchyard', import.meta.url).pathname

const objects = `
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: NodePort
  clusterIP: 10.96.40.8
  ports: [{name: http, port: 80, targetPort: 8080, nodePort: 30008}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{name: http, port: 8080}]
endpoints:
  - {addresses: [10.244.1.11], nodeName: node1, targetRef: {kind: Pod, name: a}}
  - {addresses: [10.244.2.21], nodeName: node2, targetRef: {kind: Pod, name: d}}
  - {addresses: [10.244.1.12], nodeName: node1, targetRef: {kind: Pod, name: b}, conditions: {ready: false}}
`

interface Said {
  readonly exitCode: number | undefined
  readonly stdout: string
  readonly stderr: string
}

async function trace(lab: Lab, ...words: readonly string[]): Promise<Said> {
  const { exitCode, stdout, stderr } = await execa('ip', ['netns', 'exec', lab.node.namespace, program, 'trace', ...words], {
    reject: false,
  })
  return { exitCode, stdout, stderr }
}

async function traced(lab: Lab, ...words: readonly string[]): Promise<TraceObject> {
  const { exitCode, stdout, stderr } = await trace(lab, ...words, '-o', 'json')
  assert.equal(exitCode, 0, stderr)
  return JSON.parse(stdout) as TraceObject
}

/** Where some get no answer, silence for this long is enough; where all do, none is waited for. */
const silenceMs = 500

interface Asking {
  readonly from?: 'client' | 'node1'
  readonly address?: string
  readonly timeoutMs?: number
}

/** Who answers connections to the node port, and what others meet. */
async function answers(lab: Lab, asking: Asking = {}): Promise<readonly string[]> {
  const { from = 'client', address = lab.node.ipv4, timeoutMs = 15_000 } = asking
  const target = { protocol: 'TCP', address, port: 30_008, timeoutMs, count: 30, parallel: 8 } as const
  const outcomes = await lab.agent(from).ask('connect', target)
  return [...new Set(outcomes.map(outcome => (outcome.ok ? outcome.name : outcome.reason)))].sort()
}

/** Verdicts beside what real connections meet, while the rules are as they should be. */
async function parameters(lab: Lab, flags: readonly string[]): Promise<void> {
  const set = (name: string, value: 0 | 1) => lab.run('node1', ['sh', '-c', `echo ${value} > /proc/sys/net/ipv4/${name}`])
  const outcome = async (...words: readonly string[]) => (await traced(lab, ...words, ...flags)).outcome
  const [outside, loopback] = [
    [lab.plan.client.ipv4, 'node:30008'],
    ['node', '127.0.0.1:30008'],
  ] as const
  const atLoopback = { from: 'node1', address: '127.0.0.1' } as const
  assert.deepEqual([await outcome(...loopback), await answers(lab, atLoopback)], ['answered', ['a', 'd']])
  await set('conf/all/route_localnet', 0)
  assert.deepEqual(
    [await outcome(...loopback), await answers(lab, { ...atLoopback, timeoutMs: silenceMs })],
    ['dropped', ['timeout']],
  )
  assert.deepEqual([await outcome(...outside), await answers(lab)], ['answered', ['a', 'd']])
  await set('conf/all/route_localnet', 1)

  await set('ip_forward', 0)
  assert.deepEqual([await outcome(...outside), await answers(lab, { timeoutMs: silenceMs })], ['dropped', ['timeout']])
  assert.deepEqual([await outcome(...loopback), await answers(lab, atLoopback)], ['answered', ['a', 'd']])
  const verify = await execa('ip', ['netns', 'exec', lab.node.namespace, program, 'verify', ...flags], { reject: false })
  assert.match(verify.stdout, /changed +kernel parameter net\.ipv4\.ip_forward: 0, expected 1/)
  await set('ip_forward', 1)
}

async function routes(lab: Lab, flags: readonly string[]): Promise<void> {
  const route = (change: string) => lab.run('node1', ['ip', 'route', change, 'unreachable', '10.244.2.21/32'])
  await route('add')
  const { outcome, summary } = await traced(lab, lab.plan.client.ipv4, 'node:30008', ...flags)
  assert.equal(outcome, 'partly answered')
  assert.match(summary.at(-1) ?? '', /no route to endpoint 10\.244\.2\.21:/)
  // The kernel limits how often it says unreachable.
  const met = await answers(lab, { timeoutMs: silenceMs })
  assert.ok(met.includes('a') && met.includes('unreachable') && !met.includes('d'), met.join(', '))
  await route('del')
}

async function strangers(lab: Lab, flags: readonly string[]): Promise<void> {
  const rule = (change: string) => {
    const match = [change, 'PREROUTING', '-p', 'tcp', '--dport', '30008']
    return lab.run('node1', ['iptables-nft', '-t', 'nat', ...match, '-j', 'DNAT', '--to-destination', '10.244.1.12:8080'])
  }
  await rule('-I')
  const { stdout } = await trace(lab, lab.plan.client.ipv4, 'node:30008', ...flags)
  assert.match(stdout, /^WRONG TARGET {2}/)
  assert.match(
    stdout.replace(/\s+/g, ' '),
    /Leads to 10\.244\.1\.12:8080, an endpoint that is to get no connections \(not ready\)\./,
  )
  await rule('-D')
}

it('trace says why a node port answers, and why it does not when rules are missing', async () => {
  await using lab = await startLab()
  await using proxy = await startProxy({ lab, arguments: ['--iptables-backend', 'nft'] })
  await proxy.program(objects)
  const question = [lab.plan.client.ipv4, 'node:30008'] as const

  // As it should be, by the daemon.
  const fine = await trace(lab, ...question)
  assert.equal(fine.exitCode, 0, fine.stderr)
  assert.match(fine.stdout, /^ANSWERED {2}10\.200\.1\.100 -> node:30008\n/)
  assert.match(fine.stdout, /Goes to one of 2 endpoints of default\/web:http, each with the same chance\./)
  assert.match(fine.stdout, /^10\.244\.2\.21:8080 +50\.0 % +default\/d +node2$/m)
  assert.match(fine.stdout, /^10\.244\.1\.12:8080 +none +default\/b +node1 +not ready$/m)
  assert.doesNotMatch(fine.stdout, /\p{Cc}\[/u, 'no colour where no terminal is')
  assert.match((await trace(lab, 'pod/a', 'svc/web', '--path')).stdout, /nat chain KUBE-SERVICES\n +-d 10\.96\.40\.8\/32 /)
  assert.deepEqual(await answers(lab), ['a', 'd'])

  // What it cannot tell.
  const unknown = await trace(lab, 'pod/zzz', 'svc/web')
  assert.deepEqual([unknown.exitCode, unknown.stdout], [1, ''])
  assert.match(unknown.stderr, /^switchyard: no EndpointSlice names a pod zzz/)
  assert.equal((await trace(lab, 'node')).exitCode, 64)
  assert.equal((await trace(lab, 'node', 'svc/web', '--family', 'IPv5')).exitCode, 64)

  // Damage, which the daemon would repair: without it, from its own flags. The last rule of the chain that chooses goes: its endpoint's part is not translated.
  assert.equal(await proxy.stop(), 'code 0')
  const flags = [
    '--config',
    `${proxy.manifests}/../config.yaml`,
    '--manifests',
    proxy.manifests,
    '--hostname-override',
    'node1',
    '--iptables-backend',
    'nft',
  ]
  assert.equal((await traced(lab, ...question, ...flags)).shares.endpoints, 1)
  const unkept = /Nothing keeps these rules up to date: neither Switchyard nor kube-proxy runs on this node\./
  assert.match((await trace(lab, ...question, ...flags)).stdout, unkept)
  await parameters(lab, flags)
  await routes(lab, flags)
  await strangers(lab, flags)

  // A rule is missing.
  const { stdout: rules } = await lab.run('node1', ['iptables-nft', '-t', 'nat', '-S'])
  const rule = rules.split('\n').find(line => /^-A KUBE-SVC-\S+ .*default\/web:http -> 10\.244\.2\.21:8080/.test(line)) ?? ''
  await lab.run('node1', ['sh', '-c', `iptables-nft -t nat ${rule.replace('-A', '-D')}`])
  const damaged = await traced(lab, ...question, ...flags)
  assert.deepEqual([damaged.shares.endpoints.toFixed(2), damaged.shares.untouched.toFixed(2)], ['0.50', '0.50'])
  assert.deepEqual(
    damaged.candidates.map(({ pod }) => pod),
    ['default/a'],
  )
  assert.deepEqual(
    damaged.drifts.map(({ service, kind }) => [service, kind]),
    [['default/web', 'changed']],
  )
  assert.match(damaged.summary.join(' '), /The kernel is not as it should be/)
  assert.match((await trace(lab, ...question, ...flags)).stdout, /^PARTLY ANSWERED {2}/)
  // Nobody listens on the node itself.
  assert.deepEqual(await answers(lab), ['a', 'refused'])

  // A rule of others in the way.
  await lab.run('node1', ['iptables-nft', '-I', 'FORWARD', '-s', '10.200.1.0/24', '-p', 'tcp', '--dport', '8080', '-j', 'DROP'])
  const blocked = await traced(lab, ...question, ...flags)
  assert.deepEqual([blocked.shares.dropped.toFixed(2), blocked.decidedBy?.where], ['0.50', 'filter chain FORWARD'])
  assert.deepEqual(await answers(lab, { timeoutMs: silenceMs }), ['refused', 'timeout'])
})
