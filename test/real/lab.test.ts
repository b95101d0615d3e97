// The laboratory itself: it comes up and goes without a trace, and its agents tell one failure from another.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { whoHas } from '../support/lab/arp.ts'
import { type Lab, startLab } from '../support/lab/lab.ts'
import { listNamespaces } from '../support/lab/namespaces.ts'
import { farClient, namespacesOf } from '../support/lab/network-plan.ts'
import { poll } from '../support/lab/poll.ts'

const target = { protocol: 'TCP', timeoutMs: 5000, count: 1, parallel: 1 } as const

describe('a lab', () => {
  let lab: Lab
  before(async () => {
    lab = await startLab()
  })
  after(() => lab[Symbol.asyncDispose]())

  for (const protocol of ['TCP', 'UDP'] as const) {
    test(`everyone reaches every pod over ${protocol} and is seen with the own address`, async () => {
      for (const from of ['client', 'node1', 'a', 'd']) {
        for (const pod of lab.pods) {
          for (const address of [pod.ipv4, pod.ipv6]) {
            const port = protocol === 'TCP' ? 8080 : 5353
            const [outcome] = await lab.agent(from).ask('connect', { ...target, protocol, address, port })
            assert(outcome?.ok, `${from} -> ${pod.name} at ${address}: ${JSON.stringify(outcome)}`)
            assert.equal(outcome.name, pod.name)
            assert.match(outcome.source.replaceAll(/[[\]]/g, ''), new RegExp(`^${outcome.localAddress}:${outcome.localPort}$`))
          }
        }
      }
    })
  }

  test('an address that nobody serves is unreachable at once in IPv4, from everywhere', async () => {
    for (const [from, address] of [
      ['node1', '10.96.0.1'],
      ['a', '10.96.0.1'],
      ['client', '192.168.100.1'],
      ['client', '203.0.113.1'],
    ] as const) {
      const [outcome] = await lab.agent(from).ask('connect', { ...target, address, port: 80 })
      assert.equal(outcome?.ok === false && outcome.reason, 'unreachable', `${from} -> ${address}: ${JSON.stringify(outcome)}`)
    }
  })

  test('the client can connect from its far address', async () => {
    const [outcome] = await lab
      .agent('client')
      .ask('connect', { ...target, address: lab.pod('d').ipv4, port: 8080, from: farClient.ipv4 })
    assert(outcome?.ok)
    assert(outcome.source.startsWith(`${farClient.ipv4}:`), outcome.source)
  })

  test('a port without a listener refuses, over TCP and UDP', async () => {
    for (const protocol of ['TCP', 'UDP'] as const) {
      const [outcome] = await lab.agent('client').ask('connect', { ...target, protocol, address: lab.pod('a').ipv4, port: 7 })
      assert.equal(outcome?.ok === false && outcome.reason, 'refused', `${protocol}: ${JSON.stringify(outcome)}`)
    }
  })

  test('a dropped packet is a timeout', async () => {
    await lab.run('node1', ['iptables', '-A', 'FORWARD', '-p', 'tcp', '--dport', '8081', '-j', 'DROP'])
    const [outcome] = await lab
      .agent('client')
      .ask('connect', { ...target, address: lab.pod('a').ipv4, port: 8081, timeoutMs: 300 })
    await lab.run('node1', ['iptables', '-F', 'FORWARD'])
    assert.equal(outcome?.ok === false && outcome.reason, 'timeout')
  })

  test('a load reports every failure with its time and reason', async () => {
    const agent = lab.agent('client')
    const { ipv4: address } = lab.pod('a')
    const number = await agent.ask('startLoad', { protocol: 'TCP', address, port: 8080, timeoutMs: 15_000, perSecond: 100 })
    const attempts = (more: number) =>
      poll(async () => ((await agent.ask('loadAttempts', number)) >= more ? true : undefined), { what: `${more} connections` })
    await attempts(20)
    const cutAt = Date.now()
    await lab.run('node1', [
      'iptables',
      '-A',
      'FORWARD',
      '-p',
      'tcp',
      '--dport',
      '8080',
      '-j',
      'REJECT',
      '--reject-with',
      'tcp-reset',
    ])
    await attempts((await agent.ask('loadAttempts', number)) + 20)
    await lab.run('node1', ['iptables', '-F', 'FORWARD'])
    const mendedAt = Date.now()
    await attempts((await agent.ask('loadAttempts', number)) + 20)
    const report = await agent.ask('stopLoad', number)
    assert.equal(report.attempts, (report.answered['a'] ?? 0) + report.failures.length)
    assert((report.answered['a'] ?? 0) >= 20, JSON.stringify(report.answered))
    assert(report.failures.length >= 10, `${report.failures.length} failures`)
    for (const { reason, startedAt, endedAt } of report.failures) {
      assert(reason === 'refused' || reason === 'reset', reason)
      assert(endedAt >= cutAt && startedAt <= mendedAt, 'a failure outside of the cut')
    }
  })

  test('a held connection can be asked again and again, and tells when it is cut', async () => {
    const agent = lab.agent('b')
    const held = await agent.ask('hold', { protocol: 'TCP', address: lab.pod('d').ipv6, port: 8080, timeoutMs: 5000 })
    for (let time = 0; time < 3; time++) {
      const outcome = await agent.ask('pingHeld', { held, timeoutMs: 5000 })
      assert.equal(outcome.ok && outcome.name, 'd')
    }
    await lab.run('node1', ['ip6tables', '-A', 'FORWARD', '-j', 'DROP'])
    const cut = await agent.ask('pingHeld', { held, timeoutMs: 300 })
    await lab.run('node1', ['ip6tables', '-F', 'FORWARD'])
    assert.equal(cut.ok, false)
    await agent.ask('release', held)
    await assert.rejects(agent.ask('pingHeld', { held, timeoutMs: 300 }), /nothing runs under number/)
  })

  test('who answers for an address is asked by ARP', async () => {
    const { stdout } = await lab.run('node1', ['cat', '/sys/class/net/eth0/address'])
    assert.equal(await whoHas(lab, { address: lab.node.ipv4, from: 'client' }), stdout)
    assert.equal(await whoHas(lab, { address: '10.200.1.250', from: 'client' }), undefined)
  })

  test('a command that fails in a namespace throws with what it printed', async () => {
    await assert.rejects(lab.run('a', ['ip', 'link', 'show', 'nosuchlink']), /nosuchlink.*does not exist/s)
    await assert.rejects(async () => lab.run('nobody', ['true']), /there is no nobody/)
  })
})

describe('the life of a lab', () => {
  const small = [{ name: 'node1', pods: ['a'] }]

  test('two labs stand side by side, and each leaves nothing behind', async () => {
    const [one, two] = await Promise.all([startLab({ nodes: small }), startLab({ nodes: small })])
    const [outcome] = await one.agent('client').ask('connect', { ...target, address: one.pod('a').ipv4, port: 8080 })
    assert(outcome?.ok)
    // A process of someone else's in a namespace does not keep it alive.
    const stray = one.run('a', ['sleep', '1000'])
    const strayEnded = assert.rejects(stray, /SIGKILL/)
    const processesOfA = async () => (await one.run('a', ['ip', 'netns', 'pids', one.pod('a').namespace])).stdout.split('\n')
    await poll(async () => ((await processesOfA()).length >= 3 ? true : undefined), { what: 'the stray process' })
    await Promise.all([one[Symbol.asyncDispose](), two[Symbol.asyncDispose]()])
    await strayEnded
    for (const lab of [one, two]) {
      assert.deepEqual(
        (await listNamespaces()).filter(name => namespacesOf(lab.plan).includes(name)),
        [],
      )
      assert(!existsSync(lab.directory))
      await assert.rejects(lab.agent('a').ask('outlive', null), /no agent runs/)
    }
  })

  test('one whose name is taken says so, says how to remove the other, and does it no harm', async () => {
    await using first = await startLab({ prefix: 'twice-', nodes: small })
    await assert.rejects(startLab({ prefix: 'twice-', nodes: small }), /in the way: .*twice-node1.*ip netns del/s)
    const [outcome] = await first.agent('client').ask('connect', { ...target, address: first.pod('a').ipv4, port: 8080 })
    assert(outcome?.ok)
  })

  test('one that fails half-way removes what it made', async () => {
    // The last step of starting fails: there is no such port.
    await assert.rejects(startLab({ prefix: 'broken-', nodes: small, serve: { tcp: [80_800], udp: [] } }), /port/)
    assert.deepEqual(
      (await listNamespaces()).filter(name => name.startsWith('broken-')),
      [],
    )
  })

  test('one that is kept goes on until its removal line is run', async () => {
    const lab = await startLab({ prefix: 'kept-', nodes: small })
    await lab.keep()
    await lab[Symbol.asyncDispose]()
    const fetching = `fetch('http://${lab.pod('a').ipv4}:8080/').then(response => response.text()).then(console.log)`
    const { stdout } = await lab.run('client', [process.execPath, '--eval', fetching])
    assert.match(stdout, /^a on port 8080 sees 10\.200\.1\.1\d\d:\d+/)
    await promisify(execFile)('sh', ['-c', lab.removal])
    assert.deepEqual(
      (await listNamespaces()).filter(name => name.startsWith('kept-')),
      [],
    )
    assert(!existsSync(lab.directory))
  })
})
