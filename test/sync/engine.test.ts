// From a source to the kernels of both families: when programming begins, what is swept when, and that each family stands alone.
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { Exec } from '../../src/kernel/exec.ts'
import { toolsOf } from '../../src/kernel/iptables.ts'
import type { Address } from '../../src/model/address.ts'
import type { Node, ObjectName } from '../../src/model/objects.ts'
import { iptablesMode } from '../../src/modes/iptables/index.ts'
import type { ObjectChange, Source, SourceUpdate } from '../../src/source/source.ts'
import { type EngineSettings, runEngine } from '../../src/sync/engine.ts'
import { createSyncEmitter } from '../../src/sync/events.ts'
import { address, cidr, endpoint, node as facts, gone, put, service, slice, settings as traffic } from '../support/cluster.ts'
import { createFakeClock, type FakeClock } from './support/fake-clock.ts'
import { createFakeKernel, type FakeKernel } from './support/fake-kernel.ts'
import { eventsOf, type RecordedEvent, recordEvents } from './support/harness.ts'

interface Engine {
  readonly clock: FakeClock
  readonly four: FakeKernel
  readonly six: FakeKernel
  readonly recorded: RecordedEvent[]
  /** What the source says next, and all that follows from it. */
  tell(changes: readonly ObjectChange[], more?: Partial<SourceUpdate>): Promise<void>
  settle(settings: Partial<EngineSettings>): Promise<void>
  fail(error: Error): Promise<void>
  setInterfaceAddresses(addresses: readonly Address[]): void
  readonly stop: () => Promise<void>
  /** How runEngine ended. */
  readonly ended: () => 'running' | 'resolved' | Error
}

const base: EngineSettings = {
  nodeName: 'node1',
  traffic,
  syncPeriodMs: 30_000,
  minSyncPeriodMs: 1000,
  minSyncPeriodMeaning: 'at most',
}

function start(t: TestContext): Engine {
  const clock = createFakeClock(t)
  const [four, six] = [createFakeKernel(), createFakeKernel()]
  const exec: Exec = command => (command.argv[0]?.startsWith('ip6') ? six : four).exec(command)
  const events = createSyncEmitter()
  const recorded = recordEvents(events)
  const source = createScriptedSource()
  const abort = new AbortController()
  let interfaceAddresses = facts.interfaceAddresses
  let take: (settings: EngineSettings) => void = () => {}
  let ended: 'running' | 'resolved' | Error = 'running'
  const running = runEngine(
    {
      settings: base,
      onSettings: taking => {
        take = taking
      },
      source,
      modes: [iptablesMode('IPv4', toolsOf('IPv4', 'nft')), iptablesMode('IPv6', toolsOf('IPv6', 'nft'))],
      exec,
      events,
      interfaceAddresses: () => interfaceAddresses,
      now: clock.now,
    },
    abort.signal,
  ).then(
    () => {
      ended = 'resolved'
    },
    (error: unknown) => {
      ended = error instanceof Error ? error : new Error(String(error))
    },
  )
  return {
    clock,
    four,
    six,
    recorded,
    setInterfaceAddresses: addresses => {
      interfaceAddresses = addresses
    },
    tell: async (changes, more) => {
      source.push({ changes, complete: true, unreadable: false, ...more })
      await clock.advance(50, 5)
    },
    settle: async changed => {
      take({ ...base, ...changed })
      await clock.advance(50, 5)
    },
    fail: async error => {
      source.push(error)
      await clock.advance(50, 5)
    },
    stop: async () => {
      abort.abort()
      await clock.advance(5)
      await running
    },
    ended: () => ended,
  }
}

interface ScriptedSource extends Source {
  push(update: SourceUpdate | Error): void
}

function createScriptedSource(): ScriptedSource {
  const queue: (SourceUpdate | Error)[] = []
  let wake: () => void = () => {}
  return {
    description: 'what a test says',
    unread: () => [],
    push: update => {
      queue.push(update)
      wake()
    },
    async *updates(signal) {
      signal.addEventListener('abort', () => wake())
      while (!signal.aborted) {
        const next = queue.shift()
        if (next instanceof Error) throw next
        if (next !== undefined) yield next
        else {
          await new Promise<void>(resolve => {
            wake = resolve
          })
        }
      }
    },
  }
}

const dual = service({ clusterIPs: ['10.96.0.7', 'fd00:10:96::7'].map(address), ipFamilies: ['IPv4', 'IPv6'] })
const fourPods = (...texts: readonly string[]) => slice({ name: 'web-4', endpoints: texts.map(text => endpoint(text)) })
const sixPods = (...texts: readonly string[]) =>
  slice({ name: 'web-6', family: 'IPv6', endpoints: texts.map(text => endpoint(text)) })
const everything = [dual, fourPods('10.244.1.1'), sixPods('fd00:10:244:1::1')].map(put)
const other = service({ name: 'other', clusterIPs: [address('10.96.0.8')] })

describe('the engine', () => {
  it('only reads before the source has said everything once', async t => {
    const engine = start(t)
    await engine.tell(everything, { complete: false })
    await engine.clock.advance(100_000, 100)
    assert.deepEqual([...engine.four.commands, ...engine.six.commands], [['iptables-nft-save'], ['ip6tables-nft-save']])
    await engine.tell([])
    assert.match(engine.four.save(), /10\.244\.1\.1:8080/)
    assert.match(engine.six.save(), /\[fd00:10:244:1::1\]:8080/)
    await engine.stop()
  })

  it('programs an empty cluster, too: what stood there from an earlier one goes', async t => {
    const engine = start(t)
    engine.four.edit('nat', ':KUBE-SVC-AAAAAAAAAAAAAAAA - [0:0]')
    await engine.tell([])
    assert.equal(engine.four.rules('nat', 'KUBE-SVC-AAAAAAAAAAAAAAAA'), undefined)
    assert.equal(engine.four.rules('nat', 'KUBE-SERVICES')?.length, 1)
    await engine.stop()
  })

  it('sweeps nothing while something is unreadable, programs all else, and sweeps when it can be read', async t => {
    const engine = start(t)
    engine.four.edit('nat', ':KUBE-SVC-AAAAAAAAAAAAAAAA - [0:0]', '-A KUBE-SVC-AAAAAAAAAAAAAAAA -j RETURN')
    await engine.tell(everything, { unreadable: true })
    await engine.tell([put(other)], { unreadable: true })
    assert.match(engine.four.save(), /10\.244\.1\.1:8080/)
    assert.match(engine.four.save(), /default\/other has no endpoints/)
    assert.deepEqual(engine.four.rules('nat', 'KUBE-SVC-AAAAAAAAAAAAAAAA'), ['-j RETURN'])
    await engine.clock.advance(90_000, 50)
    assert.deepEqual(eventsOf(engine.recorded, 'driftFound'), [])
    await engine.tell([])
    assert.equal(engine.four.rules('nat', 'KUBE-SVC-AAAAAAAAAAAAAAAA'), undefined)
    await engine.stop()
  })

  it('deletes what it knows to be gone also while something is unreadable', async t => {
    const engine = start(t)
    await engine.tell([...everything, put(other)])
    await engine.tell([gone(other)], { unreadable: true })
    assert.doesNotMatch(engine.four.save(), /default\/other/)
    await engine.stop()
  })

  it('goes on with one family while the other fails, which catches up when it works', async t => {
    for (const failure of ['not found', 'busy', 'failed'] as const) {
      const engine = start(t)
      engine.six.fails = () => failure
      await engine.tell(everything)
      assert.match(engine.four.save(), /10\.244\.1\.1:8080/)
      await engine.tell([put(fourPods('10.244.1.2')), put(sixPods('fd00:10:244:1::2'))])
      assert.match(engine.four.save(), /10\.244\.1\.2:8080/)
      assert.equal(engine.six.save(), '')
      assert.ok(eventsOf(engine.recorded, 'syncFailed').length > 0)
      assert.ok(eventsOf(engine.recorded, 'syncFailed').every(({ family }) => family === 'IPv6'))
      engine.six.fails = () => undefined
      await engine.clock.advance(120_000, 100)
      assert.match(engine.six.save(), /\[fd00:10:244:1::2\]:8080/)
      await engine.stop()
      t.mock.timers.reset()
    }
  })

  it('programs anew what depends on the Node object when it comes and changes', async t => {
    const engine = start(t)
    const nodeObject = (more: Partial<Node> = {}): Node => ({
      kind: 'Node',
      name: 'node1' as ObjectName,
      uid: '',
      zone: undefined,
      addresses: [address('10.200.1.2')],
      podCidrs: [cidr('10.244.1.0/24')],
      deleting: false,
      taints: [],
      ...more,
    })
    const hinted = slice({
      name: 'web-4',
      endpoints: [endpoint('10.244.1.1', { zoneHints: ['zone-a'] }), endpoint('10.244.1.2', { zoneHints: ['zone-b'] })],
    })
    await engine.tell([put(dual), put(hinted)])
    const endpoints = () => [...engine.four.save().matchAll(/--to-destination (\S+)/g)].map(([, to]) => to).toSorted()
    assert.deepEqual(endpoints(), ['10.244.1.1:8080', '10.244.1.2:8080'])
    await engine.tell([put(nodeObject({ zone: 'zone-b' }))])
    assert.deepEqual(endpoints(), ['10.244.1.2:8080'])
    const before = engine.four.restores.length
    await engine.tell([put(nodeObject({ zone: 'zone-b', taints: ['some'] }))])
    await engine.tell([put({ ...nodeObject({ zone: 'zone-a' }), name: 'node2' as ObjectName })])
    assert.equal(engine.four.restores.length, before, 'taints and other Nodes are nothing to us')
    await engine.tell([gone(nodeObject())])
    assert.deepEqual(endpoints(), ['10.244.1.1:8080', '10.244.1.2:8080'])
    await engine.stop()
  })

  it('asks for the addresses of the interfaces anew every syncPeriod', async t => {
    const engine = start(t)
    await engine.settle({ traffic: { ...traffic, nodePortAddresses: [cidr('10.200.0.0/16')] } })
    await engine.tell(everything)
    const jumps = () =>
      engine.four
        .rules('nat', 'KUBE-SERVICES')
        ?.filter(rule => rule.endsWith('-j KUBE-NODEPORTS'))
        .map(rule => rule.split(' ')[1])
    assert.deepEqual(jumps(), ['10.200.1.2/32'])
    engine.setInterfaceAddresses([...facts.interfaceAddresses, address('10.200.9.9')])
    await engine.clock.advance(31_000, 50)
    assert.deepEqual(jumps(), ['10.200.1.2/32', '10.200.9.9/32'])
    await engine.stop()
  })

  it('has nothing to do where addresses come and go that no rule names', async t => {
    const engine = start(t)
    await engine.tell(everything)
    const passes = () => eventsOf(engine.recorded, 'passStarted').length
    const before = passes()
    engine.setInterfaceAddresses([...facts.interfaceAddresses, address('169.254.7.7'), address('fd00:10:244:1::99')])
    await engine.clock.advance(31_000, 50)
    assert.equal(passes(), before)
    await engine.stop()
  })

  it('takes new settings live', async t => {
    const engine = start(t)
    await engine.tell(everything)
    await engine.settle({ traffic: { ...traffic, masqueradeMark: 0x8000 } })
    for (const kernel of [engine.four, engine.six])
      assert.deepEqual(kernel.rules('nat', 'KUBE-MARK-MASQ'), ['-j MARK --set-xmark 0x8000/0x8000'])
    await engine.stop()
  })

  it('tries a quarantined Service again that changed in the update with which everything became readable', async t => {
    const engine = start(t)
    engine.four.refuses = line => (line.includes('10.244.1.66') ? 'line' : undefined)
    await engine.tell([...everything, put(fourPods('10.244.1.66'))], { unreadable: true })
    assert.equal(eventsOf(engine.recorded, 'quarantined').length, 1)
    await engine.tell([put(fourPods('10.244.1.5'))])
    assert.match(engine.four.save(), /10\.244\.1\.5:8080/)
    assert.equal(eventsOf(engine.recorded, 'released').length, 1)
    await engine.stop()
  })

  it('ends when asked to, and leaves the rules', async t => {
    const engine = start(t)
    await engine.tell(everything)
    const saves = [engine.four.save(), engine.six.save()]
    await engine.stop()
    assert.equal(engine.ended(), 'resolved')
    await engine.clock.advance(120_000, 1000)
    assert.deepEqual([engine.four.save(), engine.six.save()], saves)
  })

  it('fails where the source can never be read', async t => {
    const engine = start(t)
    await engine.fail(new Error('no such folder'))
    const ended = engine.ended()
    assert.ok(ended instanceof Error && ended.message === 'no such folder')
    assert.deepEqual([...engine.four.commands, ...engine.six.commands], [['iptables-nft-save'], ['ip6tables-nft-save']])
  })
})
