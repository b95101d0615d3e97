// When the cleaner runs conntrack(8), what it makes of each answer, and that it neither repeats itself nor gives up.
// The kernel here is a list of flows that obeys the two commands; test/real/conntrack.test.ts has the real one.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CommandError, type CommandFailure, type Exec } from '../../src/kernel/exec.ts'
import { nodeFacts, type TrafficSettings } from '../../src/model/node.ts'
import type { ServiceKey } from '../../src/model/objects.ts'
import type { Decision } from '../../src/model/traffic-policy.ts'
import { staleConntrackCleaner } from '../../src/sync/clean-conntrack.ts'
import { type ClusterView, updateDecisions } from '../../src/sync/decisions.ts'
import { clusterOf, decodeAll } from '../support/scenario.ts'

const node = nodeFacts('node1', undefined, [])
const settings: TrafficSettings = {
  masqueradeAll: false,
  masqueradeMark: 0x4000,
  localhostNodePorts: true,
  nodePortAddresses: 'all',
  detectLocal: { mode: 'NodeCIDR' },
  tcpBeLiberal: false,
  dispatch: 'auto',
  ipvs: { scheduler: 'rr', excludeCidrs: [], strictArp: false, drainDeadlineMs: 900_000, drainGoneDeadlineMs: 120_000 },
}
const dns = 'default/dns' as ServiceKey
const web = 'default/web' as ServiceKey

function service(name: string, protocol: 'UDP' | 'TCP', clusterIP: string, endpoints: readonly string[]): string {
  return `
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: default}
spec: {clusterIP: ${clusterIP}, ports: [{name: main, port: 53, protocol: ${protocol}}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: ${name}-1, namespace: default, labels: {kubernetes.io/service-name: ${name}}}
addressType: IPv4
ports: [{name: main, port: 53, protocol: ${protocol}}]
endpoints: [${endpoints.map(address => `{addresses: [${address}]}`).join(', ')}]
`
}

const dnsAt = (...endpoints: readonly string[]): string => service('dns', 'UDP', '10.96.0.10', endpoints)
const webAt = (...endpoints: readonly string[]): string => service('web', 'TCP', '10.96.0.20', endpoints)

/** Flows by `destination > reply source`, all on port 53, and the commands that were run. */
class FakeConntrack {
  readonly commands: string[] = []
  flows: string[]
  /** What the next commands end with instead of doing their work; an `expiry` takes the first flow away before it is deleted. */
  failures: (CommandFailure | 'expiry' | undefined)[] = []
  /** Called while a listing is under way. */
  whileListing: () => void = () => {}

  constructor(...flows: readonly string[]) {
    this.flows = [...flows]
  }

  readonly exec: Exec = async ({ argv, input = '' }) => {
    this.commands.push(argv[0] === 'conntrack' ? 'list' : 'delete')
    const failure = this.failures.shift()
    if (failure === 'expiry') {
      const [line = '', ...rest] = input.split('\n')
      this.#delete(line)
      assert.ok(rest.length > 0)
      throw commandError(argv, 'failed', "Operation failed: such conntrack doesn't exist")
    }
    if (failure !== undefined) throw commandError(argv, failure, 'the stated reason')
    if (argv[1] === '-L') {
      this.whileListing()
      return { stdout: this.flows.map(print).join(''), stderr: '', milliseconds: 1 }
    }
    const deleted = input.split('\n').flatMap(line => this.#delete(line))
    return { stdout: deleted.map(print).join(''), stderr: '', milliseconds: 1 }
  }

  #delete(line: string): readonly string[] {
    const [, destination, replySource] = /-d (\S+) --dport 53 -r (\S+) --reply-port-src 53$/.exec(line) ?? []
    const matches = (flow: string): boolean => flow === `${destination} > ${replySource}`
    const deleted = this.flows.filter(matches)
    this.flows = this.flows.filter(flow => !matches(flow))
    return deleted
  }
}

function print(flow: string): string {
  const [destination, replySource] = flow.split(' > ')
  return `udp      17 29 src=10.9.9.9 dst=${destination} sport=1 dport=53 src=${replySource} dst=10.9.9.9 sport=53 dport=1 [ASSURED] mark=0 use=1\n`
}

function commandError(argv: readonly string[], failure: CommandFailure, stderr: string): CommandError {
  return new CommandError({ argv, failure, stderr, reason: stderr })
}

function start(kernel: FakeConntrack, quarantined: ReadonlySet<ServiceKey> = new Set()) {
  const decisions = new Map<ServiceKey, readonly Decision[]>()
  let view: ClusterView = clusterOf([])
  const cluster: Pick<ClusterView, 'slices'> = { slices: key => view.slices(key) }
  const cleaner = staleConntrackCleaner({
    exec: kernel.exec,
    family: 'IPv4',
    decisions,
    cluster,
    quarantined,
    now: () => performance.now(),
  })
  const decide = (yaml: string, touched: ReadonlySet<ServiceKey> | 'everything'): void => {
    view = clusterOf(decodeAll(yaml))
    updateDecisions({ decisions, scope: touched, cluster: view, family: 'IPv4', node })
  }
  const sync = (yaml: string, touched: ReadonlySet<ServiceKey> | 'everything' = 'everything') => {
    decide(yaml, touched)
    return cleaner.afterSync({ touched, node, settings })
  }
  return { sync, decide }
}

describe('staleConntrackCleaner', () => {
  it('looks once at the start, deletes what is wrong and nothing that is healthy', async () => {
    const kernel = new FakeConntrack(
      '10.96.0.10 > 10.244.1.1',
      '10.96.0.10 > 10.244.1.2',
      '10.96.0.10 > 10.244.1.2',
      '10.96.0.10 > 10.96.0.10',
    )
    const outcome = await start(kernel).sync(dnsAt('10.244.1.1'))
    assert.ok(outcome.kind === 'cleaned' && outcome.milliseconds >= 0)
    assert.equal(outcome.deleted, 3)
    assert.deepEqual(kernel.flows, ['10.96.0.10 > 10.244.1.1'])
    assert.deepEqual(kernel.commands, ['list', 'delete'])
  })

  it('deletes at the start what a Service without endpoints still sends somewhere', async () => {
    const kernel = new FakeConntrack('10.96.0.10 > 10.244.1.1', '10.96.0.10 > 10.96.0.10')
    assert.equal((await start(kernel).sync(dnsAt())).kind, 'cleaned')
    assert.deepEqual(kernel.flows, ['10.96.0.10 > 10.96.0.10'])
  })

  it('runs nothing at the start where there is no UDP service port, and nothing when others change', async () => {
    const kernel = new FakeConntrack()
    const { sync } = start(kernel)
    for (const endpoints of [['10.244.1.1'], ['10.244.1.2'], []]) {
      assert.deepEqual(await sync(webAt(...endpoints)), { kind: 'not needed' })
    }
    assert.deepEqual(kernel.commands, [])
  })

  it('runs nothing when a UDP Service is touched but nothing that flows depend on', async () => {
    const kernel = new FakeConntrack()
    const { sync } = start(kernel)
    await sync(dnsAt('10.244.1.1'))
    assert.deepEqual(await sync(dnsAt('10.244.1.1'), new Set([dns])), { kind: 'not needed' })
    assert.deepEqual(await sync(dnsAt('10.244.1.1', '10.244.1.2'), new Set([dns])), { kind: 'not needed' }, 'one more endpoint')
    assert.deepEqual(await sync(dnsAt('10.244.1.1', '10.244.1.2'), 'everything'), { kind: 'not needed' })
    assert.deepEqual(kernel.commands, ['list'])
  })

  it('finds the flows of an endpoint that went, of a Service that lost all, and of one that was deleted', async () => {
    const kernel = new FakeConntrack()
    const { sync } = start(kernel)
    await sync(dnsAt('10.244.1.1', '10.244.1.2'))
    const steps: readonly { yaml: string; stale: string }[] = [
      { yaml: dnsAt('10.244.1.1'), stale: '10.96.0.10 > 10.244.1.2' },
      { yaml: dnsAt(), stale: '10.96.0.10 > 10.244.1.1' },
      { yaml: dnsAt('10.244.1.3'), stale: '10.96.0.10 > 10.96.0.10' },
      { yaml: '', stale: '10.96.0.10 > 10.244.1.3' },
    ]
    for (const { yaml, stale } of steps) {
      kernel.flows = [stale, '10.96.7.7 > 10.244.1.1', '10.96.7.7 > 10.244.1.3']
      const outcome = await sync(yaml, new Set([dns]))
      assert.ok(outcome.kind === 'cleaned')
      assert.equal(outcome.deleted, 1)
      assert.deepEqual(kernel.flows, ['10.96.7.7 > 10.244.1.1', '10.96.7.7 > 10.244.1.3'])
    }
  })

  it('goes on where a flow expires under conntrack, and counts what went', async () => {
    const kernel = new FakeConntrack('10.96.0.10 > 10.244.1.2', '10.96.0.10 > 10.244.1.3', '10.96.0.10 > 10.244.1.4')
    kernel.failures = [undefined, 'expiry', undefined, 'expiry']
    const outcome = await start(kernel).sync(dnsAt('10.244.1.1'))
    assert.ok(outcome.kind === 'cleaned')
    assert.equal(outcome.deleted, 3)
    assert.deepEqual(kernel.flows, [])
  })

  it('says once that the program is missing, names its package, and cleans everything when it is there', async () => {
    const kernel = new FakeConntrack('10.96.0.10 > 10.244.1.1', '10.96.0.10 > 10.244.1.2')
    kernel.failures = ['not found', 'not found']
    const { sync } = start(kernel)
    const first = await sync(dnsAt('10.244.1.1', '10.244.1.2'))
    assert.ok(first.kind === 'failed')
    assert.match(first.error.message, /install the package conntrack /)
    assert.equal(first.repeated, false)
    const second = await sync(dnsAt('10.244.1.2'), new Set([dns]))
    assert.ok(second.kind === 'failed' && second.repeated)
    assert.deepEqual(await sync(`${webAt('10.244.1.5')}---${dnsAt('10.244.1.2')}`, new Set([web])), { kind: 'not needed' })
    const third = await sync('', new Set([dns]))
    assert.ok(third.kind === 'cleaned')
    assert.equal(third.deleted, 2, 'those of the endpoint that went before are remembered')
  })

  for (const failure of ['not permitted', 'failed', 'timed out', 'busy'] as const) {
    it(`reports that conntrack ${failure}, with its words`, async () => {
      const kernel = new FakeConntrack()
      kernel.failures = [failure]
      const outcome = await start(kernel).sync(dnsAt('10.244.1.1'))
      assert.ok(outcome.kind === 'failed')
      assert.match(outcome.error.message, /^stale IPv4 UDP flows stay.*the stated reason/)
      assert.ok(outcome.error.cause instanceof CommandError)
    })
  }

  it('tries again with the next sync, whatever that touches, after a failure that may pass', async () => {
    const kernel = new FakeConntrack('10.96.0.10 > 10.244.1.2')
    kernel.failures = ['timed out']
    const { sync } = start(kernel)
    assert.equal((await sync(dnsAt('10.244.1.1'))).kind, 'failed')
    assert.equal((await sync(`${dnsAt('10.244.1.1')}---${webAt('10.244.1.5')}`, new Set([web]))).kind, 'cleaned')
    assert.deepEqual(kernel.flows, [])
  })

  it('runs one at a time, and what two syncs asked for is done once', async () => {
    const kernel = new FakeConntrack('10.96.0.10 > 10.244.1.1', '10.96.0.10 > 10.244.1.2')
    const { sync } = start(kernel)
    const outcomes = await Promise.all([sync(dnsAt('10.244.1.1')), sync(dnsAt('10.244.1.3'), new Set([dns]))])
    assert.deepEqual(
      outcomes.map(({ kind }) => kind),
      ['cleaned', 'not needed'],
    )
    assert.deepEqual(kernel.flows, [])
    assert.deepEqual(kernel.commands, ['list', 'delete'])
  })

  it('keeps a flow to an endpoint that the next pass has already programmed while flows are read', async () => {
    const kernel = new FakeConntrack('10.96.0.10 > 10.244.1.2')
    const { sync, decide } = start(kernel)
    kernel.whileListing = () => decide(dnsAt('10.244.1.2'), new Set([dns]))
    await sync(dnsAt('10.244.1.1'))
    assert.deepEqual(kernel.flows, ['10.96.0.10 > 10.244.1.2'])
  })

  it('leaves a quarantined Service alone until it is released', async () => {
    const quarantined = new Set<ServiceKey>()
    const kernel = new FakeConntrack('10.96.0.10 > 10.244.1.1')
    const { sync } = start(kernel, quarantined)
    await sync(dnsAt('10.244.1.1'))
    quarantined.add(dns)
    assert.deepEqual(await sync(dnsAt('10.244.1.2'), new Set([dns])), { kind: 'not needed' })
    assert.deepEqual(kernel.flows, ['10.96.0.10 > 10.244.1.1'], 'the old rules still make such flows')
    quarantined.delete(dns)
    assert.equal((await sync(dnsAt('10.244.1.2'), new Set([dns]))).kind, 'cleaned')
    assert.deepEqual(kernel.flows, [])
  })
})
